"""Waits that the end of a storm cuts short.

A call that failed while the endpoint answered nobody learns nothing from its own failure: what it
waits for is that the endpoint is well again, and any answer says so. Each answer wakes a few of
these calls, so that their number grows from round trip to round trip and none sleeps for seconds
while places are empty; how many are sent is the limiter's business. A call that failed while others
were answered, or that was told how long to wait, sleeps its time out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from selfsown.core.clock import Clock

_WOKEN: Final = 4
"""Calls that one answer wakes."""


class Naps:
    """Calls that wait for one endpoint to be well again."""

    __slots__ = ("_clock", "answered_at", "sleepers")

    def __init__(self, clock: Clock) -> None:
        """Nobody sleeps, and nothing has been answered."""
        self.answered_at = float("-inf")
        """When a call was last answered, in monotonic seconds."""
        self.sleepers: deque[asyncio.Task[None]] = deque()
        """The alarms of those who may be woken, longest asleep first."""
        self._clock = clock

    async def sleep(self, seconds: float) -> None:
        """Sleep so long, or until an answer to another call is the reason to try."""
        alarm = asyncio.get_running_loop().create_task(self._clock.sleep(seconds))
        self.sleepers.append(alarm)
        try:
            await asyncio.wait((alarm,))
        finally:
            alarm.cancel()

    def wake(self) -> None:
        """Another call was answered: wake a few."""
        woken = 0
        while self.sleepers and woken < _WOKEN:
            woken += self.sleepers.popleft().cancel()  # false for those who are awake
