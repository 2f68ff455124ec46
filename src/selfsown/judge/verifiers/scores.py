"""How many checks the answers meet: by prompt and by check, strict and loose. Four numbers.

Undecided checks are neither met nor missed: they are left out of the rates by check, and a prompt
of which all decided checks are met and one is undecided is left out of the rates by prompt. How
many were left out stands beside the rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selfsown.judge.verifiers.check import Check

Verdicts = tuple[bool | None, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """Met, of how many that were decided."""

    met: int
    decided: int
    undecided: int

    @property
    def rate(self) -> float | None:
        """Share met of those decided, in [0, 1]; None if none was."""
        return self.met / self.decided if self.decided else None


@dataclass(frozen=True, slots=True)
class FourNumbers:
    """The accuracies that IFEval (arXiv:2311.07911) reports."""

    prompt_strict: Tally
    instruction_strict: Tally
    prompt_loose: Tally
    instruction_loose: Tally


def strict(checks: Sequence[Check], answer: str) -> Verdicts:
    """The strict verdict of each check."""
    return tuple(check.holds(answer) for check in checks)


def loose(checks: Sequence[Check], answer: str) -> Verdicts:
    """The loose verdict of each check; each may pass on another variant."""
    return tuple(check.holds_loosely(answer) for check in checks)


def all_met(verdicts: Verdicts) -> bool | None:
    """Whether every check holds; None where that hangs on an undecided one."""
    if any(verdict is False for verdict in verdicts):
        return False
    return None if None in verdicts else True


def four_numbers(answers: Iterable[tuple[Sequence[Check], str]]) -> FourNumbers:
    """The four accuracies over answers with the checks of their prompts, at least one each."""
    by_strict: list[Verdicts] = []
    by_loose: list[Verdicts] = []
    for checks, answer in answers:
        by_strict.append(strict(checks, answer))
        by_loose.append(loose(checks, answer))
    return FourNumbers(
        _tally([all_met(verdicts) for verdicts in by_strict]),
        _tally([verdict for verdicts in by_strict for verdict in verdicts]),
        _tally([all_met(verdicts) for verdicts in by_loose]),
        _tally([verdict for verdicts in by_loose for verdict in verdicts]),
    )


def _tally(verdicts: Sequence[bool | None]) -> Tally:
    undecided = sum(verdict is None for verdict in verdicts)
    return Tally(sum(map(bool, verdicts)), len(verdicts) - undecided, undecided)
