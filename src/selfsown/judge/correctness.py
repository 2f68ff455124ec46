"""The metric *correctness*: does the answer solve the task? From 1 to 5; right at 4 or more.

Preferred evidence is a reference: an answer that equals it is right without a model being asked.
One that does not may still be right in other words, so a model sees both, unless the task is
`closed`: then the reference is the only right answer, and no model is asked at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from selfsown.core.request import JSON
from selfsown.judge.base import Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import ROLE, Asking, at_least_one
from selfsown.judge.reference import Comparison, Part, Reference
from selfsown.judge.rubric import mean_of_samples

GRADES: Final = Scale(1.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correctness:
    """A reference where it decides, else a model."""

    name: ClassVar[str] = "correctness"
    source: ClassVar[Source] = "judge"
    scale: ClassVar[Scale] = GRADES

    closed: bool = False
    """The reference is the only right answer."""
    compare: Comparison = "normalized"
    """How an answer equals the reference, as judge `reference` has it; by `rouge_l` only if it is
    the same to the last word."""
    part: Part = "whole"
    samples: int = 1
    temperature: float | None = 0.0
    max_tokens: int = 512
    template: str | None = None
    """A template of the user's own: `{{ prompt }}`, `{{ answer }}`, perhaps `{{ reference }}`."""
    role: str = ROLE

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        at_least_one("samples", self.samples)
        self._asking()

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    @property
    def roles(self) -> tuple[str, ...]:
        """The one model that it asks; none for closed tasks."""
        return () if self.closed else (self.role,)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Compare with the reference; ask where that does not decide."""
        known = await Reference(compare=self.compare, part=self.part).judge(run, item)
        if known.value == 1.0:
            return _decided(GRADES.high, known)
        if self.closed:
            return _decided(None if known.is_missing else GRADES.low, known)
        return await mean_of_samples(run, self._asking(), item, self.samples, GRADES)

    def _asking(self) -> Asking:
        return Asking(
            prompt="correctness",
            template=self.template,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            role=self.role,
        )


def _decided(value: float | None, known: Judgement) -> Judgement:
    return Judgement(value=value, source="verifier", scale=GRADES, reason=known.reason)
