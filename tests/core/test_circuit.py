"""Claim: an endpoint out of reach is waited for, reported, and costs no row."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.caller import Caller
from selfsown.core.circuit import OPEN_AFTER, Circuit
from selfsown.core.errors import EnvironmentFailure
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
