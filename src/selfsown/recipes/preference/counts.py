"""The numbers that tell early whether scores are worth anything: what was read, and how many ties.

Whole numbers alone are added up, so that they do not depend on the order in which prompts finish.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from selfsown.core.request import JSON
from selfsown.preference.records import TOLERANCE, Scored


class Counts:
    """Counts over the scored answers of a run, prompt by prompt."""

    def __init__(self) -> None:
        """Begin at 0."""
        self._judgements = self._parsed = self._comparable = self._ties = 0
        self._histogram: Counter[float] = Counter()

    def add(self, scored: Sequence[Scored]) -> None:
        """Count the answers to one prompt."""
        rewards = [one.reward for one in scored if one.reward is not None]
        if len(rewards) >= 2:
            self._comparable += 1
            self._ties += max(rewards) - min(rewards) <= TOLERANCE
        for one in scored:
            self._judgements += len(one.values)
            self._parsed += len(one.valid)
            self._histogram.update(round(value, 1) for value in one.valid)

    def form(self) -> dict[str, JSON]:
        """As `selfsown.preference.pairing.Tally.form` names them."""
        return {
            "judgements": self._judgements,
            "parsed": self._parsed,
            "parse_rate": _rate(self._parsed, self._judgements),
            "comparable": self._comparable,
            "ties": self._ties,
            "tie_rate": _rate(self._ties, self._comparable),
            "histogram": {
                f"{value + 0.0:.15g}": count for value, count in sorted(self._histogram.items())
            },
        }


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None
