"""How many calls an endpoint takes at the same time, found from its refusals.

The limit moves at most once per round trip: after a move only calls that were sent after it are
counted. It falls only when refusals come with load (clearly more than a few per cent of the
replies, or the endpoint says that nearly nothing is left), so a sprinkle of refusals at random does
not throttle a run. It falls to just below the depth at which calls were refused, or by the refused
share, never to less than half in one move; it recovers in proportion to itself, and waits longer
and longer before it tries again a depth that was refused.
"""

from __future__ import annotations

import math
from typing import Final

_TOLERATED: Final = 0.05
"""Share of refused calls that needs no answer."""
_SIGMAS: Final = 3.0
_FEWEST: Final = 4
"""Fewer refusals than these prove nothing."""
_WINDOW: Final = 50
_STEP: Final = 10
"""The limit recovers by a tenth per round trip."""
_PATIENCE: Final = 2
_MOST_PATIENCE: Final = 32


class AdaptiveLimit:
    """The limit of one endpoint.

    The depth of a call is the number of calls in flight when it was sent, itself included.
    """

    __slots__ = (
        "_barrier", "_ceiling", "_clean", "_depths", "_full", "_loaded", "_mark", "_patience",
        "_seen", "_since_pass", "limit", "serial",
    )  # fmt: skip

    def __init__(self, start: int, ceiling: int) -> None:
        """Start at `start` (>= 1) and never go above `ceiling`."""
        self.limit = start
        """Calls that may be in flight now, >= 1."""
        self.serial = 0
        """Number of calls sent so far."""
        self._ceiling = max(start, ceiling)
        self._mark = 0  # calls with a smaller serial were sent before the last move
        self._seen = 0
        self._depths: list[int] = []  # of refused calls
        self._loaded = 0
        self._full = False
        self._barrier: int | None = None  # a depth that was refused
        self._patience = _PATIENCE
        self._clean = 0
        self._since_pass = _MOST_PATIENCE

    def replied(self, serial: int, depth: int) -> None:
        """Count a reply that was no refusal."""
        if serial < self._mark:
            return
        self._seen += 1
        if depth >= self.limit:
            self._full = True
        if self._seen >= self.limit and self._seen >= _WINDOW:
            self._end_of_round_trip()

    def refused(self, serial: int, depth: int, *, nothing_left: bool) -> None:
        """Count a refusal; `nothing_left` if the endpoint said that it is close to its limit."""
        if serial < self._mark:
            return
        self._seen += 1
        self._full = True
        self._depths.append(depth)
        self._loaded += nothing_left
        count = len(self._depths)
        if count >= _FEWEST and (self._loaded >= _FEWEST or count > self._tolerated()):
            self._lower()

    def _tolerated(self) -> float:
        expected = _TOLERATED * self._seen
        return expected + _SIGMAS * math.sqrt(expected)

    def _lower(self) -> None:
        depths = sorted(self._depths)
        shallow = depths[
            len(depths) // 5
        ]  # not the very least: a few refusals may have other causes
        answered = self.limit * (self._seen - len(depths)) // self._seen
        goal = max(shallow - 1, answered, self.limit // 2, 1)
        lowered = max(1, min(goal, self.limit - 1))
        self._barrier = max(lowered + 1, min(shallow, self.limit))
        soon = self._since_pass <= 2
        self._patience = min(_MOST_PATIENCE, self._patience * 2) if soon else _PATIENCE
        self._clean = 0
        self._since_pass = _MOST_PATIENCE
        self._move(lowered)

    def _end_of_round_trip(self) -> None:
        self._since_pass += 1
        goal = min(self._ceiling, self.limit + max(1, self.limit // _STEP))
        if not self._full or goal == self.limit:
            goal = self.limit
        elif self._barrier is not None and goal >= self._barrier:
            if self.limit < self._barrier - 1:
                goal = self._barrier - 1
            elif self._clean < self._patience:
                self._clean += 1
                goal = self.limit
            else:
                self._barrier = None
                self._clean = 0
                self._since_pass = 0
        self._move(goal)

    def _move(self, limit: int) -> None:
        if limit != self.limit:
            self._mark = self.serial
        self.limit = limit
        self._seen = self._loaded = 0
        self._depths.clear()
        self._full = False
