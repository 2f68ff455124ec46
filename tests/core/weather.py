"""Endpoints whose weather changes, on the fake clock, and what can be got from them.

`achievable` is what bare workers get: they ask again 10 ms after any refusal, so that every slot is
in use and nothing is waited out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.caller import Caller
from selfsown.core.limits import LimitSettings
from selfsown.core.model import AttemptFailed

Share = Callable[[float], float]


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What an endpoint does, as functions of the seconds since the beginning."""

    failing: Share = lambda now: 0.0
    """Share of calls that fail, whatever is in flight."""
    kind: str = "rate_limit"
    """Of these failures; any other is a 500."""
    retry_after_s: float | None = None
    capacity: Callable[[float], int | None] = lambda now: None
    failure_s: float = 0.2
    """How long a failure takes."""
    refusal_s: float = 0.01
    """How long it takes to refuse a call beyond the capacity."""
    latency_s: float = 0.2
    stuck: int = 0
    """The first so many calls take a minute."""

    def endpoint(self, clock: FakeClock, seed: int) -> SimulatedModel:
        """A model under this weather."""
        rng = random.Random(seed)
        began = clock.now

        def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
            now = clock.now - began
            model.capacity = self.capacity(now)
            model.refusal_s = self.refusal_s
            if rng.random() >= self.failing(now):
                return None
            model.refusal_s = self.failure_s
            model.refused += 1
            if self.kind == "rate_limit":
                return AttemptFailed(
                    "rate_limit", "busy", status=429, retry_after_s=self.retry_after_s
                )
            return AttemptFailed("overloaded", "broken", status=500)

        return SimulatedModel(
            clock,
            fault=fault,
            latency=lambda number: (
                60.0 if number <= self.stuck else self.latency_s * rng.lognormvariate(0, 0.2)
            ),
            retry_after_s=self.retry_after_s,
        )


def storm(quiet_s: float = 2.0, storm_s: float = 1.0, share: float = 1.0) -> Share:
    """Quiet, then a time in which calls fail, over and over."""
    return lambda now: share if now % (quiet_s + storm_s) >= quiet_s else 0.0


def steps(seconds: float, values: Sequence[int]) -> Callable[[float], int]:
    """One value after the other, each for so long, over and over."""
    return lambda now: values[int(now / seconds) % len(values)]


@dataclass(frozen=True)
class Course:
    """What came of some seconds of calls."""

    answered: int
    refused: int
    caller: Caller | None = None

    @property
    def refused_share(self) -> float:
        """Refused calls of all that were sent, in [0, 1]."""
        return self.refused / max(1, self.refused + self.answered)


def achievable(weather: Weather, seconds: float, concurrency: int = 32, seed: int = 1) -> Course:
    """Bare workers, without manners."""
    clock = FakeClock()
    model = weather.endpoint(clock, seed)
    end = clock.now + seconds

    async def worker() -> None:
        while clock.now < end:
            try:
                await model.attempt(ask())
            except AttemptFailed:
                await clock.sleep(0.01)

    async def run() -> None:
        await asyncio.gather(*(worker() for _ in range(concurrency)))

    clock.run(run())
    return Course(model.answered, model.refused)


def caller_gets(
    weather: Weather,
    seconds: float,
    concurrency: int = 32,
    seed: int = 2,
    ahead: int | None = None,
    look: Callable[[float, Caller, SimulatedModel], None] | None = None,
) -> Course:
    """A caller with so many calls outstanding; by default four a slot, a run's most."""
    clock = FakeClock()
    model = weather.endpoint(clock, seed)
    began = clock.now
    end = began + seconds
    caller = Caller(
        LimitSettings(concurrency=concurrency, resend=0, timeout_s=30.0),
        clock=clock,
        rng=random.Random(seed),
    )

    async def worker(number: int) -> None:
        while clock.now < end:
            outcome = await caller.call(model, ask(), key_of(number))
            assert outcome.completion is not None, outcome.error

    async def watch() -> None:
        while look is not None:
            look(clock.now - began, caller, model)
            await clock.sleep(0.1)

    async def run() -> Course:
        watching = asyncio.create_task(watch())
        working = [asyncio.create_task(worker(n)) for n in range(ahead or 4 * concurrency)]
        await clock.sleep(seconds)
        course = Course(model.answered, model.refused, caller)
        for task in (watching, *working):
            task.cancel()
        await asyncio.gather(watching, *working, return_exceptions=True)
        for task in working:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                raise error
        await caller.close()
        return course

    return clock.run(run())
