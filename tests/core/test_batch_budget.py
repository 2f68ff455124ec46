"""Claim: with batches under way, killed or re-attached, no more than the cap can be billed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.budget import NANO, Budget
from selfsown.core.cost import Amount
from selfsown.core.errors import BudgetExhausted


@dataclass
class Open:
    """A batch at the provider."""

    session: int
    worst: Amount
    granted: Amount


@dataclass
class Ledger:
    """What the journal holds: grants and attempts per session, and open batches."""

    cap: Amount
    capped: tuple[bool, bool]
    grants: list[list[int]] = field(default_factory=list)
    attempts: list[list[int]] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)
    billed: list[int] = field(default_factory=lambda: [0, 0])

    def begin(self) -> Budget:
        """A new process: what `session.py` does."""
        spent = self.spent()
        self.grants.append([0, 0])
        self.attempts.append([0, 0])

        async def grant(usd: float, tokens: int) -> None:
            self.note(self.grants, -1, Amount(round(usd * NANO), tokens))

        budget = Budget(
            self.cap.usd if self.capped[0] else None,
            self.cap.tokens if self.capped[1] else None,
            spent_usd=spent.usd,
            spent_tokens=spent.tokens,
            grant=grant,
        )
        for batch in self.open:
            budget.adopt_batch(batch.worst, batch.granted)
        return budget

    def note(self, table: list[list[int]], session: int, amount: Amount) -> None:
        table[session][0] += amount.nano_usd
        table[session][1] += amount.tokens

    def bill(self, session: int, amount: Amount) -> None:
        """A call was made: the provider bills it and the journal has its attempt."""
        self.note(self.attempts, session, amount)
        self.billed[0] += amount.nano_usd
        self.billed[1] += amount.tokens

    def spent(self) -> Amount:
        """`history.spent_before`."""
        return Amount(
            *(
                sum(
                    max(grant[unit], paid[unit])
                    for grant, paid in zip(self.grants, self.attempts, strict=True)
                )
                for unit in (0, 1)
            )
        )

    def end(self, batch: Open, cost: Amount) -> None:
        """The rows of a batch's end."""
        self.open.remove(batch)
        self.bill(batch.session, cost)
        back = [min(0, c - g) if g else 0 for c, g in zip(cost, batch.granted, strict=True)]
        self.note(self.grants, batch.session, Amount(*back))

    def check(self, budget: Budget) -> None:
        """Everything that was or could be billed is under the cap, here and on disk."""
        worst = [self.billed[unit] + sum(each.worst[unit] for each in self.open) for unit in (0, 1)]
        for unit in (0, 1):
            if self.capped[unit]:
                assert worst[unit] <= self.cap[unit]
                assert worst[unit] <= self.spent()[unit] <= self.cap[unit]
                assert budget.committed[unit] <= self.cap[unit]


async def history(seed: int) -> None:
    """Several processes with live calls and batches, killed or closed at random."""
    rng = random.Random(seed)
    cap = Amount(rng.randrange(1, 2_000), rng.randrange(1, 2_000))
    ledger = Ledger(cap, rng.choice([(True, True), (True, False), (False, True)]))
    for _ in range(rng.randrange(1, 5)):
        budget = ledger.begin()
        ledger.check(budget)
        for _ in range(rng.randrange(1, 12)):
            await step(rng, ledger, budget)
            ledger.check(budget)
        if rng.random() < 0.5:
            await budget.close()
            ledger.check(budget)


