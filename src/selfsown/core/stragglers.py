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
    """One attempt among those at a call that are under way together."""

    __slots__ = ("ended", "lost", "started", "task")

    def __init__(self) -> None:
        self.started: float | None = None
        """When it was sent; None while it waits for a permit or a reservation."""
        self.task: asyncio.Task[None] | None = None
        """What makes it at the moment, and others before and after it."""
        self.lost = False
        """Given up for taking too long; its cancellation is a time-out."""
        self.ended = False

    def returns(self) -> None:
        """Hear that it has ended and that what made it is about to be free."""

    def cancel(self) -> None:
        """End it, wherever it is."""
        if self.task is not None:
            self.task.cancel()


class Race:
    """The attempts at one call that are under way together.

    The first answer, or else the last failure, is the result.
    """

    __slots__ = ("_empty", "_failure", "flights", "latencies", "pending", "result")

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
        self._empty: asyncio.Future[None] | None = None

    def join(self, flight: Flight) -> None:
        """Add an attempt."""
        self.pending += 1
        self.flights.append(flight)

    def landed(self, flight: Flight, end: Answer | AttemptFailed | BaseException) -> None:
        """Note how an attempt ended; one that could not be sent leaves the other be."""
        flight.ended, flight.task = True, None
        self.pending -= 1
        if isinstance(end, AttemptFailed):
            self._failure = end
        if not self.result.done():
            if isinstance(end, Answer):
                self.result.set_result(end)
                self._call_off()
            elif self.pending == 0:
                self._fail(end)
        if self.pending == 0 and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    async def abandon(self) -> None:
        """Cancel all attempts and wait until they have ended."""
        for flight in list(self.flights):
            if not flight.ended:
                flight.cancel()
        if self.pending:
            self._empty = asyncio.get_running_loop().create_future()
            await self._empty

    def is_late(self, now: float, late_after_s: float) -> bool:
        """Whether another attempt is due: all those under way are late."""
        if len(self.flights) >= _MOST_FLIGHTS or self.result.done():
            return False
        return self.pending > 0 and all(
            each.ended or (each.started is not None and now - each.started > late_after_s)
            for each in self.flights
        )

    def give_up_lost(self, now: float, lost_after_s: float) -> None:
        """Cancel the attempts that take too long."""
        for flight in self.flights:
            if flight.started is not None and flight.task is not None and not flight.lost:
                flight.lost = now - flight.started > lost_after_s and flight.task.cancel()

    def _fail(self, end: AttemptFailed | BaseException) -> None:
        """The result where no attempt has an answer."""
        if self._failure is not None:
            self.result.set_result(self._failure)
        elif isinstance(end, asyncio.CancelledError):
            self.result.cancel()
        else:
            self.result.set_exception(end)

    def _call_off(self) -> None:
        """Stop attempts that still wait to be sent."""
        for flight in list(self.flights):
            if flight.started is None and not flight.ended:
                flight.cancel()
