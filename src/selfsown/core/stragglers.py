"""Late attempts: when one counts as late, and which of two attempts at the same call is the answer.

An attempt is late after about six times the 95th percentile of recent latencies of the same model
and answer length. A late call is sent once more while the first attempt goes on; the first answer
wins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from selfsown.core.model import Answer, AttemptFailed

_ENOUGH: Final = 20
"""Latencies before which nothing counts as late."""
_RECENT: Final = 256
_LATE: Final = 6.0
_LOST: Final = 4.0
_LEAST_S: Final = 2.0
_SHORT_TOKENS: Final = 512
"""Answers up to this length may count as late after `_LEAST_S`; longer ones in proportion."""
_LEAST_LOST_S: Final = 60.0
_MOST_FLIGHTS: Final = 4
"""Attempts at one call that may be under way together."""


class Latencies:
    """Recent latencies of answers of one model and one order of length."""

    __slots__ = ("_least_s", "_recent", "_stale", "_value", "reasoning")

    def __init__(self, max_tokens: int) -> None:
        """Start without a sample.

        Args:
            max_tokens: upper bound of the answers' tokens; sets the least time after which one
                counts as late.
        """
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._least_s = _LEAST_S * max(1.0, max_tokens / _SHORT_TOKENS)
        self._value = 0.0
        self._stale = True
        self.reasoning = False
        """The model thinks before it answers, so that its latencies say nothing about the next
        one."""

    def add(self, seconds: float) -> None:
        """Note how long a complete answer took."""
        self._recent.append(seconds)
        self._stale = True

    def late_after_s(self) -> float | None:
        """Seconds after which an attempt counts as late; None while that cannot be said."""
        if len(self._recent) < _ENOUGH or self.reasoning:
            return None
        if self._stale:
            ordered = sorted(self._recent)
            self._value = max(self._least_s, _LATE * ordered[int(0.95 * (len(ordered) - 1))])
            self._stale = False
        return self._value

    def lost_after_s(self) -> float | None:
        """Seconds after which an attempt is given up; None while that cannot be said."""
        late = self.late_after_s()
        return None if late is None else max(_LEAST_LOST_S, _LOST * late)


class Flight:
    """One attempt under way in a task of its own."""

    __slots__ = ("lost", "started", "task")

    def __init__(self) -> None:
        self.started: float | None = None
        """When it was sent; None while it waits for a permit."""
        self.task: asyncio.Task[Answer | AttemptFailed] | None = None
        self.lost = False
        """Given up for taking too long; its cancellation is a time-out."""


class Race:
    """The attempts at one call that are under way together.

    The first answer, or else the last failure, is the result.
    """

    __slots__ = ("_failure", "flights", "latencies", "pending", "result")

    def __init__(self, latencies: Latencies) -> None:
        """Start without an attempt; `latencies` are those of calls like this one."""
        self.result: asyncio.Future[Answer | AttemptFailed] = (
            asyncio.get_running_loop().create_future()
        )
        self.latencies = latencies
        self.flights: list[Flight] = []
        self.pending = 0
        """Attempts that have not ended."""
        self._failure: AttemptFailed | None = None

    def join(self) -> Flight:
        """Add an attempt."""
        flight = Flight()
        self.pending += 1
        self.flights.append(flight)
        return flight

    def answer(self, answer: Answer) -> None:
        """Take an answer: the first is the result, and what waits to be sent is called off."""
        if not self.result.done():
            self.result.set_result(answer)
            self._call_off()

    def landed(self, task: asyncio.Task[Answer | AttemptFailed]) -> None:
        """Note that an attempt's task is done; one that could not be sent leaves the other be."""
        self.pending -= 1
        error: BaseException | None = None
        if not task.cancelled():
            error = task.exception()
            outcome = None if error is not None else task.result()
            if isinstance(outcome, AttemptFailed):
                self._failure = outcome
        if self.pending > 0 or self.result.done():
            return
        if self._failure is not None:
            self.result.set_result(self._failure)
        elif error is not None:
            self.result.set_exception(error)
        else:
            self.result.cancel()

    def is_late(self, now: float, late_after_s: float) -> bool:
        """Whether another attempt is due: all those under way are late."""
        if len(self.flights) >= _MOST_FLIGHTS or self.result.done():
            return False
        under_way = [each for each in self.flights if each.task is None or not each.task.done()]
        return bool(under_way) and all(
            each.started is not None and now - each.started > late_after_s for each in under_way
        )

    def give_up_lost(self, now: float, lost_after_s: float) -> None:
        """Cancel the attempts that take too long."""
        for flight in self.flights:
            if flight.started is not None and flight.task is not None and not flight.lost:
                flight.lost = now - flight.started > lost_after_s and flight.task.cancel()

    def _call_off(self) -> None:
        """Stop attempts that still wait to be sent."""
        for flight in self.flights:
            if flight.started is None and flight.task is not None:
                flight.task.cancel()
