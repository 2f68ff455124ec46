"""What a filter says about one candidate: keep it, or drop it with a named reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one filter for one candidate; nothing is ever dropped without a reason."""

    ok: bool
    """True when the candidate stays."""
    reason: str | None = None
    """Why it is dropped, as a stable lower-case word that reports count by; None when it stays."""
    score: float | None = None
    """The number that decided, in the unit of the filter; None where there is none."""


def keep(score: float | None = None) -> Verdict:
    """The candidate stays."""
    return Verdict(True, None, score)


def drop(reason: str, score: float | None = None) -> Verdict:
    """The candidate goes, for `reason`."""
    return Verdict(False, reason, score)
