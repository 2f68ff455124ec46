"""Claim: an endpoint gets as much as it takes and no more, in order, and its silence is heard."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.bucket import Bucket
from selfsown.core.caller import Caller
from selfsown.core.circuit import OPEN_AFTER, Circuit
from selfsown.core.concurrency import AdaptiveLimit
from selfsown.core.errors import ConfigError, EnvironmentFailure
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


# --- adaptive concurrency ----------------------------------------------------------------------


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
    lowest = 256
    limits = LimitSettings(concurrency=256, resend=0)
    caller = Caller(limits, clock=clock)

    async def run() -> float:
        nonlocal lowest
        began = clock.now
        work = asyncio.gather(*(caller.call(model, ask(), key_of(n)) for n in range(20_000)))
        while not work.done():
            await clock.sleep(0.2)
            lowest = min(lowest, caller.counters.limit)
        await work
        took = clock.now - began
        await caller.close()
        return took

    took = clock.run(run())
    assert lowest == 256
    mean_latency = 2.718281828 ** (-1 + 0.5**2 / 2)
    assert 20_000 / took >= 0.95 * 256 / mean_latency * 0.98


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


# --- the queue ---------------------------------------------------------------------------------


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

        sys.settrace(tracer)  # type: ignore[arg-type]
        try:
            limiter.leave(permit, "replied")
        finally:
            sys.settrace(None)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        return lines

    assert clock.run(steps(10)) == clock.run(steps(1000))


# --- buckets -----------------------------------------------------------------------------------


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


# --- circuit -----------------------------------------------------------------------------------


def test_a_refused_connection_at_the_very_start_is_reported_within_10_s() -> None:
    for count in (1, 3, 200):
        clock = FakeClock()
        refused = AttemptFailed("connection", "refused")
        model = SimulatedModel(clock, fault=lambda model, number, why=refused: why)
        events: list[str] = []

        async def run(clock=clock, model=model, events=events, count=count) -> None:
            caller = Caller(clock=clock, on_event=events.append)
            calls = [caller.call(model, ask(), key_of(number)) for number in range(count)]
            for result in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(result, EnvironmentFailure)
                assert "http://simulated" in result.what
            await caller.close()

        began = clock.now
        clock.run(run())
        assert clock.now - began < 10
        assert any("down" in event for event in events)


def test_an_endpoint_that_restarts_loses_no_call_and_is_probed_by_one_call_at_a_time() -> None:
    clock = FakeClock()

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        gone = 1005 < clock.now < 1045
        return AttemptFailed("connection", "refused") if gone else None

    model = SimulatedModel(clock, fault=fault)
    events: list[str] = []
    caller = Caller(LimitSettings(resend=0), clock=clock, on_event=events.append)

    async def run() -> None:
        calls = [caller.call(model, ask(), key_of(number)) for number in range(1000)]
        outcomes = await asyncio.gather(*calls)
        assert all(outcome.completion is not None for outcome in outcomes)
        await caller.close()

    clock.run(run())
    assert [event.split()[1:3] for event in events] == [["cannot", "be"], ["replies", "again"]]
    assert model.attempts < 1000 + 32 + 5 + 20
    assert clock.now < 1085


def test_an_endpoint_that_stays_away_suspends_the_run_and_no_call_fails() -> None:
    clock = FakeClock()

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        return AttemptFailed("connection", "refused") if clock.now > 1010 else None

    model = SimulatedModel(clock, fault=fault)

    async def run() -> None:
        caller = Caller(clock=clock)
        calls = [caller.call(model, ask(), key_of(number)) for number in range(1000)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(
            isinstance(each, EnvironmentFailure) or each.completion is not None  # type: ignore[union-attr]
            for each in results
        )
        await caller.close()

    clock.run(run())
    assert 1070 < clock.now < 1085


def test_a_loading_server_behind_a_gateway_is_waited_for() -> None:
    clock = FakeClock()

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        return AttemptFailed("overloaded", "loading", status=503) if clock.now < 1050 else None

    model = SimulatedModel(clock, fault=fault)
    make_calls(clock, model, 200, LimitSettings())
    assert model.answered == 200


def test_an_endpoint_that_swallows_everything_suspends_the_run_and_no_call_fails() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=lambda number: 1.0 if clock.now < 1010 else 1e7)

    async def run() -> None:
        caller = Caller(clock=clock)
        calls = [caller.call(model, ask(), key_of(number)) for number in range(1000)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        failed = [each for each in results if isinstance(each, EnvironmentFailure)]
        assert failed
        assert "within the time-out" in failed[0].why
        assert all(each.completion is not None for each in results if each not in failed)  # type: ignore[union-attr]
        await caller.close()

    clock.run(run())
    assert clock.now < 1200


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=60))
def test_a_circuit_opens_only_on_a_row_of_failures_and_is_down_only_after_its_bound(
    ends: list[tuple[bool, float]],
) -> None:
    circuit = Circuit(down_after_s=60, down_at_start_s=5)
    now, row, since = 0.0, 0, 0.0
    circuit.replied()
    for replied, gap in ends:
        now += gap
        if replied:
            circuit.replied()
            row = 0
        else:
            since = now if row == 0 else since
            row += 1
            circuit.failed(now, refused=True)
        assert circuit.closed == (row < OPEN_AFTER)
        if not replied:
            assert circuit.down == (row >= OPEN_AFTER and now - since >= 60)


def test_a_silent_endpoint_is_reported_once_per_doubling() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=lambda number: 1000.0)
    events: list[str] = []

    async def run() -> None:
        caller = Caller(LimitSettings(), clock=clock, on_event=events.append)
        await asyncio.gather(*(caller.call(model, ask(), key_of(n)) for n in range(5)))
        await caller.close()

    clock.run(run())
    assert events[0] == "no reply from `http://simulated` for 30 s, 5 calls in flight"
    assert len(events) == 6  # 30, 60, 120, ... s


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("concurrency", 0), ("attempts", 0), ("resend", -0.1), ("timeout_s", 0), ("down_after_s", 0)],
)
def test_settings_that_would_never_send_a_call_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        LimitSettings(**{name: value})  # type: ignore[arg-type]
