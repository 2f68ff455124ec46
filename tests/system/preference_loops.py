"""A preference loop that takes half a minute: its config, its calls on both sides, its results.

The policy is a tiny local model, whose calls are written down before they are made (`witness`); the
judge is behind the test server, which counts what arrives.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.system.processes import arrivals, body_hash, write_config
from tests.system.witness import name_of

from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import DATA_FILES
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.models.fingerprint import model_hash
from selfsown.testing.process import ServerProcess
from selfsown.testing.tiny_llama import write_tiny_llama

MODEL = "test-model"
ROUNDS = 2
STEPS = 8
"""Of each training; a checkpoint after each but the last."""
PROMPTS, VALIDATION, ANSWERS, SAMPLES = 6, 3, 3, 2


def write_loop(home: Path, server: ServerProcess) -> Path:
    """Base, prompts and config of a loop into `home / "loop"`; returns the config."""
    base = write_tiny_llama(home / "base", width=16, layers=1, context=96)
    for name, first, count in (
        ("prompts", 0, PROMPTS * ROUNDS),
        ("validation", 50, VALIDATION),
    ):
        rows = (json.dumps({"prompt": f"Name {n}."}) + "\n" for n in range(first, first + count))
        (home / f"{name}.jsonl").write_text("".join(rows))
    config = {
        "recipe": "self-rewarding",
        "base": str(base),
        "backend": "lab",
        "rounds": ROUNDS,
        "prompts": {"file": str(home / "prompts.jsonl"), "per_round": PROMPTS},
        "probe": {"prompts": str(home / "validation.jsonl")},
        "options": {
            "layout": "task",
            "max_tokens": 6,
            "cut_off": "as_any",
            "answers": [{"count": ANSWERS, "temperature": 1.0, "top_p": 1.0}],
            "scorer_options": {"samples": SAMPLES},
            "self_judging": False,
        },
        "models": {"judge": server.model_uri(MODEL)},
        "train": {
            "preset": "lab",
            "threads": 1,
            "max_steps": STEPS,
            "checkpoint_every_s": 0,
            "suites": [],
        },
        "limits": {"concurrency": 4, "resend": 0},
        "out": str(home / "loop"),
    }
    return write_config(home / "loop.yaml", config)


def stages(out: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Every stage of a loop, in order, with what says whether it is done."""
    places = PreferencePlaces(out)
    yield "probe start", (places.start.probe / "probe.json").exists
    for number in range(ROUNDS):
        one = places.round(number)
        yield f"answers {number}", (one.run / "manifest.json").exists
        yield f"pairs {number}", lambda one=one: one.pairs.exists() and one.gates.exists()  # type: ignore[misc]
        yield f"train {number}", (one.model / "training.json").exists
        yield f"probe {number}", (one.probe / "probe.json").exists
        yield f"end {number}", one.ending.exists
    yield "exit", lambda: False


def place(out: Path) -> str:
    """The first stage that is not done."""
    return next(name for name, is_done in stages(out) if not is_done())


def committed(out: Path) -> Counter[str]:
    """Calls with an outcome in any journal: `policy:NAME` and `judge:BODY`."""
    found: Counter[str] = Counter()
    for path in out.rglob(JOURNAL_NAME):
        journal = Journal(path, read_only=True)
        try:
            for _, key, _, model, request, *_ in journal.rows("outcomes", "WHERE kind='call'"):
                assert isinstance(key, bytes)
                is_judge = MODEL in str(model)
                found[
                    f"judge:{body_hash(str(request), MODEL)}"
                    if is_judge
                    else f"policy:{name_of(key)}"
                ] += 1
        finally:
            journal.close()
    return found


def sent(record: Path, server: ServerProcess) -> Counter[str]:
    """Calls that were ever sent, of the same names; of no process that still runs."""
    lines = record.read_text().splitlines() if record.exists() else []
    told = Counter(f"policy:{line}" for line in lines)
    return told + Counter({f"judge:{body}": n for body, n in arrivals(server).items()})


def results(out: Path) -> dict[str, Any]:
    """Every file that says what came of a loop, without times; weights by hash."""
    names = (
        *("pairs.jsonl", "gates.json", "round.json", "probe.json", *DATA_FILES),
        *("pairs.jsonl.provenance.jsonl", "0.jsonl", "1.jsonl", "validation.jsonl"),
    )
    found: dict[str, Any] = {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*.json*"))
        if path.name in names
    }
    for path in sorted(out.glob("rounds/*/model/training.json")):
        record = json.loads(path.read_bytes())
        assert record["model"]["model_hash"] == model_hash(path.parent)
        told = ("model", "data", "identity", "reference", "pairs")
        found[str(path.relative_to(out))] = [record[name] for name in told]
    return found
