"""Claim: spending never exceeds the cap, wherever a crash happens, and no run starves."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.budget import NANO, Budget
from selfsown.core.caller import Caller
from selfsown.core.cost import NOTHING, Amount, Tariff, actual_cost, worst_case
from selfsown.core.errors import BudgetExhausted, ConfigError
from selfsown.core.limits import LimitSettings
from selfsown.core.model import AttemptFailed, Price
from selfsown.core.request import Request, Usage


@dataclass
class Disk:
    """What a crash leaves behind: the blocks that were committed."""

    commits_late: bool = True
    """The block reaches the disk at the end of the commit, rather than at its beginning."""
    usd: float = 0.0
    tokens: int = 0
    grants: list[tuple[float, int]] = field(default_factory=list)

    def granter(self, clock: FakeClock, commit_s: float):
        async def grant(usd: float, tokens: int) -> None:
            if self.commits_late:
                await clock.sleep(commit_s)
            self.usd += usd
            self.tokens += tokens
            self.grants.append((usd, tokens))
            if not self.commits_late:
                await clock.sleep(commit_s)

        return grant


def budget_on(disk: Disk, clock: FakeClock, usd: float | None, tokens: int | None) -> Budget:
    return Budget(
        usd, tokens, spent_usd=disk.usd, spent_tokens=disk.tokens, grant=disk.granter(clock, 0.003)
    )


# --- must show 7: randomised runs, crashes and resumes ---------------------------------------


def simulated_run(seed: int) -> None:
    """One run of a random shape, crashed and resumed some times, under a random cap."""
    rng = random.Random(seed)
    clock = FakeClock()
    price = Price(rng.choice([0.0375, 0.15, 3, 15]), rng.choice([0.15, 0.6, 15, 75]))
    calls = [
        (number, ask("x" * rng.randint(1, 400), rng.randint(1, 400)))
        for number in range(rng.randint(1, 60))
    ]
    bound = sum(worst_case(request, Tariff.of(price)).usd for _, request in calls)
    cap_usd = rng.choice([None, bound * rng.uniform(0.01, 1.5)])
    total = sum(worst_case(request, None).tokens for _, request in calls)
    cap_tokens = rng.choice([None, int(total * rng.uniform(0.01, 1.5))])
    kinds = ("overloaded", "timeout", "connection", "schema")

    def fault(model: SimulatedModel, number: int) -> AttemptFailed | None:
        if rng.random() > 0.1:
            return None
        kind = rng.choice(kinds)
        billed = rng.random() < 0.5
        if billed:
            model.bill(Usage(1, rng.randint(0, 1)))
        return AttemptFailed(kind, "injected", status=500, may_be_billed=billed)

    model = SimulatedModel(
        clock,
        latency=lambda number: rng.lognormvariate(-1, 0.8) * (40 if rng.random() < 0.02 else 1),
        fault=fault,
        tokens=lambda request, number: rng.randint(0, request.max_tokens),
        price=price,
    )
    disk = Disk(commits_late=rng.random() < 0.5)
    done: set[int] = set()

    async def session(lifetime: float | None) -> None:
        caller = Caller(
            LimitSettings(concurrency=rng.randint(1, 20), resend=0.2),
            budget=budget_on(disk, clock, cap_usd, cap_tokens),
            clock=clock,
            rng=random.Random(seed),
        )

        async def one(number: int, request: Request) -> None:
            await caller.call(model, request, key_of(number))
            done.add(number)

        work = [one(*call) for call in calls if call[0] not in done]
        everything = asyncio.gather(*work, return_exceptions=True)
        if lifetime is not None:
            await clock.sleep(lifetime)
            return  # kill -9: the loop dies, nothing is closed, only the disk remains
        for result in await everything:
            assert result is None or isinstance(result, BudgetExhausted)
        await caller.close()

    for lifetime in [rng.uniform(0.0, 3.0) for _ in range(rng.randint(0, 3))] + [None]:
        clock.run(session(lifetime))
        if cap_usd is not None:
            assert model.billed_usd * NANO <= round(disk.usd * NANO) <= cap_usd * NANO
        if cap_tokens is not None:
            assert model.billed_tokens <= disk.tokens <= cap_tokens


@pytest.mark.parametrize("block", range(10))
def test_in_1000_random_runs_with_crashes_spending_never_exceeds_the_cap(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        simulated_run(seed)


# --- the budget alone, against a model of it ---------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(
    cap=st.integers(0, 5000),
    steps=st.lists(st.tuples(st.integers(0, 400), st.floats(0, 1)), max_size=60),
    lifetime=st.integers(1, 30),
)
def test_committed_stays_within_the_cap_and_covers_everything_reserved(
    cap: int, steps: list[tuple[int, float]], lifetime: int
) -> None:
    clock = FakeClock()
    disk = Disk()
    billed = 0

    async def run() -> None:
        nonlocal billed
        budget = budget_on(disk, clock, None, cap)
        outstanding: list[tuple[Amount, int]] = []
        for age, (need, share) in enumerate(steps):
            if age % lifetime == lifetime - 1:  # a crash: what is outstanding is never settled
                budget = budget_on(disk, clock, None, cap)
                outstanding.clear()
            amount = Amount(0, need)
            if len(outstanding) > 5:
                reserved, actual = outstanding.pop(0)
                budget.settle(reserved, Amount(0, actual))
            waiting = asyncio.create_task(budget.reserve(amount))
            await clock.sleep(0.01)
            while not waiting.done() and outstanding:
                reserved, actual = outstanding.pop(0)
                budget.settle(reserved, Amount(0, actual))
                await clock.sleep(0.01)
            try:
                await waiting
            except BudgetExhausted:
                assert disk.tokens + need > cap or billed + need > cap
                continue
            actual = round(share * need)
            billed += actual  # the provider bills what is sent, whatever becomes of us
            outstanding.append((amount, actual))
            assert billed <= disk.tokens <= cap
            assert budget.committed.tokens == disk.tokens

    clock.run(run())


def test_a_run_whose_true_cost_fits_the_cap_with_one_worst_case_to_spare_is_finished() -> None:
    for seed in range(30):
        rng = random.Random(seed)
        clock = FakeClock()
        price = Price(1, 10)
        requests = [ask("x" * rng.randint(1, 300), rng.randint(50, 1000)) for _ in range(80)]
        tokens = [rng.randint(1, 60) % request.max_tokens for request in requests]
        true = sum(
            actual_cost(Usage(len(request.prompt or ""), out), Tariff.of(price)).nano_usd
            for request, out in zip(requests, tokens, strict=True)
        )
        slack = max(worst_case(request, Tariff.of(price)).nano_usd for request in requests)
        answers = {id(request): out for request, out in zip(requests, tokens, strict=True)}
        model = SimulatedModel(
            clock, price=price, tokens=lambda request, number, book=answers: book[id(request)]
        )
        disk = Disk()

        async def run(cap: float, work=requests, model=model, disk=disk, clock=clock) -> None:
            caller = Caller(
                LimitSettings(concurrency=16),
                budget=budget_on(disk, clock, cap, None),
                clock=clock,
            )
            calls = [caller.call(model, each, key_of(n)) for n, each in enumerate(work)]
            await asyncio.gather(*calls)
            await caller.close()

        clock.run(run((true + slack) / NANO))
        assert model.answered == len(requests)
        assert round(disk.usd * NANO) == true  # the rest was handed back


def test_a_cap_that_cannot_cover_one_call_refuses_at_once_and_says_how_to_raise_it() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, price=Price(1, 1))

    async def run() -> None:
        caller = Caller(budget=Budget(0.000001), clock=clock)
        with pytest.raises(BudgetExhausted) as caught:
            await caller.call(model, ask(), key_of(1))
        assert "--budget-usd" in caught.value.fix
        assert "$" in caught.value.why
        await caller.close()

    clock.run(run())
    assert model.attempts == 0


def test_a_reservation_waits_for_outstanding_ones_that_could_make_room() -> None:
    clock = FakeClock()

    async def run() -> None:
        budget = Budget(None, 100)
        await budget.reserve(Amount(0, 80))
        second = asyncio.create_task(budget.reserve(Amount(0, 60)))
        await clock.sleep(1)
        assert not second.done()
        budget.settle(Amount(0, 80), Amount(0, 10))
        await second
        with pytest.raises(BudgetExhausted, match="100 tokens"):
            await budget.reserve(Amount(0, 91))  # 10 are spent for good

    clock.run(run())


def test_small_reservations_do_not_overtake_a_large_one_that_waits() -> None:
    clock = FakeClock()

    async def run() -> None:
        budget = Budget(None, 100)
        await budget.reserve(Amount(0, 50))
        large = asyncio.create_task(budget.reserve(Amount(0, 90)))
        await clock.sleep(1)
        assert not budget.reserve_now(Amount(0, 1))
        small = asyncio.create_task(budget.reserve(Amount(0, 1)))
        await clock.sleep(1)
        assert not small.done()
        budget.settle(Amount(0, 50), NOTHING)
        await large
        await small

    clock.run(run())


def test_a_cancelled_reservation_neither_blocks_the_queue_nor_keeps_anything() -> None:
    clock = FakeClock()

    async def run() -> None:
        budget = Budget(None, 100)
        await budget.reserve(Amount(0, 50))
        waiting = [asyncio.create_task(budget.reserve(Amount(0, 90))) for _ in range(3)]
        await clock.sleep(1)
        waiting[0].cancel()
        waiting[1].cancel()
        await clock.sleep(1)
        budget.settle(Amount(0, 50), NOTHING)
        await waiting[2]
        assert budget.committed.tokens <= 100

    clock.run(run())


def test_blocks_cover_many_calls_far_from_the_cap_and_are_exact_near_it() -> None:
    clock = FakeClock()
    disk = Disk()

    async def run() -> None:
        budget = budget_on(disk, clock, None, 1_000_000)
        for _ in range(10_000):
            await budget.reserve(Amount(0, 100))
            budget.settle(Amount(0, 100), Amount(0, 100))
        assert disk.tokens == 1_000_000
        with pytest.raises(BudgetExhausted):
            await budget.reserve(Amount(0, 1))

    clock.run(run())
    assert disk.grants[0][1] == 6400  # 64 calls
    assert len(disk.grants) < 800


@pytest.mark.parametrize("commits_late", [True, False])
def test_far_from_the_cap_nobody_waits_for_a_block_and_a_crash_loses_no_more_than_was_in_flight(
    commits_late: bool,
) -> None:
    clock = FakeClock()
    disk = Disk(commits_late)
    need, true, in_flight, billed, waits = Amount(0, 100), Amount(0, 30), 200, 0, 0

    async def run() -> None:
        nonlocal billed, waits
        budget = Budget(
            None, 10**9, spent_tokens=disk.tokens, grant=disk.granter(clock, commit_s=0.05)
        )

        async def call() -> None:
            nonlocal billed, waits
            if not budget.reserve_now(need):
                waits += 1
                await budget.reserve(need)
            billed += true.tokens  # from now on the provider may bill it
            assert billed <= budget.committed.tokens <= 10**9
            if commits_late:
                assert billed <= disk.tokens
            await clock.sleep(0.2)
            budget.settle(need, true)

        async with asyncio.TaskGroup() as calls:
            for _ in range(5_000):
                calls.create_task(call())
                await clock.sleep(0.001)
        # killed here: nothing is handed back

    clock.run(run())
    assert waits <= in_flight  # at the start, before the size of the run has shown
    assert disk.tokens - billed <= 3 * in_flight * need.tokens
    before = disk.tokens
    clock.run(run())
    assert disk.tokens - before >= 5_000 * true.tokens


def test_a_clean_end_hands_back_what_was_not_used() -> None:
    clock = FakeClock()
    disk = Disk()

    async def run() -> None:
        budget = budget_on(disk, clock, None, 1_000_000)
        await budget.reserve(Amount(0, 100))
        for _ in range(50):  # the last of them have the next block committed meanwhile
            assert budget.reserve_now(Amount(0, 100))
        for _ in range(51):
            budget.settle(Amount(0, 100), Amount(0, 30))
        await budget.close()

    clock.run(run())
    assert len(disk.grants) == 3
    assert disk.tokens == 51 * 30


def test_a_block_whose_commit_fails_is_not_used_and_counts_as_spent() -> None:
    clock = FakeClock()

    async def full_disk(usd: float, tokens: int) -> None:
        raise OSError("no space")

    async def run() -> None:
        budget = Budget(None, 1000, grant=full_disk)
        with pytest.raises(OSError, match="no space"):
            await budget.reserve(Amount(0, 10))
        assert not budget.reserve_now(Amount(0, 10))
        assert budget.committed.tokens >= 10

    clock.run(run())


def test_a_cap_in_usd_refuses_a_model_of_unknown_price_before_the_first_call() -> None:
    clock = FakeClock()
    model = SimulatedModel(clock, price=None)

    async def run() -> None:
        with pytest.raises(ConfigError, match="price of"):
            await Caller(budget=Budget(1.0), clock=clock).call(model, ask(), key_of(1))
        caller = Caller(budget=Budget(None, 10_000), clock=clock)  # tokens need no price
        outcome = await caller.call(model, ask(), key_of(1))
        assert outcome.attempts[0].cost_usd is None
        await caller.close()

    clock.run(run())
    assert model.attempts == 1


def test_a_negative_cap_is_refused() -> None:
    with pytest.raises(ConfigError, match="--budget-tokens"):
        Budget(None, -1)


def test_costs_are_exact_integers() -> None:
    # 1,000 prompt tokens, 400 of them cached, at $0.15 and $0.075; 100 generated, $0.60 a million:
    # 600 * 150 + 400 * 75 + 100 * 600 nano-USD = 90,000 + 30,000 + 60,000 = 180,000
    tariff = Tariff.of(Price(0.15, 0.60, 0.075))
    assert tariff is not None
    assert tariff.cost(Usage(1000, 100, 400)) == 180_000
    assert tariff.worst(1000, 100) == 1000 * 150 + 100 * 600
    assert Tariff.of(Price(0.0375, 0)).cost(Usage(1, 0)) == 38  # 37.5, rounded up


def test_an_attempt_that_may_have_been_billed_costs_its_worst_case() -> None:
    clock = FakeClock()
    cut = AttemptFailed("connection", "cut", may_be_billed=True)
    refused = AttemptFailed("overloaded", "busy", status=500)
    model = SimulatedModel(
        clock, price=Price(1, 1), fault=lambda model, number: {1: cut, 2: refused}.get(number)
    )
    request = ask()

    async def run() -> None:
        budget = Budget(1.0)
        caller = Caller(budget=budget, clock=clock)
        outcome = await caller.call(model, request, key_of(1))
        worst = worst_case(request, Tariff.of(Price(1, 1))).usd
        costs = [attempt.cost_usd for attempt in outcome.attempts]
        assert costs == [pytest.approx(worst), 0.0, pytest.approx(15e-6)]  # 5 + 10 tokens
        assert budget.spent.usd == pytest.approx(worst + 15e-6)
        await caller.close()

    clock.run(run())
