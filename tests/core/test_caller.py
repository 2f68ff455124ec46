"""Claim: a call ends in an answer, a final outcome that replays, or a suspended run."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.budget import Budget
from selfsown.core.caller import AttemptRecord, Caller, Outcome
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.limits import LimitSettings
from selfsown.core.model import ENVIRONMENT, RETRYABLE, AttemptFailed, FailureKind, Price
from selfsown.core.request import Completion, Request, Usage
from selfsown.core.retry import RetryPolicy, Tries

ALL_KINDS = FailureKind.__args__  # type: ignore[attr-defined]
QUIET = LimitSettings(resend=0, timeout_s=None)


def failing(kind: str, times: int = 10**9, **details: object) -> object:
    """A fault that strikes the first so many attempts."""
    return lambda model, number: (
        AttemptFailed(kind, "because", **details) if number <= times else None  # type: ignore[arg-type]
    )


def one_call(
    clock: FakeClock, model: SimulatedModel, limits: LimitSettings = QUIET, **options: object
) -> Outcome:
    async def run() -> Outcome:
        caller = Caller(limits, clock=clock, rng=random.Random(0), **options)  # type: ignore[arg-type]
        try:
            return await caller.call(model, ask(), key_of(1))
        finally:
            await caller.close()

    return clock.run(run())


# --- the policy, kind by kind --------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(RETRYABLE))
def test_every_retryable_failure_is_retried_and_leaves_its_record(kind: str) -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, fault=failing(kind, 2))
    outcome = one_call(clock, model)
    assert outcome.completion is not None
    assert [attempt.kind for attempt in outcome.attempts] == [kind, kind, "ok"]
    assert [attempt.number for attempt in outcome.attempts] == [1, 2, 3]


@pytest.mark.parametrize("kind", sorted(set(ALL_KINDS) - RETRYABLE - ENVIRONMENT))
def test_a_final_failure_is_an_outcome_after_one_attempt(kind: str) -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, fault=failing(kind))
    outcome = one_call(clock, model)
    assert (outcome.completion, outcome.error_kind) == (None, kind)
    assert outcome.error is not None and "because" in outcome.error
    assert model.attempts == 1


@pytest.mark.parametrize("kind", sorted(ENVIRONMENT))
def test_a_failure_of_the_environment_suspends_and_says_what_to_do(kind: str) -> None:
    clock = FakeClock()
    heard: list[AttemptRecord] = []
    model = SimulatedModel(clock, fault=failing(kind, status=401))
    with pytest.raises(EnvironmentFailure) as caught:
        one_call(clock, model, on_late_attempt=lambda key, record: heard.append(record))
    assert model.attempts == 1
    assert model.uri in caught.value.what and caught.value.why and "resumes" in caught.value.fix
    assert [record.kind for record in heard] == [kind]  # no outcome lists it


def test_a_refused_key_names_the_variable_to_set() -> None:
    for scheme, variable in (
        ("anthropic:m", "ANTHROPIC_API_KEY"),
        ("openai:m", "OPENAI_API_KEY"),
        ("http://localhost/v1#m", "OPENAI_API_KEY"),
    ):
        clock = FakeClock()

        class Keyed(SimulatedModel):
            uri = scheme

        with pytest.raises(EnvironmentFailure, match="API key") as caught:
            one_call(clock, Keyed(clock, fault=failing("auth", status=401)))
        assert f"`{variable}`" in caught.value.fix
    clock = FakeClock()
    missing = AttemptFailed("auth", "there is no API key: set `MY_API_KEY`")
    with pytest.raises(EnvironmentFailure, match="needs an API key") as caught:
        one_call(clock, SimulatedModel(clock, fault=lambda model, number: missing))
    assert "set `MY_API_KEY` to" in caught.value.fix


def test_404_suspends_before_the_first_success_and_fails_one_row_after_it() -> None:
    clock = FakeClock()
    gone = AttemptFailed("not_found", "no such model", status=404)
    model = SimulatedModel(clock, fault=lambda model, number: gone if number == 2 else None)

    async def run() -> None:
        caller = Caller(QUIET, clock=clock)
        assert (await caller.call(model, ask(), key_of(1))).completion is not None
        assert (await caller.call(model, ask(), key_of(2))).error_kind == "not_found"
        await caller.close()

    clock.run(run())


def test_retries_end_and_the_outcome_text_is_the_same_every_time() -> None:
    texts = set()
    for seed in range(5):
        clock = FakeClock(start=1000.0 * seed)
        model = SimulatedModel(clock, fault=failing("overloaded", status=500))
        outcome = one_call(clock, model)
        assert outcome.error_kind == "retries_exhausted"
        assert model.attempts == 8
        texts.add(outcome.error)
    assert texts == {
        "no usable answer in 8 attempts, the last one failed with `overloaded`: because"
    }


def test_an_answer_that_stays_empty_is_given_up_early_because_each_is_paid() -> None:
    clock = FakeClock()
    empty = Completion(text="", usage=Usage(5, 3))
    model = SimulatedModel(
        clock, fault=failing("empty", completion=empty, may_be_billed=True), price=Price(1, 1)
    )
    outcome = one_call(clock, model)
    assert (outcome.error_kind, model.attempts) == ("empty", 3)
    assert [attempt.cost_usd for attempt in outcome.attempts] == [pytest.approx(8e-6)] * 3


def test_retry_after_is_waited_for_and_no_other_call_waits() -> None:
    clock = FakeClock()
    slow = AttemptFailed("rate_limit", "busy", status=429, retry_after_s=20.0)
    model = SimulatedModel(clock, fault=lambda model, number: slow if number == 1 else None)
    ends: dict[int, float] = {}

    async def run() -> None:
        caller = Caller(QUIET, clock=clock)

        async def one(number: int) -> None:
            await caller.call(model, ask(), key_of(number))
            ends[number] = clock.now

        await asyncio.gather(*(one(number) for number in range(10)))
        await caller.close()

    clock.run(run())
    assert 1021 <= ends[0] < 1022
    assert all(ends[number] == pytest.approx(1001) for number in range(1, 10))


def test_a_storm_of_429_kills_no_row() -> None:
    clock = FakeClock()

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        storm = clock.now < 1600
        return AttemptFailed("rate_limit", "x", status=429, retry_after_s=10) if storm else None

    model = SimulatedModel(clock, fault=fault)

    async def run() -> None:
        caller = Caller(QUIET, clock=clock)
        calls = [caller.call(model, ask(), key_of(number)) for number in range(300)]
        assert all(outcome.completion for outcome in await asyncio.gather(*calls))
        await caller.close()

    clock.run(run())
    assert clock.now < 1650


def test_an_endpoint_that_only_ever_refuses_suspends_the_run_in_the_end() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, fault=failing("rate_limit", status=429))
    with pytest.raises(EnvironmentFailure, match="refuses every call"):
        one_call(clock, model)


def test_a_request_that_alone_is_refused_for_ever_fails_alone() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock)

    class TooBig(SimulatedModel):
        async def attempt(self, request: Request, **options: object):  # type: ignore[override,no-untyped-def]
            if request.prompt == "big":
                raise AttemptFailed("rate_limit", "too large for the quota", status=429)
            return await super().attempt(request)

    model = TooBig(clock)

    async def run() -> None:
        caller = Caller(QUIET, clock=clock)
        others = [caller.call(model, ask(), key_of(number)) for number in range(100_000 // 10)]
        big, *rest = await asyncio.gather(caller.call(model, ask("big"), key_of(-1)), *others)
        assert big.error_kind == "retries_exhausted"
        assert all(outcome.completion for outcome in rest)
        await caller.close()

    clock.run(run())


@settings(max_examples=200, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(RETRYABLE)), max_size=40),
    seed=st.integers(0, 100),
)
def test_waits_stay_within_their_bounds_and_attempts_within_their_number(
    kinds: list[str], seed: int
) -> None:
    policy = RetryPolicy()
    tries = Tries(policy, random.Random(seed))
    for kind in kinds:
        failure = AttemptFailed(kind, "", retry_after_s=None)  # type: ignore[arg-type]
        wait = tries.wait_s(failure, 0.0)
        if wait is None:
            assert tries.counted == policy.attempts or tries.empty == policy.empty
            break
        bound = policy.base_s * 2 ** (max(tries.counted, tries.refused, tries.unreached) - 1)
        assert 0 <= wait <= min(policy.cap_s, bound)
        assert tries.counted < policy.attempts


# --- local models --------------------------------------------------------------------------------


def test_a_local_model_is_not_held_back_timed_out_or_sent_twice() -> None:
    clock = FakeClock()
    rng = random.Random(0)
    model = SimulatedModel(
        clock, local=True, price=Price(0, 0), latency=lambda n: 1000.0 if rng.random() < 0.1 else 1
    )
    limits = LimitSettings(concurrency=4, requests_per_minute=1, timeout_s=5, resend=1.0)
    events: list[str] = []

    async def run() -> None:
        caller = Caller(limits, clock=clock, on_event=events.append)
        calls = [caller.call(model, ask(), key_of(number)) for number in range(500)]
        await asyncio.sleep(0)
        assert caller.counters.in_flight == 0 or caller.counters.limit > 0
        await asyncio.gather(*calls)
        await caller.close()

    clock.run(run())
    assert (model.attempts, model.most_in_flight, events) == (500, 500, [])
    assert set(model.timeouts) == {None}


@pytest.mark.parametrize("kind", ["empty", "malformed"])
def test_a_local_model_would_only_repeat_itself(kind: str) -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, local=True, fault=failing(kind))
    assert one_call(clock, model).error_kind == kind
    assert model.attempts == 1


def test_the_seed_of_an_attempt_follows_from_the_key() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, fault=failing("overloaded", 1))
    one_call(clock, model)
    one_call(clock, model)
    assert len(set(model.seeds)) == 1
    assert 0 <= model.seeds[0] < 2**63


def test_a_given_time_out_is_handed_to_the_model() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock)
    one_call(clock, model, LimitSettings(timeout_s=7.5))
    one_call(clock, model, LimitSettings(timeout_s=None))
    assert model.timeouts == [7.5, None]


# --- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [QUIET, LimitSettings()])
def test_a_cancelled_call_settles_its_worst_case_and_is_reported(limits: LimitSettings) -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=lambda number: 100.0, price=Price(1, 1))
    heard: list[AttemptRecord] = []

    async def run() -> None:
        budget = Budget(1.0)
        caller = Caller(
            limits,
            clock=clock,
            budget=budget,
            on_late_attempt=lambda key, record: heard.append(record),
        )
        call = asyncio.create_task(caller.call(model, ask(), key_of(1)))
        await clock.sleep(5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert caller.counters.in_flight == 0
        assert budget.spent.usd == pytest.approx((64 + 5 + 100) / 1e6)
        await caller.close()
        assert budget.committed == budget.spent

    clock.run(run())
    assert [record.kind for record in heard] == ["cancelled"]


def test_closing_ends_what_is_under_way_and_leaves_no_task() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=lambda number: 1e9)

    async def run() -> None:
        caller = Caller(clock=clock)
        calls = [asyncio.create_task(caller.call(model, ask(), key_of(n))) for n in range(50)]
        await clock.sleep(5)
        for call in calls[:10]:
            call.cancel()
        await clock.sleep(1)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await caller.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (caller.counters.in_flight, caller.counters.waiting) == (0, 0)

    clock.run(run())


def test_what_a_backend_should_not_raise_still_settles_everything() -> None:
    clock = FakeClock()

    class Broken(SimulatedModel):
        async def attempt(self, request: Request, **options: object):  # type: ignore[override,no-untyped-def]
            raise KeyError("choices")

    async def run() -> None:
        for limits in (QUIET, LimitSettings()):
            caller = Caller(limits, clock=clock, budget=Budget(None, 10_000))
            with pytest.raises(KeyError):
                await caller.call(Broken(clock), ask(), key_of(1))
            assert caller.counters.in_flight == 0
            await caller.close()

    clock.run(run())
