"""Stands in for the worker of an experiment: writes what a loop would leave, in no time.

    python stage.py ground PLACE SEED DIR
    python stage.py loop CONFIG

What it was asked for is added to `asked.txt` beside the folder. A file `refuse`, `break` or `wait`
in the folder of the experiment makes loops end with a failure, die, or wait for their parent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def policy(name: str, after: int, gold: float) -> dict[str, Any]:
    value = {"value": gold, "low": gold - 0.1, "high": gold + 0.1}
    return {"name": name, "after": after, "measures": {"gold": value}}


def promoted(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"decision": "promoted", "policy": one}


def numbers(seed: int, rise: float) -> dict[str, Any]:
    """Gold of the rounds rises by `rise` each, and by a tenth of the seed."""
    start, steps = 0.5 + seed / 10, (1, 2)
    rounds = [policy(f"round {step - 1}", step, start + step * rise) for step in steps]
    return {
        "initial": policy("initial policy", 0, start),
        "lines": [
            {"name": "rounds", "rounds": list(map(promoted, rounds)), "policies": rounds},
            {"name": "offline", "rounds": [], "policies": [policy("offline", 2, start + 0.01)]},
        ],
        "best": {"name": "round 0"},
    }


def main(kind: str, given: list[str]) -> int:
    if kind == "ground":
        home = Path(given[2])
        seed = home.parent
        home.mkdir(parents=True)
        (home / "prompts.jsonl").write_text("{}\n")
    else:
        config = yaml.safe_load(Path(given[0]).read_text())
        home = Path(config["out"])
        seed = home.parent
        root = seed.parent
        if (root / "refuse").is_file() and home.name == (root / "refuse").read_text():
            say({"failure": {"what": "too few pairs", "why": "", "fix": "", "status": 1}})
            return 1
        if (root / "break").is_file():
            return 7
        if (root / "wait").is_file():
            say({"tell": "waiting"})
            sys.stdin.read()
            return 143
        assert (seed / "ground" / "prompts.jsonl").is_file(), "the ground comes first"
        home.mkdir(parents=True, exist_ok=True)
        found = numbers(config["seed"], config["options"]["max_tokens"] / 100)
        (home / "loop.json").write_text(json.dumps(found))
        (home / "loop.html").write_text("a page")
    with (seed.parent / "asked.txt").open("a") as file:
        file.write(f"{seed.name}/{home.name}\n")
    say({"tell": "done"})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