async def step(rng: random.Random, ledger: Ledger, budget: Budget) -> None:
    kind = rng.choice(["live", "batch", "batch", "end", "end"])
    if kind == "live":
        need = amount(rng)
        if await done(budget.reserve(need)):
            cost = part(rng, need)
            ledger.bill(-1, cost)
            budget.settle(need, cost)
    elif kind == "batch":
        needs = [amount(rng) for _ in range(rng.randrange(1, 6))]
        session = len(ledger.grants) - 1

        async def commit(count: int, worst: Amount, grant: Amount) -> None:
            assert worst == Amount(*map(sum, zip(*needs[:count], strict=True)))
            ledger.note(ledger.grants, session, grant)
            ledger.open.append(Open(session, worst, budget.capped_part(worst)))

        await done(budget.reserve_batch(needs, commit))
    elif ledger.open:
        batch = rng.choice(ledger.open)
        cost = part(rng, batch.worst)
        ledger.end(batch, cost)
        budget.settle_batch(batch.worst, cost)


async def done(step: object) -> bool:
    """Whether a reservation came about at once; one that would have to wait is given up."""
    task = asyncio.ensure_future(step)  # type: ignore[arg-type]
    for _ in range(5):
        await asyncio.sleep(0)
    if not task.done():
        task.cancel()
    try:
        await task
    except (BudgetExhausted, asyncio.CancelledError):
        return False
    return True


def amount(rng: random.Random) -> Amount:
    return Amount(rng.randrange(0, 300), rng.randrange(0, 300))


def part(rng: random.Random, whole: Amount) -> Amount:
    return Amount(rng.randint(0, whole.nano_usd), rng.randint(0, whole.tokens))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_no_history_of_processes_can_be_billed_more_than_the_cap(seed: int) -> None:
    asyncio.run(history(seed))


async def commit_nothing(count: int, worst: Amount, grant: Amount) -> None:
    """Where no disk matters."""


async def test_a_batch_that_ends_makes_room_for_the_next_that_waits() -> None:
    budget = Budget(cap_tokens=100)
    assert await budget.reserve_batch([Amount(0, 40)] * 3, commit_nothing) == 2
    waiting = asyncio.ensure_future(budget.reserve_batch([Amount(0, 40)], commit_nothing))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.settle_batch(Amount(0, 80), Amount(0, 15))
    assert await waiting == 1
    assert budget.spent == Amount(0, 15)
    assert budget.committed == Amount(0, 55)


async def test_a_live_call_behind_a_batch_that_waits_is_served_after_it_though_it_would_fit() -> (
    None
):
    budget = Budget(cap_tokens=100)
    assert await budget.reserve_batch([Amount(0, 80)], commit_nothing) == 1
    served: list[str] = []

    async def batch() -> None:
        assert await budget.reserve_batch([Amount(0, 40)] * 3, commit_nothing) == 2
        served.append("batch")

    async def live() -> None:
        await budget.reserve(Amount(0, 5))
        served.append("live")

    async with asyncio.TaskGroup() as group:
        group.create_task(batch())
        await asyncio.sleep(0)
        assert not budget.reserve_now(Amount(0, 5)), "20 are free, but the batch came first"
        group.create_task(live())
        await asyncio.sleep(0)
        assert served == []
        budget.settle_batch(Amount(0, 80), Amount(0, 10))
    assert served == ["batch", "live"]
    assert budget.committed == Amount(0, 95)


async def test_a_batch_of_a_session_without_a_cap_counts_at_its_worst_under_a_new_cap() -> None:
    budget = Budget(cap_tokens=100, spent_tokens=10)  # 10 by attempts; the batch had no grant
    budget.adopt_batch(Amount(0, 70), Amount(0, 0))
    assert budget.committed == Amount(0, 80)
    waiting = asyncio.ensure_future(budget.reserve_batch([Amount(0, 30)], commit_nothing))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.settle_batch(Amount(0, 70), Amount(0, 20))
    assert await waiting == 1
    assert budget.committed == Amount(0, 60)  # 10 before, 20 paid, 30 reserved


async def test_what_never_fits_is_refused_at_once() -> None:
    budget = Budget(cap_tokens=100)
    with pytest.raises(BudgetExhausted, match="100 tokens"):
        await budget.reserve_batch([Amount(0, 101)], commit_nothing)
