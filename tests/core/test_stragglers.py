"""Claim: late attempts are sent once more, lost ones given up, and each is accounted for once."""

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
from selfsown.core.errors import Suspended
from selfsown.core.limits import LimitSettings
from selfsown.core.model import RETRYABLE, Answer, AttemptFailed, Price
from selfsown.core.request import Completion, Request, Usage
from selfsown.core.stragglers import Flight, Latencies, Race


def hanging(share: float, hang_s: float, seed: int = 0) -> object:
    rng = random.Random(seed)
    return lambda number: hang_s if rng.random() < share else rng.lognormvariate(-1, 0.4)


def make_many(
    clock: FakeClock, model: SimulatedModel, count: int, limits: LimitSettings
) -> tuple[Caller, list[Outcome], list[tuple[bytes, AttemptRecord]]]:
    late: list[tuple[bytes, AttemptRecord]] = []
    caller = Caller(
        limits,
        clock=clock,
        budget=Budget(100.0),
        on_late_attempt=lambda key, record: late.append((key, record)),
    )

    async def run() -> list[Outcome]:
        calls = [caller.call(model, ask(), key_of(number)) for number in range(count)]
        outcomes = await asyncio.gather(*calls)
        await clock.sleep(100)
        await caller.close()
        return outcomes

    return caller, clock.run(run()), late


def test_stragglers_are_sent_again_and_the_first_answer_wins() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=hanging(0.005, 60.0), price=Price(1, 1))
    caller, outcomes, late = make_many(clock, model, 3000, LimitSettings(concurrency=64))
    assert all(outcome.completion for outcome in outcomes)
    assert 5 <= caller.counters.resends <= 60
    assert model.attempts == 3000 + caller.counters.resends
    # every attempt is accounted for, early or late, exactly once, with its real usage
    records = [record for outcome in outcomes for record in outcome.attempts]
    assert len(records) + len(late) == model.attempts
    assert all(record.kind == "ok" for record in records + [record for _, record in late])
    assert caller.counters.spent_tokens == model.billed_tokens
    assert caller.counters.spent_usd == pytest.approx(float(model.billed_usd))


def test_second_attempts_stay_within_their_share_however_many_are_late() -> None:
    clock = FakeClock()
    rng = random.Random(2)
    # after a while everything is slow
    model = SimulatedModel(
        clock,
        latency=lambda n: rng.lognormvariate(-1, 0.3) * (1 if n < 500 else 30),
        price=Price(1, 1),
    )
    caller, outcomes, _ = make_many(clock, model, 2000, LimitSettings(concurrency=64, resend=0.02))
    assert all(outcome.completion for outcome in outcomes)
    assert caller.counters.resends <= 0.02 * 2000


def test_no_second_attempt_when_it_is_switched_off() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=hanging(0.01, 30.0), price=Price(1, 1))
    caller, _, late = make_many(clock, model, 1000, LimitSettings(resend=0))
    assert (caller.counters.resends, model.attempts, late) == (0, 1000, [])


def test_an_attempt_that_hangs_for_ever_is_given_up_and_retried() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, latency=hanging(0.01, 1e6), price=Price(1, 1))
    _, outcomes, _ = make_many(clock, model, 1000, LimitSettings(resend=0))
    assert all(outcome.completion for outcome in outcomes)
    kinds = [record.kind for outcome in outcomes for record in outcome.attempts]
    assert 1 <= kinds.count("timeout") <= 40
    assert clock.now < 1500


def test_reasoning_models_are_neither_given_up_nor_sent_twice() -> None:
    clock = FakeClock()
    rng = random.Random(1)

    class Thinker(SimulatedModel):
        async def attempt(self, request: Request, **options: object):  # type: ignore[override,no-untyped-def]
            answer = await super().attempt(request)
            usage = Usage(5, 10, reasoning_tokens=5)
            return type(answer)(Completion(text="x", usage=usage), None)

    model = Thinker(
        clock, latency=lambda n: 500.0 if rng.random() < 0.02 else 1.0, price=Price(1, 1)
    )
    caller, outcomes, _ = make_many(clock, model, 1000, LimitSettings())
    assert all(len(outcome.attempts) == 1 for outcome in outcomes)
    assert caller.counters.resends == 0


# --- everything at once --------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_whatever_goes_wrong_every_call_ends_and_every_attempt_is_counted_once(seed: int) -> None:
    rng = random.Random(seed)
    clock = FakeClock()
    shares = {kind: rng.choice([0, 0.01, 0.1]) for kind in sorted(RETRYABLE)}
    shares |= {kind: rng.choice([0, 0.01]) for kind in ("bad_request", "schema", "content_filter")}

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        for kind, share in shares.items():
            if rng.random() < share:
                status = {"rate_limit": 429, "overloaded": rng.choice([500, 503])}.get(kind)
                after = rng.choice([None, 1.0])
                return AttemptFailed(kind, "x", status=status, retry_after_s=after)  # type: ignore[arg-type]
        return None

    model = SimulatedModel(
        clock,
        fault=fault,
        capacity=rng.choice([None, 5, 20]),
        latency=hanging(rng.choice([0, 0.01]), 1e5, seed),  # type: ignore[arg-type]
        price=Price(1, 1),
    )
    limits = LimitSettings(
        concurrency=rng.choice([1, 8, 64]),
        requests_per_minute=rng.choice([None, 600]),
        resend=rng.choice([0, 0.02, 0.5]),
    )
    late: list[AttemptRecord] = []
    caller = Caller(
        limits,
        clock=clock,
        budget=Budget(1.0),
        on_late_attempt=lambda key, record: late.append(record),
    )

    async def run() -> list[Outcome | BaseException]:
        calls = [caller.call(model, ask(), key_of(number)) for number in range(150)]
        ends = await asyncio.gather(*calls, return_exceptions=True)
        await caller.close()
        return ends

    ends = clock.run(run())
    for end in ends:
        assert isinstance(end, (Outcome, Suspended))
        assert not isinstance(end, Outcome) or (end.completion is None) == bool(end.error)
    listed = [record for end in ends if isinstance(end, Outcome) for record in end.attempts]
    assert len(listed) + len(late) == model.attempts == caller.counters.attempts
    assert (caller.counters.in_flight, caller.counters.waiting) == (0, 0)


def test_an_attempt_that_has_ended_is_not_late() -> None:
    clock = FakeClock()

    async def run() -> None:
        race = Race(Latencies(100))
        first, second = Flight(), Flight()
        race.join(first)
        first.started = clock.now
        assert race.is_late(clock.now + 10, 2.0)
        race.join(second)
        second.started = clock.now
        race.landed(first, AttemptFailed("timeout", "lost"))
        assert race.is_late(clock.now + 10, 2.0)
        race.landed(second, Answer(Completion(text="x")))
        assert not race.is_late(clock.now + 10, 2.0)

    clock.run(run())


def test_a_second_attempt_that_fails_at_once_is_followed_by_a_third() -> None:
    clock = FakeClock()
    latency = hanging(0, 0)
    slow = {300}  # the last one, so that its second attempt is number 301
    busy = AttemptFailed("rate_limit", "busy", status=429)
    model = SimulatedModel(
        clock,
        latency=lambda number: 500.0 if number in slow else latency(number),  # type: ignore[operator]
        fault=lambda model, number: busy if number == 301 else None,
        price=Price(1, 1),
    )
    caller, outcomes, _ = make_many(clock, model, 300, LimitSettings(concurrency=8))
    assert all(outcome.completion for outcome in outcomes)
    assert caller.counters.resends == 2
