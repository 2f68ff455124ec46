"""A loop that takes half a minute, and everything that says what came of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.system.witness import name_of

from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import DATA_FILES
from selfsown.loop.places import LoopPlaces
from selfsown.models.fingerprint import model_hash

STEPS = 6
"""Of each training; a checkpoint after each but the last."""


def small_loop(*, rounds: int) -> dict[str, Any]:
    """The config, but for `out`."""
    train = {"preset": "lab", "threads": 1, "max_steps": STEPS, "checkpoint_every_s": 0}
    return {
        "seeds": "lab:25",
        "suites": ["lab-plain"],
        "suite_limit": 12,
        "rounds": rounds,
        "target": 8,
        "train": {**train, "human_share": 0.3},
        "guard": {"reference": "lab", "m": 50, "audit": 8},
    }


def journals(out: Path) -> dict[str, Counter[str]]:
    """Journal -> names of the calls that it holds an outcome for."""
    found = {}
    for path in sorted(out.rglob(JOURNAL_NAME)):
        journal = Journal(path, read_only=True)
        try:
            keys = [row[1] for row in journal.rows("outcomes", "WHERE kind='call'")]
        finally:
            journal.close()
        names = [name_of(key) for key in keys if isinstance(key, bytes)]
        found[str(path.parent.relative_to(out))] = Counter(names)
    return found


def results(out: Path) -> dict[str, Any]:
    """Every file that says what came of a loop, without times and costs; weights by hash."""
    places = LoopPlaces(out)
    found: dict[str, Any] = {"loop.json": json.loads(places.numbers.read_bytes())}
    for loop in found["loop.json"]["loops"]:
        for one in loop["rounds"]:
            assert one.pop("cost")["calls"] > 0
    names = ("round.json", "guard.json", "results.json", "data.jsonl", "lists.jsonl", *DATA_FILES)
    for path in sorted(out.rglob("*.json*")):
        if path.name in names or path.parent.name == "predictions":
            found[str(path.relative_to(out))] = path.read_bytes()
    for path in sorted(out.glob("rounds/*/model/training.json")):
        record = json.loads(path.read_bytes())
        assert record["model"]["model_hash"] == model_hash(path.parent)
        losses = record["result"]["losses"]
        told = (record["model"], record["data"], record["identity"], losses)
        found[str(path.relative_to(out))] = told
    return found
