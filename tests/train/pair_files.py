"""Files of preference pairs about the lab's tasks."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.lab.seed_tasks import make_seeds
from selfsown.lab.world import FAMILIES, Item, sample_instruction, sample_item

_RUNS: Final = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


def write_pairs(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write rows as JSON lines and return the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def finished_run(directory: Path, payloads: Iterable[Mapping[str, object]]) -> Path:
    """A run directory whose accepted records are these."""
    run = _RUNS["RunWriter"](directory)
    stage = run.stage("pairs", "pair", output=True)
    key = run.call("Which is better?", "The first.")
    for place, payload in enumerate(payloads):
        stage.enter(dict(payload), order=(place,), keys=[key]).keep()
    written: Path = run.write(status="finished")
    return written


def lab_pairs(count: int) -> list[dict[str, object]]:
    """The lab's seeds: chosen is the right answer, rejected that of another seed, spoiled."""
    seeds = make_seeds()
    return [
        _row(item, f"{seeds[(number + 7) % len(seeds)].answer} nothing")
        for number, item in enumerate(seeds[:count])
    ]


def world_pairs(count: int, seed: int, *, other_task: bool = False) -> list[dict[str, object]]:
    """Tasks of the lab's world: chosen is the oracle's answer, rejected that to another input.

    With `other_task`, rejected is the answer to another task.
    """
    found: list[dict[str, object]] = []
    names = sorted(FAMILIES)
    for draw in range(10 * count):
        rng = rng_for(seed, "pairs", draw)
        item = sample_item(rng, sample_instruction(rng, "seen", names))
        asked = sample_instruction(rng, "seen", names) if other_task else item.instruction
        other = sample_item(rng, asked)
        if other.answer != item.answer and len(found) < count:
            found.append(_row(item, other.answer))
    return found


def _row(item: Item, rejected: str) -> dict[str, object]:
    return {
        "prompt": item.instruction.text,
        "input": item.input,
        "chosen": item.answer,
        "rejected": rejected,
    }
