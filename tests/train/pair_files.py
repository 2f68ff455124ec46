"""Files of preference pairs about the lab's tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from selfsown.lab.seed_tasks import make_seeds


def write_pairs(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write rows as JSON lines and return the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lab_pairs(count: int) -> list[dict[str, object]]:
    """The lab's seeds: chosen is the right answer, rejected that of another seed, spoiled."""
    seeds = make_seeds()
    return [
        {
            "prompt": item.instruction.text,
            "input": item.input,
            "chosen": item.answer,
            "rejected": f"{seeds[(number + 7) % len(seeds)].answer} nothing",
        }
        for number, item in enumerate(seeds[:count])
    ]
