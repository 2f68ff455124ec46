"""Claim: whatever makes it refuse, an endpoint is used nearly as well as it can be, and politely.

All of it in simulated time; the reference are bare workers without manners on the same endpoint.
"""

from __future__ import annotations

import asyncio
import math

import pytest
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel
from tests.core.weather import Weather, achievable, caller_gets, steps, storm

from selfsown.core.caller import Caller
from selfsown.core.concurrency import AdaptiveLimit
from selfsown.core.naps import Naps
from selfsown.core.tolerance import ALWAYS, Tolerance

SECONDS = 24.0
SEEDS = (2, 3)
AT_ONCE = 0.01
"""Failures that come much sooner than answers; else they take as long."""

WEATHERS = {
    "no fault": Weather(),
    "429 for 3 %": Weather(failing=lambda now: 0.03, retry_after_s=0.5),
    "429 for 20 %": Weather(failing=lambda now: 0.2, retry_after_s=0.5),
    "429 for 20 %, bare": Weather(failing=lambda now: 0.2),
    "429 for 20 %, at once": Weather(failing=lambda now: 0.2, retry_after_s=0.5, failure_s=AT_ONCE),
    "429 storms": Weather(failing=storm(), retry_after_s=0.5),
    "429 storms, bare": Weather(failing=storm()),
    "429 storms, at once": Weather(failing=storm(), retry_after_s=0.5, failure_s=AT_ONCE),
    "429 storms, bare and at once": Weather(failing=storm(), failure_s=AT_ONCE),
    "500 for 10 %": Weather(failing=lambda now: 0.1, kind="overloaded"),
    "500 storms": Weather(failing=storm(), kind="overloaded"),
    "500 storms, at once": Weather(failing=storm(), kind="overloaded", failure_s=AT_ONCE),
    "capacity 24, 8, 16": Weather(capacity=steps(2, (24, 8, 16)), retry_after_s=0.5),
    "capacity 24, 8, 16, slowly": Weather(capacity=steps(20, (24, 8, 16)), retry_after_s=0.5),
    "capacity 16 and 429 for 3 %": Weather(
        capacity=lambda now: 16, failing=lambda now: 0.03, retry_after_s=0.5
    ),
}


@pytest.mark.parametrize("name", WEATHERS)
def test_95_per_cent_of_the_achievable_under_every_weather(name: str) -> None:
    weather = WEATHERS[name]
    possible = len(SEEDS) * achievable(weather, SECONDS).answered
    ours = sum(caller_gets(weather, SECONDS, seed=seed).answered for seed in SEEDS)
    assert ours >= 0.95 * possible


@pytest.mark.parametrize("capacity", [4, 8, 24, 100])
@pytest.mark.parametrize("retry_after_s", [0.5, None])
def test_a_hidden_capacity_costs_few_refusals_in_the_long_run(
    capacity: int, retry_after_s: float | None
) -> None:
    counts: list[tuple[int, int]] = []

    def look(now: float, caller: Caller, model: SimulatedModel) -> None:
        counts.append((model.refused, model.answered))

    weather = Weather(capacity=lambda now: capacity, retry_after_s=retry_after_s)
    caller_gets(weather, 65.0, concurrency=max(32, 2 * capacity), look=look)
    refused, answered = (counts[-1][n] - counts[50][n] for n in (0, 1))  # but the first 5 s
    assert refused <= 0.06 * (refused + answered)
    assert answered >= 0.95 * 60 * capacity / (0.2 * math.exp(0.02))


@pytest.mark.parametrize("failure_s", [0.2, AT_ONCE])
@pytest.mark.parametrize("retry_after_s", [0.5, None])
@pytest.mark.parametrize("ahead", [64, 2000])
def test_a_long_storm_is_sat_out_with_single_calls_and_its_end_is_seen_at_once(
    failure_s: float, retry_after_s: float | None, ahead: int
) -> None:
    attempts: list[int] = []
    answered: list[int] = []

    def look(now: float, caller: Caller, model: SimulatedModel) -> None:
        attempts.append(model.attempts)
        answered.append(model.answered)

    weather = Weather(
        failing=lambda now: 1.0 if 10 <= now < 70 else 0.0,
        retry_after_s=retry_after_s,
        failure_s=failure_s,
    )
    caller_gets(weather, 75.0, ahead=ahead, look=look)
    assert attempts[700] - attempts[200] <= 50 * 6  # from 10 s into the storm, 5 a second
    usual = answered[99] / 9.9
    assert answered[730] - answered[700] >= 2 * usual  # of 3 s, whatever they waited for before


