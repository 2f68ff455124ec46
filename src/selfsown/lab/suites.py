"""The frozen evaluation suite v1: 300 items and 64 demonstrations, its hash pinned.

140 items are distributed like the corpus; 70 have a held-out (family, modifier) pair, 50 a held-
out (phrasing, verb) pair, 40 a held-out family. Demonstrations for few-shot prompts come from the
corpus' distribution. `make_suite` made the file; scores of different days compare only while the
file stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from selfsown.core.randomness import rng_for
from selfsown.lab.world import sample_instruction, sample_item
from selfsown.lab.world.sampling import Part

SUITE_VERSION = "v1"
SUITE_SHA256 = "40e9fafa452858dc7436c65a036c70f30be458bcf8d995802b05d86be6333bd8"
"""sha256 of the shipped file."""

SuitePart = Literal["seen", "modifier", "verb", "family", "demonstration"]
PromptFormat = Literal["task", "plain"]
PART_SIZES: dict[SuitePart, int] = {
    "seen": 140,
    "modifier": 70,
    "verb": 50,
    "family": 40,
    "demonstration": 64,
}
_DRAW = 20261121


@dataclass(frozen=True, slots=True)
class SuiteItem:
    """One item to answer, or one demonstration."""

    id: str
    part: SuitePart
    instruction: str
    input: str
    reference: str
    """The right answer, or one of them for open tasks."""


def suite_path() -> Path:
    """The shipped file."""
    return Path(str(files("selfsown.lab").joinpath(f"suite_{SUITE_VERSION}.jsonl")))


def make_suite() -> list[SuiteItem]:
    """The items by a fixed draw; no instruction occurs twice."""
    items: list[SuiteItem] = []
    used: set[str] = set()
    for part, size in PART_SIZES.items():
        world_part: Part = "seen" if part == "demonstration" else part
        draw = 0
        while sum(item.part == part for item in items) < size:
            rng = rng_for(_DRAW, f"lab-suite-{part}", draw)
            draw += 1
            instruction = sample_instruction(rng, world_part)
            if instruction.text in used:
                continue
            used.add(instruction.text)
            item = sample_item(rng, instruction)
            items.append(
                SuiteItem(f"{part}-{draw}", part, instruction.text, item.input, item.answer)
            )
    return items


def suite_jsonl(items: Iterable[SuiteItem]) -> str:
    """Items as JSON lines, as shipped."""
    return "".join(json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items)


def load_suite() -> list[SuiteItem]:
    """The shipped items, demonstrations last."""
    lines = suite_path().read_text(encoding="utf-8").splitlines()
    return [SuiteItem(**json.loads(line)) for line in lines]


def suite_sha256() -> str:
    """Hash of the shipped file as it lies on disk."""
    return hashlib.sha256(suite_path().read_bytes()).hexdigest()


def demonstrations_for(item: SuiteItem, pool: list[SuiteItem], count: int) -> list[SuiteItem]:
    """`count` demonstrations for an item; the first of them stay the same when the count grows."""
    rng = rng_for(_DRAW, f"lab-demonstrations-{item.id}")
    return rng.sample(pool, len(pool))[:count]


def prompt_for(
    item: SuiteItem, layout: PromptFormat, demonstrations: Iterable[SuiteItem] = ()
) -> str:
    """The prompt of an item, with demonstrations in the same layout before it.

    `task` is `Task: I / Input: X / Output:` (no input line where there is none), `plain` the bare
    instruction and input with a blank line behind.
    """
    shown = "".join(
        f"{_layout(one, layout)}{' ' if layout == 'task' else ''}{one.reference}\n\n"
        for one in demonstrations
    )
    return shown + _layout(item, layout)


def _layout(item: SuiteItem, layout: PromptFormat) -> str:
    if layout == "plain":
        return f"{item.instruction}\n{item.input}\n\n" if item.input else f"{item.instruction}\n\n"
    field = f"Input: {item.input}\n" if item.input else ""
    return f"Task: {item.instruction}\n{field}Output:"
