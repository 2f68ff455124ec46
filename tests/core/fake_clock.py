"""A clock that stands still until all that can happen now has happened, then jumps ahead.

`FakeClock.run` drives a coroutine on an event loop of its own. The loop asks its selector to wait
only when it has nothing left to do; at that moment the clock jumps and wakes exactly one sleeper,
in the order (due time, first to sleep). So a simulated hour costs only the work done in it, and the
same program always takes the same course.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class FakeClock:
    """A `Clock` for tests; durations are simulated seconds."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        return self.now

    def stamp(self) -> str:
        return f"2026-01-01T00:00:00Z+{self.now:.0f}"

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + max(0.0, seconds), self._count, wake))
        await wake

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run to the end; fails if everything waits for something that cannot happen."""
        with asyncio.Runner(
            loop_factory=lambda: asyncio.SelectorEventLoop(_JumpingSelector(self))
        ) as runner:
            return runner.run(main)

    def jump(self) -> bool:
        """Wake the next sleeper at its time; false if nobody sleeps."""
        while self._sleepers:
            due, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                self.now = max(self.now, due)
                wake.set_result(None)
                return True
        return False


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            if not self._clock.jump() and timeout is None:
                raise AssertionError("deadlock: nobody sleeps and nothing is ready")
            timeout = 0
        return super().select(timeout)
