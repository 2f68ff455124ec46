"""Attempts by way of a provider's batch API: collected, submitted as one, looked at, answered.

`Batches` stands beside `Attempts` and makes attempts too; what came of one is an `Answer` or an
`AttemptFailed` like any other, so that retries and outcomes above do not know the difference.

A call that an open batch of the journal holds waits for that batch, in this process or a later one,
with batches switched on or off. It is free again only when its batch is known not to answer it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from secrets import token_hex
from typing import Final

from selfsown.core.attempt import Call
from selfsown.core.batch_book import Batch, BatchBook
from selfsown.core.batch_model import BatchModel, BatchSettings, BatchState
from selfsown.core.batch_pile import Piles, Place, lines_of
from selfsown.core.batch_provider import NotMade, Provider
from selfsown.core.batch_work import Waiter, Work
from selfsown.core.budget import Budget
from selfsown.core.clock import Clock
from selfsown.core.cost import NOTHING, Amount, Tariff, worst_case
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.model import Answer, AttemptFailed, Model
from selfsown.core.outcome import BatchProgress

_GROWTH: Final = 1.5
"""Of the wait between two looks at a batch."""
_SENDING_GRACE_S: Final = 10.0
"""How long a batch that is being submitted may take when the run is stopped; later, the next start
finds out what became of it."""


class Batches:
    """The calls of one run that go through batches. Used from one event loop."""

    def __init__(
        self,
        settings: BatchSettings,
        book: BatchBook,
        budget: Budget,
        clock: Clock,
        *,
        in_flight: Callable[[], int],
        on_event: Callable[[str], None],
        patience_s: float = 5.0,
    ) -> None:
        """Take over what earlier processes left open; nothing is sent yet.

        Args:
            settings: when to submit and when to look.
            book: the journal's side.
            budget: reserves and settles.
            clock: where time comes from.
            in_flight: calls and effects of the run that are being made, those here among them.
            on_event: hears of rare things in plain sentences.
            patience_s: how long a provider that was never reached may refuse connections.
        """
        self._settings, self._book = settings, book
        self._budget, self._clock = budget, clock
        self._in_flight, self._on_event, self._patience_s = in_flight, on_event, patience_s
        self.attempts = 0
        """Attempts made here."""
        self._piles = Piles(settings.requests)
        self._waiters: set[Waiter] = set()
        self._works: dict[str, Work] = {}
        self._providers: dict[int, Provider] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        """Rows under way to the journal, which are waited for."""
        self._collector: asyncio.Task[None] | None = None
        self._is_sending = self._is_released = self._is_closed = False
        for batch in book.open.values():
            budget.adopt_batch(batch.worst, batch.granted)

    def takes(self, call: Call) -> bool:
        """Whether a call is to be made here."""
        if self._book.holding(call.key) is not None:
            return True
        return self._settings.enabled and isinstance(call.route.model, BatchModel)

    async def attempt(self, call: Call) -> Answer | AttemptFailed | None:
        """Wait until a batch has answered a call.

        Returns:
            What came of it; None if no attempt was made, because its batch turned out not to be
            there, so that the call is free again.

        Raises:
            EnvironmentFailure: the provider does not take batches, or cannot be reached.
            BudgetExhausted: the worst case of the call does not fit under the cap.
        """
        if self._is_released:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        waiter = Waiter(call, loop.create_future(), self._clock.monotonic(), self._clock.stamp())
        self._waiters.add(waiter)
        try:
            batch = self._book.holding(call.key)
            if batch is None:
                self._collect(waiter)
            else:
                call.sent += 1
                self._work_on(batch, call.route.model).join(waiter)
            result = await waiter.result
        finally:
            self._waiters.discard(waiter)
        if result is not None and waiter.work is not None:
            # The caller queues the outcome before it gives way again: this comes after it.
            loop.call_soon(waiter.work.taken, call.key)
        return result

    @property
    def progress(self) -> tuple[BatchProgress, ...]:
        """What is waited for."""
        return tuple(
            BatchProgress(work.batch.name, work.batch.done, work.batch.total)
            for work in self._works.values()
        )

    async def close_answered(self) -> None:
        """Close batches of which every outcome was journaled before the process was killed."""
        for batch in [each for each in self._book.open.values() if not each.left]:
            await self._book.close(batch, "ended", batch.charged)
            self._budget.settle_batch(batch.worst, batch.charged)

    def release(self) -> None:
        """Let go of all calls: the run is being stopped. Batches go on at the provider."""
        self._is_released = True
        for waiter in self._waiters:
            waiter.result.cancel()

    async def close(self) -> None:
        """End what this process does about batches; one that is being submitted may finish."""
        self.release()
        is_first, self._is_closed = not self._is_closed, True
        if is_first and self._is_sending and self._collector is not None:
            await asyncio.wait({self._collector}, timeout=_SENDING_GRACE_S)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._endings, return_exceptions=True)
        for work in self._works.values():
            if is_first and work.batch.remote and work.batch.left:
                self._on_event(
                    f"batch `{work.batch.remote}` goes on at the provider; the next start takes its"
                    " answers"
                )

    # --- collecting and submitting --------------------------------------------------------------

    def _collect(self, waiter: Waiter) -> None:
        self._piles.add(waiter)
        if self._collector is None:
            self._collector = self._spawn(self._tasks, self._collecting())

    async def _collecting(self) -> None:
        """Submit what has come together whenever the run has nothing else to do."""
        piles = self._piles
        try:
            while piles and not self._is_released:
                arrivals = piles.arrivals
                await self._clock.sleep(self._settings.linger_s)
                is_quiet = arrivals == piles.arrivals and self._in_flight() <= len(self._waiters)
                for place in piles.places:
                    await self._submit_all(place, is_quiet=is_quiet)
        except BaseException as error:
            _fail(piles, error)
            piles.clear()
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._collector = None

    async def _submit_all(self, place: Place, *, is_quiet: bool) -> None:
        """Submit a pile in as many batches as it takes; if not quiet, only full ones."""
        while not self._is_released:
            waiters, is_full = self._piles.next_batch(place)
            if not waiters or not (is_full or is_quiet):
                return
            if self._is_crowded(waiters[0].call.route.model):
                return
            await self._submit(place, waiters)

    def _is_crowded(self, model: Model) -> bool:
        """Whether the provider said that too much is queued, and some of it still is."""
        is_busy = any(work.provider.model is model for work in self._works.values())
        return is_busy and self._piles.is_lowered(model)

    async def _submit(self, place: Place, waiters: list[Waiter]) -> None:
        """Reserve, commit the intent, send; what does not fit stays in the pile."""
        model = waiters[0].call.route.model
        intent = token_hex(8)
        taken, lines = lines_of(intent, waiters, self._clock.monotonic())
        if not taken:
            return
        tariff = Tariff.of(model.price, self._settings.price_factor)
        batch = Batch(
            intent=intent, model=model.identity, uri=model.uri, keys=(), worst=NOTHING, session=0
        )

        async def commit(count: int, worst: Amount, grant: Amount) -> None:
            if self._is_released:  # while this waited for room in the budget
                raise asyncio.CancelledError
            batch.keys = tuple(waiter.call.key for waiter in taken[:count])
            batch.worst, batch.granted = worst, self._budget.capped_part(worst)
            await self._book.intend(batch, grant)

        needs = [worst_case(waiter.call.request, tariff) for waiter in taken]
        count = await self._budget.reserve_batch(needs, commit)
        del taken[count:]
        self._piles.remove(place, taken)
        work = self._begin(batch, model)
        for waiter in taken:
            waiter.call.sent += 1
            self.attempts += 1
            work.join(waiter)
        self._is_sending = True
        try:
            await self._guarded(work, partial(self._send, work, place[1], lines[:count]))
        finally:
            self._is_sending = False

    async def _send(self, work: Work, address: str, lines: list[bytes]) -> None:
        batch, provider = work.batch, work.provider
        try:
            if upload := await provider.upload(batch.intent, lines):
                await self._book.uploaded(batch, upload)
            state = await provider.create(batch, address, lines, frozenset(self._book.others))
        except NotMade as error:
            await self._drop(work, error.what)
            raise
        if state.phase == "refused" and not state.remote:
            await self._refused(work, state)
            return
        await self._book.submitted(batch, state.remote)
        watch = partial(self._watch, work, self._settings.poll_s)
        self._spawn(self._tasks, self._guarded(work, watch))

    # --- looking and answering ------------------------------------------------------------------

    def _work_on(self, batch: Batch, model: Model) -> Work:
        """What this process does about a batch of the journal; begun if it is the first call."""
        work = self._works.get(batch.intent)
        if work is None:
            work = self._begin(batch, model)
            self._spawn(self._tasks, self._guarded(work, partial(self._follow, work)))
        return work

    def _begin(self, batch: Batch, model: Model) -> Work:
        provider = self._providers.get(id(model))
        if provider is None:
            provider = self._providers[id(model)] = Provider(
                model, self._settings, self._clock, self._on_event, self._patience_s
            )
        tariff = Tariff.of(model.price, self._settings.price_factor)
        spawn = partial(self._spawn, self._endings)
        work = Work(batch, provider, tariff, self._book, self._clock, self._end, spawn)
        self._works[batch.intent] = work
        return work

    async def _follow(self, work: Work) -> None:
        """Re-attach to a batch that an earlier process, or nobody at all, submitted."""
        batch = work.batch
        if not batch.remote:
            found = await work.provider.find(batch, frozenset(self._book.others))
            if found is None:
                await self._drop(work, "it was never created")
                work.free()
                return
            await self._book.submitted(batch, found.remote)
        await self._watch(work, 0.0)

    async def _watch(self, work: Work, wait_s: float) -> None:
        """Look at a batch, ever more rarely, until it has ended; then read its results."""
        while True:
            if wait_s:
                await self._clock.sleep(wait_s)
            state = await work.provider.state(work.batch.remote)
            self._book.seen(work.batch, state.done, state.total or len(work.batch.keys))
            if state.phase == "refused":
                await self._refused(work, state)
                return
            if state.phase == "ended":
                await work.read(self._settings.poll_s)
                return
            wait_s = min(wait_s * _GROWTH or self._settings.poll_s, self._settings.poll_most_s)

    async def _refused(self, work: Work, state: BatchState) -> None:
        """No call of the batch was made: some are at fault, or all are free again."""
        batch, model = work.batch, work.provider.model
        await self._drop(work, state.why)
        for place, text in state.bad.items():
            if 0 <= place < len(batch.keys):
                work.refuse(batch.keys[place], text)
        others = any(each.provider.model is model for each in self._works.values())
        if state.too_much and (others or len(batch.keys) > 1):
            most = max(1, len(batch.keys) if others else len(batch.keys) // 2)
            self._piles.lower(model, most)
            self._on_event(
                f"`{model.uri}` has too much queued already: batches of at most {most:,} calls from"
                " here on, one after the other"
            )
        elif not state.bad:
            raise EnvironmentFailure(
                f"`{model.uri}` refuses batch `{batch.name}`: {state.why}",
                why="it would be refused again",
                fix="mend what it says, or leave `--batch` out; the same command resumes",
            )
        work.free()

    async def _drop(self, work: Work, why: str) -> None:
        """The batch was never made: what was reserved for it is free again."""
        await self._book.close(work.batch, "lost", NOTHING, why)
        self._budget.settle_batch(work.batch.worst, NOTHING)
        self._works.pop(work.batch.intent, None)

    async def _end(self, work: Work) -> None:
        """All outcomes are in the journal's queue."""
        cost = work.batch.charged
        await self._book.close(work.batch, "ended", cost)
        self._budget.settle_batch(work.batch.worst, cost)
        self._works.pop(work.batch.intent, None)

    # --- tasks ----------------------------------------------------------------------------------

    def _spawn(
        self, among: set[asyncio.Task[None]], step: Coroutine[object, object, None]
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(step)
        among.add(task)
        task.add_done_callback(partial(_ended, among))
        return task

    async def _guarded(
        self, work: Work, step: Callable[[], Coroutine[object, object, None]]
    ) -> None:
        """Let a failure reach the calls of its batch; cancelled at once, the step never begins."""
        try:
            await step()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            _fail(work.waiters.values(), error)


def _ended(among: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    among.discard(task)
    if not task.cancelled():
        task.exception()  # those who wait have it; a journal that broke tells every later append


def _fail(waiters: Iterable[Waiter], error: BaseException) -> None:
    for waiter in list(waiters):
        if not waiter.result.done():
            if isinstance(error, asyncio.CancelledError):
                waiter.result.cancel()
            else:
                waiter.result.set_exception(error)
