"""What a judge has to reach before its verdicts may decide anything; and the refusal in words.

The bounds are on what users lose by a bad judge: labels no better than chance, labels that are an
artefact of order, or none at all. A judge that never says anything, and one that always says the
same, are refused as such, whatever the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selfsown.core.errors import CheckFailed
from selfsown.judge.calibration import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Bounds; rates are in [0, 1]."""

    accuracy: float = 0.6
    """Least lower bound of the accuracy on pairs that people decided."""
    consistency: float = 0.6
    """Least share of pairs with the same verdict in both orders."""
    parse_rate: float = 0.8
    """Least share of rows whose answers can be read."""
    pairs: int = 100
    """Fewest decided pairs: with fewer, the accuracy's interval is no evidence."""


def refusals(found: Calibration, gate: Gate) -> list[str]:
    """Every bound that the judge misses, as a sentence; none if it passes."""
    return list(_refusals(found, gate))


def check(found: Calibration, gate: Gate) -> None:
    """Let a judge pass.

    Raises:
        CheckFailed: it misses a bound, never says anything that can be read, or always says the
            same.
    """
    if found.rows and found.missing == found.rows:
        raise CheckFailed(
            f"none of the judge's {found.rows} judgements can be read",
            why="an answer without a score or verdict is missing, and nothing can rest on it",
            fix="look at the raw answers: raise `max_tokens` if they are cut off, give the prompt a"
            " `template` that this model follows, or take another model",
        )
    if found.constant:
        raise CheckFailed(
            f"the judge always says the same: {found.constant}, {found.rows - found.missing} times",
            why="such judgements tell no answer from another",
            fix="try the other kind of judge (`pairwise` or `rubric`), a `template` of your own, or"
            " another model",
        )
    missed = refusals(found, gate)
    if missed:
        raise CheckFailed(
            f"the judge is refused: {'; '.join(missed)}",
            why="what it would label is as much noise or habit as judgement",
            fix="take another judge or prompt, or label more rows if too few are the reason",
        )


def _refusals(found: Calibration, gate: Gate) -> Iterator[str]:
    if found.pairs < gate.pairs:
        yield f"{found.pairs} decided pairs, at least {gate.pairs} are needed"
    if found.parse_rate < gate.parse_rate:
        yield f"parse rate {found.parse_rate:.1%}, below {gate.parse_rate:.0%}"
    low, same = found.accuracy.low, found.position.consistency.value
    if low is not None and low < gate.accuracy:
        yield f"lower bound of the accuracy {low:.1%}, below {gate.accuracy:.0%}"
    if same is not None and same < gate.consistency:
        yield f"swap consistency {same:.1%}, below {gate.consistency:.0%}"
    moved = found.injection.low
    if moved is not None and moved > 0:
        yield f"words put into answers move it by {found.injection.value:.1%} of the canaries"
