"""The metric *instruction following* (obedience): the share of explicit demands that are met.

Preferred evidence are the row's verifiable checks, which a program decides; a model is asked for
the demands that have no check. Whether the answer is right is another metric's question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import ROLE, Asking
from selfsown.judge.verifiable import Verifiable, checks_of

_LINE: Final = re.compile(
    r"^[ \t]*(?:[-*\u2022]|\d+[.)])?[ \t]*\[[ \t]*(yes|no)[ \t]*\][ \t]*(\S.*)$",
    re.MULTILINE | re.IGNORECASE,
)
_NONE: Final = re.compile(r"\W*none\W*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionFollowing:
    """Programs for demands that have a check, a model for the others."""

    name: ClassVar[str] = "instruction_following"
    source: ClassVar[Source] = "judge"
    scale: ClassVar[Scale] = UNIT

    only_checks: bool = False
    """Ask no model: demands without a check do not count."""
    strictness: Literal["strict", "loose"] = "strict"
    """Of the checks, as judge `verifiable` has it."""
    temperature: float | None = 0.0
    max_tokens: int = 512
    role: str = ROLE

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        self._asking()

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    @property
    def roles(self) -> tuple[str, ...]:
        """The model that it asks, if it asks one."""
        return () if self.only_checks else (self.role,)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Check what can be checked, ask for the rest; each demand is a part of the judgement."""
        checked = await Verifiable(strictness=self.strictness).judge(run, item)
        if self.only_checks:
            return checked
        sentences = "\n".join(f"- {check.sentence}" for check in checks_of(item))
        values = {"prompt": item.prompt, "answer": item.answer, "checked": sentences or None}
        answer = await self._asking().ask(run, values)
        if isinstance(answer, CallFailed):
            return _missing(f"call_failed: {answer.kind}", checked.parts)
        demands = parse_demands(answer)
        if demands is None:
            return _missing("unparsed: no list of demands", checked.parts, answer.text)
        return _share([*checked.parts, *demands], answer.text)

    def _asking(self) -> Asking:
        return Asking(
            prompt="demands",
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            role=self.role,
        )


def parse_demands(answer: Completion) -> list[Judgement] | None:
    """Each demand of a list as a judgement; None if it is no whole list, empty for `none`."""
    if answer.finish_reason == "length":
        return None
    found = [
        Judgement(value=float(word.lower() == "yes"), source="judge", reason=demand.strip())
        for word, demand in _LINE.findall(answer.text)
    ]
    return found or ([] if _NONE.fullmatch(answer.text.strip()) else None)


def _share(parts: Sequence[Judgement], raw: str) -> Judgement:
    values = [part.value for part in parts if part.value is not None]
    if not values:
        return _missing("no_demands: the instruction demands nothing explicit", tuple(parts), raw)
    programs = all(part.source == "verifier" for part in parts)
    return Judgement(
        value=sum(values) / len(values),
        source="verifier" if programs else "judge",
        reason=f"{sum(values):g} of {len(values)} demands met",
        raw=raw,
        parts=tuple(parts),
    )


def _missing(reason: str, parts: tuple[Judgement, ...], raw: str = "") -> Judgement:
    return Judgement(value=None, source="judge", reason=reason, parts=parts, raw=raw)
