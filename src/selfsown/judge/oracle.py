"""The lab's oracle as a judge: it knows every right answer of the micro-world.

The instruction stands in the item's row as `instruction`, or is the prompt itself; the task's
input, where it has one, in the row as `input`. With `noise` it errs like a judge that is right in
1 - `noise` of the cases: it then says the opposite, and says so of equal items every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import require
from selfsown.lab.oracle import check


@dataclass(frozen=True, slots=True)
class Oracle:
    """1.0 for a right answer, 0.0 for a wrong one; missing where the task is none of the world."""

    name: ClassVar[str] = "oracle"
    source: ClassVar[Source] = "oracle"
    scale: ClassVar[Scale] = UNIT
    roles: ClassVar[tuple[str, ...]] = ()

    noise: float = 0.0
    """Share of the items, from 0 to 1, of which it says the opposite of the truth."""
    seed: int = 0
    """Decides which items those are."""

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        require(0 <= self.noise <= 1, f"`noise` is {self.noise}", "it is a share from 0 to 1")

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Judge one item; nothing is asked."""
        instruction = str(item.metadata.get("instruction") or item.prompt)
        text = str(item.metadata.get("input") or "")
        grade = check(instruction, text, item.answer)
        if not grade.is_input_valid:
            return Judgement(value=None, source=self.source, reason=grade.reason)
        errs = rng_for(self.seed, f"{instruction}\0{text}\0{item.answer}").random() < self.noise
        reason = f"{grade.reason}, and it says the opposite" if errs else grade.reason
        return Judgement(value=float(grade.is_correct ^ errs), source=self.source, reason=reason)
