"""One look around, twice a second, for all calls: what is late or lost, who is silent.

A timer per call would cost more than the call's own bookkeeping; this costs one pass over what is
in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from selfsown.core.clock import Clock
from selfsown.core.limiter import Limiter
from selfsown.core.stragglers import Race

SWEEP_S: Final = 0.5
"""Seconds between two looks."""


class Sweeper:
    """Runs while anything is in flight, and not otherwise."""

    def __init__(
        self,
        clock: Clock,
        limiters: Collection[Limiter],
        races: Collection[Race],
        silent_after_s: float,
        on_late: Callable[[Race], None] | None,
        on_event: Callable[[str], None],
        *,
        gives_up_lost: bool,
    ) -> None:
        """Set up.

        Args:
            clock: where time comes from.
            limiters: live view of the endpoints; local ones are never called silent.
            races: live view of the attempts under way.
            silent_after_s: seconds without a reply before an endpoint is first reported, then after
                twice as many.
            on_late: hears of attempts that are late; None if that leads to nothing.
            on_event: hears of silent endpoints.
            gives_up_lost: cancel attempts that take far too long.
        """
        self._clock = clock
        self._limiters = limiters
        self._races = races
        self._silent_after_s = silent_after_s
        self._on_late = on_late
        self._on_event = on_event
        self._gives_up_lost = gives_up_lost
        self._report_after: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Start looking, unless it already does."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_S)
            if not self._races and not any(each.in_flight for each in self._limiters):
                self._task = None
                return
            now = self._clock.monotonic()
            self._look_at_races(now)
            self._look_at_endpoints(now)

    def _look_at_races(self, now: float) -> None:
        for race in list(self._races):
            late = race.latencies.late_after_s()
            if late is None:
                continue
            lost = race.latencies.lost_after_s()
            if self._gives_up_lost and lost is not None:
                race.give_up_lost(now, lost)
            if self._on_late is not None and race.is_late(now, late):
                self._on_late(race)

    def _look_at_endpoints(self, now: float) -> None:
        for limiter in self._limiters:
            if limiter.local or limiter.in_flight == 0:
                continue
            silent = now - max(limiter.busy_since, limiter.last_reply_at or limiter.busy_since)
            if silent < self._silent_after_s:
                self._report_after[limiter.endpoint] = self._silent_after_s
            elif silent >= self._report_after.get(limiter.endpoint, self._silent_after_s):
                self._report_after[limiter.endpoint] = 2 * silent
                self._on_event(
                    f"no reply from `{limiter.endpoint}` for {silent:.0f} s, "
                    f"{limiter.in_flight} calls in flight"
                )
