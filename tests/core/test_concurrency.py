"""Claim: the limit finds what an endpoint takes, and is not fooled by a few refusals."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.caller import Caller
from selfsown.core.concurrency import AdaptiveLimit
from selfsown.core.limits import LimitSettings
from selfsown.core.model import AttemptFailed


def make_calls(
    clock: FakeClock, model: SimulatedModel, count: int, limits: LimitSettings
) -> tuple[Caller, float]:
    """Make so many calls; the caller and the simulated seconds they took."""
    caller = Caller(limits, clock=clock, rng=random.Random(1))

    async def run() -> float:
        began = clock.now
        outcomes = await asyncio.gather(
            *(caller.call(model, ask(), key_of(number)) for number in range(count))
        )
        took = clock.now - began
        assert all(outcome.completion is not None for outcome in outcomes)
        await caller.close()
        return took

    return caller, clock.run(run())


@pytest.mark.parametrize("capacity", [8, 40, 200])
def test_the_limit_finds_a_hidden_capacity_and_gets_95_per_cent_of_its_throughput(
    capacity: int,
) -> None:
    clock = FakeClock()
    rng = random.Random(capacity)
    model = SimulatedModel(
        clock, capacity=capacity, latency=lambda number: rng.lognormvariate(-0.2, 0.6)
    )
    count = max(1000, 60 * capacity)
    caller, took = make_calls(clock, model, count, LimitSettings(concurrency=256, resend=0))
    mean_latency = 2.718281828 ** (-0.2 + 0.6**2 / 2)
    achievable = capacity / mean_latency
    assert count / took >= 0.95 * achievable
    assert caller.counters.refusals < 256 + 0.1 * count  # the first burst, and little more


def test_two_per_cent_of_refusals_at_random_do_not_lower_the_limit() -> None:
    clock = FakeClock()
    rng = random.Random(3)

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        busy = AttemptFailed("rate_limit", "busy", status=429, retry_after_s=1.0)
        return busy if rng.random() < 0.02 else None

    model = SimulatedModel(clock, fault=fault, latency=lambda number: rng.lognormvariate(-1, 0.5))
    caller = Caller(LimitSettings(concurrency=256, resend=0), clock=clock)
    limits: list[int] = []
    answered: list[int] = []

    async def run() -> None:
        work = asyncio.gather(*(caller.call(model, ask(), key_of(n)) for n in range(10_000)))
        for _ in range(12):
            await clock.sleep(1)
            limits.append(caller.counters.limit)
            answered.append(model.answered)
        await work
        await caller.close()

    clock.run(run())
    assert set(limits) == {256}
    mean_latency = 2.718281828 ** (-1 + 0.5**2 / 2)
    rate = (answered[-1] - answered[1]) / 10
    assert rate >= 0.95 * 256 / mean_latency


def test_a_rate_limit_without_headers_is_used_almost_fully() -> None:
    clock = FakeClock()
    level, at = 20.0, clock.now  # the provider's bucket: 20 a second, 20 deep

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        nonlocal level, at
        level, at = min(20.0, level + (clock.now - at) * 20), clock.now
        if level >= 1:
            level -= 1
            return None
        return AttemptFailed("rate_limit", "slow down", status=429, retry_after_s=1.0)

    model = SimulatedModel(clock, fault=fault)
    _, took = make_calls(clock, model, 3000, LimitSettings(concurrency=128, resend=0))
    assert 3000 / took >= 0.9 * 20


def test_the_limit_recovers_when_the_endpoint_does() -> None:
    limit = AdaptiveLimit(100, 100)
    for _ in range(20):
        limit.serial += 1
        limit.refused(limit.serial, 60, in_flight=59, nothing_left=False)
    low = limit.limit
    assert low < 100
    for _ in range(6000):
        limit.serial += 1
        limit.replied(limit.serial, limit.limit)
    assert limit.limit == 100


def test_the_limit_moves_at_most_once_per_round_trip() -> None:
    limit = AdaptiveLimit(100, 100)
    limit.serial = 100  # all sent before any of them is refused
    for serial in range(1, 101):
        limit.refused(serial, serial, in_flight=100 - serial, nothing_left=False)
    assert limit.limit == 50  # not 25 or 1


@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(1, 300),
    replies=st.lists(st.tuples(st.booleans(), st.integers(1, 300), st.booleans()), max_size=400),
)
def test_the_limit_stays_between_one_and_its_ceiling(
    start: int, replies: list[tuple[bool, int, bool]]
) -> None:
    limit = AdaptiveLimit(start, start)
    for refused, depth, nothing_left in replies:
        before = limit.limit
        limit.serial += 1
        if refused:
            limit.refused(limit.serial, depth, in_flight=depth - 1, nothing_left=nothing_left)
        else:
            limit.replied(limit.serial, depth)
        assert 1 <= limit.limit <= start
        assert limit.limit >= before // 2


def test_the_limit_rises_above_its_start_only_if_allowed_and_needed() -> None:
    allowed = AdaptiveLimit(10, 40)
    idle = AdaptiveLimit(10, 40)
    for _ in range(5000):
        allowed.serial += 1
        idle.serial += 1
        allowed.replied(allowed.serial, allowed.limit)
        idle.replied(idle.serial, 3)
    assert (allowed.limit, idle.limit) == (40, 10)
