"""The lab's oracle as a judge: it knows every right answer of the micro-world.

The item's prompt is the instruction; the task's input, where it has one, stands in the row as
`input`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from selfsown.core.request import JSON
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.lab.oracle import check


@dataclass(frozen=True, slots=True)
class Oracle:
    """1.0 for a right answer, 0.0 for a wrong one; missing where the task is none of the world."""

    name: ClassVar[str] = "oracle"
    source: ClassVar[Source] = "oracle"
    scale: ClassVar[Scale] = UNIT
    roles: ClassVar[tuple[str, ...]] = ()

    @property
    def options(self) -> Mapping[str, JSON]:
        """It has none."""
        return {}

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Judge one item; nothing is asked."""
        grade = check(item.prompt, str(item.metadata.get("input") or ""), item.answer)
        value = float(grade.is_correct) if grade.is_input_valid else None
        return Judgement(value=value, source=self.source, reason=grade.reason)
