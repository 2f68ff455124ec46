"""Claim: a worker whose attempt has ended takes the next call itself, and none is lost with one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.core.fake_clock import FakeClock
from tests.core.simulated import SimulatedModel, ask, key_of

from selfsown.core.caller import AttemptRecord, Caller, Outcome
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.limits import LimitSettings
from selfsown.core.model import Answer, AttemptFailed, Price
from selfsown.core.request import Request


class Watched(SimulatedModel):
    """Notes which task made which attempt."""

    def __init__(self, clock: FakeClock, latency: Callable[[int], float]) -> None:
        super().__init__(clock, latency=latency, price=Price(1, 1))
        self.tasks: list[asyncio.Task[object]] = []

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        return await super().attempt(request, timeout_s=timeout_s, seed=seed)


def within(
    clock: FakeClock, limits: LimitSettings, body: Callable[[Caller], Awaitable[None]]
) -> list[AttemptRecord]:
    """Use a caller; the attempts that no outcome lists."""
    late: list[AttemptRecord] = []

    async def run() -> None:
        caller = Caller(limits, clock=clock, on_late_attempt=lambda key, each: late.append(each))
        await body(caller)
        await caller.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (caller.counters.in_flight, caller.counters.waiting) == (0, 0)

    clock.run(run())
    return late


def test_calls_that_queue_need_a_task_per_place_and_go_in_their_order() -> None:
    clock = FakeClock()
    model = Watched(clock, lambda number: 1.0 + number % 7)

    async def body(caller: Caller) -> None:
        calls = [caller.call(model, ask(f"{number}"), key_of(number)) for number in range(200)]
        outcomes = await asyncio.gather(*calls)
        assert all(outcome.completion for outcome in outcomes)

    assert within(clock, LimitSettings(concurrency=5, max_concurrency=5), body) == []
    assert len(set(map(id, model.tasks))) == 5
    assert model.prompts == [f"{number}" for number in range(200)]


def test_a_call_that_is_cancelled_takes_no_other_with_it() -> None:
    clock = FakeClock()
    model = Watched(clock, lambda number: 10.0)

    async def body(caller: Caller) -> None:
        calls = [
            asyncio.create_task(caller.call(model, ask(f"{number}"), key_of(number)))
            for number in range(12)
        ]
        await clock.sleep(5)
        for number in (1, 7):  # one is under way, one waits
            calls[number].cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [number for number, end in enumerate(ends) if not isinstance(end, Outcome)] == [1, 7]

    late = within(clock, LimitSettings(concurrency=2, max_concurrency=2), body)
    assert [record.kind for record in late] == ["cancelled"]
    assert sorted(map(int, model.prompts)) == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]


def test_a_call_that_is_cancelled_as_its_place_becomes_free_gives_the_place_to_the_next() -> None:
    clock = FakeClock()
    model = Watched(clock, lambda number: 1.0)

    async def body(caller: Caller) -> None:
        calls = [
            asyncio.create_task(caller.call(model, ask(f"{number}"), key_of(number)))
            for number in range(3)
        ]
        calls[0].add_done_callback(lambda _: calls[1].cancel())
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(ends[1], asyncio.CancelledError)
        assert isinstance(ends[0], Outcome) and isinstance(ends[2], Outcome)

    late = within(clock, LimitSettings(concurrency=1, max_concurrency=1), body)
    assert [record.kind for record in late] == ["cancelled"]


def test_closing_ends_what_waits_and_what_is_under_way() -> None:
    clock = FakeClock()
    model = Watched(clock, lambda number: 1e9)

    async def body(caller: Caller) -> None:
        calls = [
            asyncio.create_task(caller.call(model, ask(), key_of(number))) for number in range(6)
        ]
        await clock.sleep(1)
        await caller.close()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)

    late = within(clock, LimitSettings(concurrency=2, max_concurrency=2), body)
    assert [record.kind for record in late] == ["cancelled", "cancelled"]


def test_a_failure_that_stops_the_run_is_heard_before_the_queue_is_worked_off() -> None:
    clock = FakeClock()

    class Keyless(SimulatedModel):
        async def attempt(
            self, request: Request, *, timeout_s: float | None = None, seed: int = 0
        ) -> Answer:
            self.attempts += 1
            raise AttemptFailed("auth", "no key")

    model = Keyless(clock, price=Price(1, 1))

    async def body(caller: Caller) -> None:
        calls = [
            asyncio.create_task(caller.call(model, ask(f"{number}"), key_of(number)))
            for number in range(200)
        ]
        done, rest = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
        for call in rest:
            call.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        assert all(isinstance(call.exception(), EnvironmentFailure) for call in done)

    within(clock, LimitSettings(concurrency=2, max_concurrency=2), body)
    assert model.attempts < 20
