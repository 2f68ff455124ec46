"""Programs before models: an answer that breaks a verifiable constraint is not shown to a judge.

A model judge is asked only where the row's checks leave something open: for one answer, if all of
them hold or cannot tell; for a pair, unless exactly one of the two answers meets them all. That
costs no call where a program knows, and no fluent answer talks its way past a constraint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from pydantic import JsonValue

from selfsown.core.request import JSON
from selfsown.judge.base import Asker, Item, Judge, Judgement, Scale, Source
from selfsown.judge.effort import calls_of, samples_of, tokens_of
from selfsown.judge.prompting import require
from selfsown.judge.registry import judge_named
from selfsown.judge.verdicts import compares
from selfsown.judge.verifiable import Verifiable


@dataclass(frozen=True, slots=True)
class VerifiedFirst:
    """The end of the other judge's scale where checks decide, else what that judge says."""

    name: ClassVar[str] = "verified_first"
    source: ClassVar[Source] = "judge"

    then: dict[str, dict[str, JsonValue]] = field(default_factory=lambda: {"rubric": {}})
    """The judge for what is left open: its name and its options."""
    strictness: Literal["strict", "loose"] = "loose"
    """Of the checks, as judge `verifiable` has it; loose: an opening line alone costs no point."""

    def __post_init__(self) -> None:
        """Refuse any number of judges but one, and options that it does not take."""
        count = len(self.then)
        require(count == 1, f"`then` names {count} judges", "one judge decides what is left open")
        self._then()

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options, those of the other judge included."""
        judge = self._then()
        return {"then": {judge.name: judge.options}, "strictness": self.strictness}

    @property
    def scale(self) -> Scale:
        """That of the other judge."""
        return self._then().scale

    @property
    def roles(self) -> tuple[str, ...]:
        """The models that the other judge asks."""
        return self._then().roles

    @property
    def compares(self) -> bool:
        """Whether the other judge takes both answers of a pair."""
        return compares(self._then())

    @property
    def samples(self) -> int:
        """Judgements of one answer, where no check decides."""
        return samples_of(self._then())

    @property
    def most_calls(self) -> int:
        """Calls for one item."""
        return calls_of(self._then())

    @property
    def max_tokens(self) -> int:
        """Of the other judge's calls."""
        return tokens_of(self._then())

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Verify; ask only where that decides nothing. What the checks said is in the parts."""
        checks = Verifiable(strictness=self.strictness, value="all")
        answer = await checks.judge(run, item)
        if item.rival is None:
            return self._decided(0.0, answer) if answer.value == 0.0 else await self._ask(run, item)
        rival = await checks.judge(run, replace(item, answer=item.rival))
        if {answer.value, rival.value} == {0.0, 1.0}:
            return self._decided(answer.value, answer, rival)
        return await self._ask(run, item)

    async def _ask(self, run: Asker, item: Item) -> Judgement:
        return await self._then().judge(run, item)

    def _decided(self, met: float | None, *parts: Judgement) -> Judgement:
        scale = self.scale
        missed = next(part for part in parts if part.value == 0.0)
        whose = "the answer" if met == 0.0 else "the rival"
        return Judgement(
            value=scale.high if met else scale.low,
            source="verifier",
            scale=scale,
            reason=f"{whose}: {missed.reason}",
            parts=parts,
        )

    def _then(self) -> Judge:
        ((name, options),) = self.then.items()
        return judge_named(name, options)
