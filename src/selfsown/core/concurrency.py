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
_SIGMAS_AT_ONCE: Final = 3.0
_SIGMAS_PER_ROUND: Final = 2.0
"""How far above the tolerated share refusals must be, after each and once per round trip."""
_FEWEST: Final = 4
"""Fewer refusals than these prove nothing."""
_SHORT_ROUND: Final = 12
_LONG_ROUND: Final = 50
"""Fewest replies in a round trip: without noteworthy refusals, and to judge those there are."""
_RELEASE: Final = 8
"""A refused call's place stays empty for so many replies, lest waiting calls run into refusals."""
_STEP: Final = 8
_LEAST_STEP: Final = 4
"""The limit recovers by an eighth per round trip, by more while it is small."""
_PATIENCE: Final = 2
_MOST_PATIENCE: Final = 32


class AdaptiveLimit:
    """The limit of one endpoint.

    The depth of a call is the number of calls in flight when it was sent, itself included.
    """

    __slots__ = (
        "_barrier", "_ceiling", "_clean", "_clear", "_depths", "_full", "_held", "_loaded",
        "_mark", "_passed", "_patience", "_replies", "_seen", "_since_pass", "_start", "limit",
        "room", "serial",
    )  # fmt: skip

    def __init__(self, start: int, ceiling: int) -> None:
        """Start at `start` (>= 1) and never go above `ceiling`."""
        self.limit = start
        """Calls that may be in flight now, >= 1."""
        self.room = start
        """The limit without the places of calls that were refused a moment ago, >= 1."""
        self.serial = 0
        """Number of calls sent so far."""
        self._ceiling = max(start, ceiling)
        self._held = 0  # places of refused calls
        self._replies = 0  # since the last place was released
        self._mark = 0  # calls with a smaller serial were sent before the last move
        self._start = 0  # serial at the beginning of the round trip
        self._seen = 0
        self._clear = 0  # replies since the last refusal
        self._depths: list[int] = []  # of refused calls
        self._loaded = 0
        self._full = False
        self._barrier: int | None = None  # a depth that was refused
        self._patience = _PATIENCE
        self._clean = 0
        self._passed = 0  # the last barrier that was tried again, and round trips since then
        self._since_pass = _MOST_PATIENCE

    def replied(self, serial: int, depth: int) -> None:
        """Count a reply that was no refusal."""
        if self._held:
            self._replies += 1
            if self._replies >= _RELEASE:
                self._hold(self._held - 1)
        if serial < self._mark:
            return
        self._seen += 1
        if depth >= self.room:
            self._full = True
        self._clear += 1
        if self._seen < self.limit or self._seen < _SHORT_ROUND:
            return
        rarely = len(self._depths) <= _TOLERATED * self._seen
        if rarely or self._clear >= max(self.limit, _SHORT_ROUND):
            self._raise()
        elif self._seen >= _LONG_ROUND:
            if len(self._depths) >= _FEWEST and self._too_many(_SIGMAS_PER_ROUND):
                self._lower()
            else:
                self._move(self.limit)

    def refused(self, serial: int, depth: int, *, in_flight: int, nothing_left: bool) -> None:
        """Count a refusal.

        Args:
            serial: number of the refused call.
            depth: its depth.
            in_flight: calls still in flight.
            nothing_left: the endpoint said that it is close to its own limit.
        """
        if self.room > max(1, in_flight):
            self._hold(self._held + 1)
        if serial < self._mark:
            return
        self._seen += 1
        self._full = True
        self._clear = 0
        self._depths.append(depth)
        self._loaded += nothing_left
        count = len(self._depths)
        if count >= _FEWEST and (self._loaded >= _FEWEST or self._too_many(_SIGMAS_AT_ONCE)):
            self._lower()

    def _too_many(self, sigmas: float) -> bool:
        # refusals come back sooner than answers: what was sent and has not come back counts as well
        expected = _TOLERATED * max(self._seen, self.serial - self._start)
        return len(self._depths) > expected + sigmas * math.sqrt(expected)

    def _lower(self) -> None:
        # not the very least depth: a few refusals may have other causes
        shallow = sorted(self._depths)[len(self._depths) // 5]
        answered = self.room * (self._seen - len(self._depths)) // self._seen
        goal = max(shallow - 1, answered, self.limit // 2, 1)
        lowered = max(1, min(goal, self.limit - 1))
        # a call that is refused though it is alone says nothing about depth
        self._barrier = max(lowered + 1, min(shallow, self.limit)) if shallow > 1 else None
        soon = self._since_pass <= 2 and 2 * lowered > self._passed
        self._patience = min(_MOST_PATIENCE, self._patience * 2) if soon else _PATIENCE
        self._clean = 0
        self._move(lowered)

    def _raise(self) -> None:
        self._since_pass += 1
        step = max(self.limit // _STEP, min(self.limit, _LEAST_STEP))
        goal = min(self._ceiling, self.limit + step)
        if not self._full or goal == self.limit:
            goal = self.limit
        elif self._barrier is not None and goal >= self._barrier:
            if self.limit < self._barrier - 1:
                goal = self._barrier - 1
            elif self._clean < self._patience:
                self._clean += 1
                goal = self.limit
            else:
                self._passed = self._barrier
                self._barrier = None
                self._clean = 0
                self._since_pass = 0
        self._move(goal)

    def _move(self, limit: int) -> None:
        """Begin another round trip, at this limit."""
        if limit != self.limit:
            self._mark = self.serial
            held = max(0, self._held - max(0, self.limit - limit))
            self.limit = limit
            self._hold(min(held, limit - 1))
        self._start = self.serial
        self._seen = self._clear = self._loaded = 0
        self._depths.clear()
        self._full = False

    def _hold(self, places: int) -> None:
        self._held = places
        self._replies = 0
        self.room = self.limit - places