def test_a_capacity_that_only_a_few_calls_exceed_is_not_taken_for_a_storm() -> None:
    limits: list[int] = []

    def look(now: float, caller: Caller, model: SimulatedModel) -> None:
        limits.append(caller.counters.limit)

    caller_gets(Weather(capacity=lambda now: 12, retry_after_s=0.5), 20.0, look=look)
    assert max(limits[20:]) <= 16


@pytest.mark.parametrize("failure_s", [0.2, AT_ONCE])
def test_calls_that_are_stuck_do_not_hide_what_a_storm_is(failure_s: float) -> None:
    answered: list[int] = []

    def look(now: float, caller: Caller, model: SimulatedModel) -> None:
        answered.append(model.answered)

    weather = Weather(failing=storm(10, 1.5), failure_s=failure_s, retry_after_s=0.5, stuck=2)
    caller_gets(weather, 15.0, look=look)
    usual = answered[99] / 99
    assert answered[145] - answered[115] >= 0.8 * 30 * usual


# --- the limit alone -----------------------------------------------------------------------------


def test_a_storm_leaves_no_trace_in_the_limit() -> None:
    limit = AdaptiveLimit(32, 32)
    sent = answer(limit, 200)
    for depth in range(31, -1, -1):  # all that were in flight
        limit.refused(sent - depth, 32, in_flight=depth, nothing_left=False)
    assert limit.limit < 32
    limit.serial += 1
    limit.refused(limit.serial, 1, in_flight=0, nothing_left=False)
    assert limit.limit == 32
    answer(limit, 1)
    assert (limit.limit, limit.room) == (32, 32)


def test_places_rest_only_while_refusals_are_more_than_is_usual() -> None:
    limit = AdaptiveLimit(32, 32)
    answer(limit, 100)
    rests = []
    for _ in range(3):
        limit.serial += 1
        rests.append(limit.refused(limit.serial, 32, in_flight=31, nothing_left=False, lag=AT_ONCE))
    assert rests == [False, False, True]
    assert limit.room == 31
    limit.rested()
    assert limit.room == 32


def answer(limit: AdaptiveLimit, count: int) -> int:
    """Answer so many calls, all places in use; the serial of the last."""
    for _ in range(count):
        limit.serial += 1
        limit.replied(limit.serial, limit.limit)
    return limit.serial


# --- what is tolerated ---------------------------------------------------------------------------


def test_a_share_that_was_learnt_is_looked_into_again_and_forgotten_in_good_weather() -> None:
    tolerance = Tolerance()
    assert tolerance.exceeded(10, 50)
    tolerance.learn(0.2)
    assert not tolerance.exceeded(10, 50)
    for _ in range(64):
        tolerance.round_ended(10, 50)
    assert (tolerance.share, tolerance.usual) == (ALWAYS, 0.2)
    for _ in range(32):
        tolerance.round_ended(0, 50)
    assert (tolerance.share, tolerance.usual) == (ALWAYS, ALWAYS)


# --- waits ---------------------------------------------------------------------------------------


def test_an_answer_wakes_a_few_of_those_who_sleep_longest() -> None:
    clock = FakeClock()

    async def run() -> list[tuple[int, float]]:
        naps = Naps(clock)
        woke: list[tuple[int, float]] = []

        async def sleeper(number: int) -> None:
            await naps.sleep(10.0 + number)
            woke.append((number, clock.now - 1000))

        tasks = [asyncio.create_task(sleeper(number)) for number in range(6)]
        await clock.sleep(1)
        naps.wake()
        await asyncio.gather(*tasks)
        return woke

    assert clock.run(run()) == [(0, 1), (1, 1), (2, 1), (3, 1), (4, 14), (5, 15)]


def test_a_sleeper_that_is_cancelled_is_not_woken_in_another_s_place() -> None:
    clock = FakeClock()

    async def run() -> float:
        naps = Naps(clock)
        gone = [asyncio.create_task(naps.sleep(100)) for _ in range(8)]
        stays = asyncio.create_task(naps.sleep(100))
        await clock.sleep(1)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        naps.wake()
        await stays
        return clock.now - 1000

    assert clock.run(run()) == 1
