"""The judge that runs before any other: do the answer's verifiable constraints hold?

The checks stand in the item's row under `checks`, or in the judge's options for all items. Source:
IFEval (arXiv:2311.07911); `selfsown.judge.verifiers` says what each check does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from selfsown.core.request import JSON
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.verifiers.check import Check
from selfsown.judge.verifiers.kinds import checks_from, row_of
from selfsown.judge.verifiers.scores import Verdicts, all_met, loose, strict

CHECKS: Final = "checks"
"""Where an item's metadata has its checks."""


@dataclass(frozen=True, slots=True)
class Verifiable:
    """The share of checks that hold, or whether all do."""

    name: ClassVar[str] = "verifiable"
    source: ClassVar[Source] = "verifier"
    scale: ClassVar[Scale] = UNIT
    roles: ClassVar[tuple[str, ...]] = ()

    checks: tuple[dict[str, str | int | list[str]], ...] = ()
    """Rows of checks for every item; those of the item come after them."""
    strictness: Literal["strict", "loose"] = "strict"
    """Loose forgives asterisks, a first and a last line."""
    value: Literal["share", "all"] = "share"
    """The share of checks that hold, or 1.0 if all do, else 0.0."""

    def __post_init__(self) -> None:
        """Refuse checks that cannot be made."""
        checks_from(self.checks)

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        rows = [row_of(check) for check in checks_from(self.checks)]
        return {"checks": rows, "strictness": self.strictness, "value": self.value}

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Judge one item; nothing is asked. Each check is a part of the judgement."""
        checks = (*checks_from(self.checks), *checks_of(item))
        if not checks:
            return Judgement(value=None, source=self.source, reason="no_checks: nothing to verify")
        verdicts = (strict if self.strictness == "strict" else loose)(checks, item.answer)
        parts = tuple(map(_part, checks, verdicts))
        value = _share(verdicts) if self.value == "share" else _whole(verdicts)
        missed = [check.kind for check, holds in zip(checks, verdicts, strict=True) if not holds]
        told = ", ".join(missed) or "none"
        reason = f"undecided: {told}" if value is None else f"not met: {told}"
        return Judgement(value=value, source=self.source, reason=reason, parts=parts)


def checks_of(item: Item) -> tuple[Check, ...]:
    """The checks of an item's row, none if it has none.

    Raises:
        ConfigError: what stands there is no list of checks.
    """
    return checks_from(item.metadata.get(CHECKS) or [])


def _part(check: Check, holds: bool | None) -> Judgement:
    if holds is None:
        return Judgement(value=None, source="verifier", reason=f"undecided: {check.kind}")
    return Judgement(
        value=float(holds), source="verifier", reason=f"{check.kind}: {check.sentence}"
    )


def _share(verdicts: Verdicts) -> float | None:
    """Share met of the decided; None if none is."""
    decided = [verdict for verdict in verdicts if verdict is not None]
    return sum(decided) / len(decided) if decided else None


def _whole(verdicts: Verdicts) -> float | None:
    met = all_met(verdicts)
    return None if met is None else float(met)
