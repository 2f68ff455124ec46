"""The lab's 100 human seed tasks, made from the world by a fixed draw, shipped as a file.

The shipped `seeds.jsonl` has exactly the fields of a seed file; a test makes it again and compares.
The default experiment starts from the first 25, which cover every group of tasks.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from selfsown.core.randomness import rng_for
from selfsown.lab.world import (
    FAMILIES,
    Item,
    held_out_families,
    sample_instruction,
    sample_item,
)

SEED_COUNT = 100
DEFAULT_SEED_COUNT = 25
_DRAW = 20261120
"""Fixes the draw; any change is a new set of seeds."""
_GROUPS = (
    *("relation", "list", "sentence", "property", "two_step", "map", "conditional", "closed"),
    *("relation", "pair", "sentence", "list", "conditional", "relation", "two_step", "build"),
    *("property", "sentence", "list", "relation", "map", "closed", "open", "relation", "list"),
)
"""Groups of 25 consecutive seeds; the pattern repeats four times."""


def seeds_path() -> Path:
    """The shipped seed file."""
    return Path(str(files("selfsown.lab").joinpath("seeds.jsonl")))


def make_seeds() -> list[Item]:
    """The 100 seeds, each of a family that no earlier seed has, nothing held out among them."""
    used: set[str] = set()
    items = []
    for number in range(SEED_COUNT):
        rng = rng_for(_DRAW, "lab-seeds", number)
        group = _GROUPS[number % len(_GROUPS)]
        fresh = [f.name for f in FAMILIES.values() if f.group == group and f.name not in used]
        every = [f.name for f in FAMILIES.values() if f.group == group]
        item = sample_item(rng, sample_instruction(rng, "seen", _not_held_out(fresh or every)))
        used.add(item.instruction.program.family)
        items.append(item)
    return items


def seeds_jsonl() -> str:
    """The seeds in seed-file form, one JSON object per line."""
    return "".join(
        json.dumps(_record(number, item), ensure_ascii=False) + "\n"
        for number, item in enumerate(make_seeds())
    )


def _record(number: int, item: Item) -> dict[str, object]:
    program = item.instruction.program
    return {
        "id": f"lab_seed_{number}",
        "name": program.family,
        "instruction": item.instruction.text,
        "instances": [{"input": item.input, "output": item.answer}],
        "is_classification": program.spec.is_classification,
    }


def _not_held_out(names: list[str]) -> list[str]:
    return [name for name in names if name not in held_out_families()]
