"""When a run no longer finds anything new: the yield over the last answers falls below a bound.

Published re-runs of Self-Instruct fell from 3.3 to 0.35 accepted instructions per request within
4,000 instructions; without a bound such a run goes on paying for ever.
"""

from __future__ import annotations

from collections import deque


class YieldWatch:
    """Accepted units per answer, over a sliding window and as a curve over the whole run."""

    def __init__(self, window: int, least: float) -> None:
        """Watch the last `window` (>= 1) answers; fewer than `least` units each is too few."""
        self._window = window
        self._least = least
        self._recent: deque[int] = deque(maxlen=window)
        self._sum = 0
        self._all: list[int] = []

    def add(self, accepted: int) -> None:
        """One more answer yielded so many units."""
        if len(self._recent) == self._window:
            self._sum -= self._recent[0]
        self._recent.append(accepted)
        self._sum += accepted
        self._all.append(accepted)

    @property
    def count(self) -> int:
        """Answers so far."""
        return len(self._all)

    @property
    def mean(self) -> float:
        """Units per answer over the window so far; 0.0 before the first answer."""
        return self._sum / len(self._recent) if self._recent else 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether a full window yielded less than the bound."""
        return len(self._recent) == self._window and self.mean < self._least

    def curve(self, most: int = 100) -> list[int]:
        """Units per bin of equally many consecutive answers, at most `most` bins, in order."""
        size = max(1, -(-len(self._all) // most))
        return [sum(self._all[k : k + size]) for k in range(0, len(self._all), size)]


def most_answers(units: int, window: int, least: float, in_flight: int) -> int | None:
    """Most answers before `units` are accepted or a `YieldWatch` is exhausted; None if unbounded.

    Every full window but the last holds at least `least * window` units (and at least one), so
    there are at most `units / that` of them; `in_flight` answers may still come after that.
    """
    if least <= 0:
        return None
    per_window = max(1.0, least * window)
    return window * (int(units / per_window) + 1) + in_flight
