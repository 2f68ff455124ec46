"""Claim: calls are sent in order, and no faster than the endpoint allows."""

from __future__ import annotations

import asyncio
import gc
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.bucket import Bucket
from selfsown.core.caller import Caller
from selfsown.core.errors import ConfigError
from selfsown.core.limiter import Limiter
from selfsown.core.limits import LimitSettings
from selfsown.core.model import AttemptFailed, RateState


def limiter_on(clock: FakeClock, events: list[str] | None = None, **settings: object) -> Limiter:
    heard = [] if events is None else events
    return Limiter("http://e", LimitSettings(**settings), clock, heard.append)  # type: ignore[arg-type]


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


# --- the queue -----------------------------------------------------------------------------------


def test_calls_enter_in_the_order_they_came_and_one_leaving_lets_in_one() -> None:
    clock = FakeClock()
    order: list[int] = []

    async def run() -> None:
        limiter = limiter_on(clock, concurrency=2)

        async def call(number: int) -> None:
            permit = limiter.try_enter(clock.now) or await limiter.enter()
            order.append(number)
            await clock.sleep(1)
            assert limiter.in_flight <= 2
            limiter.leave(permit, "replied")

        await asyncio.gather(*(call(number) for number in range(20)))
        limiter.close()

    clock.run(run())
    assert order == list(range(20))
    assert clock.now == pytest.approx(1010)


def test_a_retry_goes_before_those_who_were_never_sent() -> None:
    clock = FakeClock()
    busy = AttemptFailed("overloaded", "busy", status=500)
    model = SimulatedModel(clock, fault=lambda model, number: busy if number == 1 else None)

    async def run() -> None:
        caller = Caller(LimitSettings(concurrency=1), clock=clock)
        calls = [caller.call(model, ask(f"{number}"), key_of(number)) for number in range(6)]
        await asyncio.gather(*calls)
        await caller.close()

    clock.run(run())
    assert model.prompts.index("0", 1) < 4


def test_cancelled_waiters_leave_no_trace() -> None:
    clock = FakeClock()

    async def run() -> None:
        limiter = limiter_on(clock, concurrency=1)
        first = limiter.try_enter(clock.now)
        assert first is not None
        waiters = [asyncio.create_task(limiter.enter()) for _ in range(5)]
        await clock.sleep(1)
        waiters[0].cancel()
        waiters[2].cancel()
        limiter.leave(first, "replied")
        waiters[1].cancel()  # it has its permit already, but has not run
        await clock.sleep(1)
        limiter.leave(await waiters[3], "replied")
        limiter.leave(await waiters[4], "replied")
        assert (limiter.in_flight, limiter.waiting) == (0, 0)

    clock.run(run())


def test_a_call_costs_the_same_however_many_wait() -> None:
    clock = FakeClock()

    async def steps(count: int) -> int:
        limiter = limiter_on(clock, concurrency=1)
        permit = limiter.try_enter(clock.now)
        assert permit is not None
        waiters = [asyncio.create_task(limiter.enter()) for _ in range(count)]
        await clock.sleep(1)
        lines = 0

        def tracer(frame: object, event: str, arg: object) -> object:
            nonlocal lines
            lines += event == "line"
            return tracer

        gc.disable()  # what it finalizes would be counted, too
        sys.settrace(tracer)  # type: ignore[arg-type]
        try:
            limiter.leave(permit, "replied")
        finally:
            sys.settrace(None)
            gc.enable()
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        return lines

    assert clock.run(steps(10)) == clock.run(steps(1000))


# --- buckets -------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    rate=st.floats(1, 6000),
    costs=st.lists(st.floats(0.1, 500), min_size=1, max_size=60),
    gaps=st.lists(st.floats(0, 5), min_size=60, max_size=60),
)
def test_a_given_rate_is_kept_over_every_interval(
    rate: float, costs: list[float], gaps: list[float]
) -> None:
    bucket = Bucket(rate, 0.0, given=True)
    now = 0.0
    sent: list[tuple[float, float]] = []
    for cost, gap in zip(costs, gaps, strict=False):
        now += gap
        while (wait := bucket.wait_s(now, cost)) > 0:
            now += wait
        bucket.take(cost)
        sent.append((now, cost))
    burst = max(1.0, rate / 60)
    for first in range(len(sent)):
        total = 0.0
        for moment, cost in sent[first:]:  # what was sent before the last one had to be paid for
            span = moment - sent[first][0]
            assert total + min(cost, burst) <= burst + span * rate / 60 + 1e-3
            total += cost


def test_requests_per_minute_pace_a_run() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=lambda number: 0.1)
    _, took = make_calls(clock, model, 300, LimitSettings(requests_per_minute=120, resend=0))
    assert took == pytest.approx((300 - 2) / 2, abs=2)


def test_tokens_per_minute_pace_a_run_by_what_calls_really_use() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=lambda number: 0.1)  # 5 + 10 tokens each, asks for 100
    limits = LimitSettings(tokens_per_minute=60 * 150, resend=0)
    _, took = make_calls(clock, model, 1000, limits)
    assert took == pytest.approx(1000 * 15 / 150, rel=0.1)


def test_a_learnt_bucket_avoids_refusals_that_headers_announce() -> None:
    clock = FakeClock()
    level, at = 50.0, clock.now  # 10 a second, 50 deep

    def refill() -> None:
        nonlocal level, at
        level, at = min(50.0, level + (clock.now - at) * 10), clock.now

    def rate(model: SimulatedModel) -> RateState:
        refill()
        return RateState(
            remaining_requests=int(level), limit_requests=50, reset_requests_s=(50 - level) / 10
        )

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        nonlocal level
        refill()
        if level >= 1:
            level -= 1
            return None
        model.refused += 1
        state = rate(model)
        return AttemptFailed("rate_limit", "x", status=429, retry_after_s=0.5, rate=state)

    model = SimulatedModel(clock, fault=fault, rate=rate)
    _, took = make_calls(clock, model, 1000, LimitSettings(concurrency=64, resend=0))
    assert 1000 / took >= 0.9 * 10
    assert model.refused <= 70  # about one window of calls, while nothing was known yet


def test_a_refusal_with_an_empty_bucket_holds_everyone_until_the_time_it_names() -> None:
    clock = FakeClock()
    window = {"start": clock.now, "used": 0}

    def state() -> RateState:
        if clock.now >= window["start"] + 60:
            window["start"] += 60 * ((clock.now - window["start"]) // 60)
            window["used"] = 0
        left = 100 - int(window["used"])
        return RateState(
            remaining_requests=max(0, left),
            limit_requests=100,
            reset_requests_s=window["start"] + 60 - clock.now,
        )

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        now = state()
        if now.remaining_requests:
            window["used"] += 1
            return None
        model.refused += 1
        return AttemptFailed(
            "rate_limit", "x", status=429, retry_after_s=now.reset_requests_s, rate=now
        )

    model = SimulatedModel(clock, fault=fault, rate=lambda model: state())
    _, took = make_calls(clock, model, 500, LimitSettings(concurrency=50, resend=0))
    assert took < 330  # five windows of a minute
    assert model.refused < 150


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("concurrency", 0), ("attempts", 0), ("resend", -0.1), ("timeout_s", 0), ("down_after_s", 0)],
)
def test_settings_that_would_never_send_a_call_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        LimitSettings(**{name: value})  # type: ignore[arg-type]
