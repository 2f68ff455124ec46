"""One batch and the calls that wait for it: results read in any order, each handed to its call.

An answer, or a failure that is the call's outcome, is handed over at once. A call that the batch
did not make, or not usably, is freed in the journal first (`over`), all of them in one row when the
results have been read; only then may it be asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Final

from selfsown.core.attempt import Call
from selfsown.core.batch_book import Batch, BatchBook
from selfsown.core.batch_model import BatchResult, key_of
from selfsown.core.batch_provider import Provider
from selfsown.core.clock import Clock
from selfsown.core.cost import NANO, NOTHING, Amount, Tariff, actual_cost, worst_case
from selfsown.core.model import ENVIRONMENT, RETRYABLE, Answer, AttemptFailed
from selfsown.core.outcome import AttemptRecord

_READINGS: Final = 3
_ABSENT: Final = "the batch ended without a result for it"


class Waiter:
    """A call that waits for its batch to be made, or to answer it."""

    __slots__ = ("call", "result", "stamp", "started", "work")

    def __init__(
        self,
        call: Call,
        result: asyncio.Future[Answer | AttemptFailed | None],
        started: float,
        stamp: str,
    ) -> None:
        self.call = call
        self.result = result
        """None: no attempt was made, the call is free again."""
        self.started = started
        self.stamp = stamp
        self.work: Work | None = None
        """The batch that ended the attempt."""

    def refuse(self, failure: AttemptFailed, now: float) -> None:
        """End the attempt before it is in any batch."""
        self.land(None, failure, NOTHING, None, now)

    def land(
        self,
        work: Work | None,
        result: Answer | AttemptFailed,
        charged: Amount,
        session: int | None,
        now: float,
    ) -> None:
        """End the attempt: keep its record and hand over what came of it."""
        if self.result.done():
            return
        self.work = work
        completion = result.completion
        failure = result if isinstance(result, AttemptFailed) else None
        is_priced = work is not None and work.tariff is not None
        self.call.records.append(
            AttemptRecord(
                max(1, self.call.sent),
                "ok" if failure is None else failure.kind,
                None if failure is None else failure.status,
                self.stamp,
                now - self.started,
                None if completion is None else completion.usage,
                charged.nano_usd / NANO if is_priced else None,
                "" if failure is None else failure.detail,
                charged.tokens,
                session,
            )
        )
        self.result.set_result(result)


class Work:
    """What this process does about one batch."""

    def __init__(
        self,
        batch: Batch,
        provider: Provider,
        tariff: Tariff | None,
        book: BatchBook,
        clock: Clock,
        on_end: Callable[[Work], Coroutine[object, object, None]],
        spawn: Callable[[Coroutine[object, object, None]], object],
    ) -> None:
        """Set up.

        Args:
            batch: which.
            provider: who makes it.
            tariff: the batch price; None if it is not known.
            book: the journal's side.
            clock: where time comes from.
            on_end: closes the batch; called once, when all outcomes are in the journal's queue.
            spawn: runs what must be brought to its end even if the run ends meanwhile.
        """
        self.batch, self.provider, self.tariff = batch, provider, tariff
        self.waiters: dict[bytes, Waiter] = {}
        self._book, self._clock, self._on_end, self._spawn = book, clock, on_end, spawn
        self._unasked: dict[bytes, BatchResult] = {}
        """Results of calls that nobody in this process has asked for yet."""
        self._handled: set[bytes] = set()
        self._failed: list[tuple[Waiter, AttemptFailed]] = []
        self._is_read = self._is_ending = False

    def join(self, waiter: Waiter) -> None:
        """Wait for this batch; what it said already is handed over."""
        key = waiter.call.key
        found = self._unasked.pop(key, None)
        if found is None:
            self.waiters[key] = waiter
            return
        self._answer(waiter, found)
        if self._failed:
            self._spawn(self._free_failed())

    async def read(self, pause_s: float) -> None:
        """Read all results and hand over what was asked for.

        Results that are absent are looked for `_READINGS` times before their calls are free again.
        """
        for reading in range(_READINGS):
            if reading:
                await self._clock.sleep(pause_s)
            async with aclosing(self.provider.results(self.batch.remote)) as results:
                async for result in results:
                    self._sort(result)
            absent = self.batch.left - self._handled - self._unasked.keys()
            if not absent:
                break
        for key in absent & self.waiters.keys():
            self._failed.append((self.waiters.pop(key), AttemptFailed("timeout", _ABSENT)))
        if silent := absent - {waiter.call.key for waiter, _ in self._failed}:
            await self._book.over(self.batch, sorted(silent))
        await self._free_failed()
        self._is_read = True
        self._try_end()

    def _sort(self, result: BatchResult) -> None:
        key = key_of(result.custom_id, self.batch.intent)
        if key is None or key in self._handled or key not in self.batch.left:
            return
        waiter = self.waiters.pop(key, None)
        if waiter is None:
            self._unasked[key] = result
        else:
            self._answer(waiter, result)

    def refuse(self, key: bytes, why: str) -> None:
        """The provider did not take a call."""
        waiter = self.waiters.pop(key, None)
        if waiter is not None:
            failure = AttemptFailed("bad_request", why, status=400)
            waiter.land(self, failure, NOTHING, None, self._clock.monotonic())

    def free(self) -> None:
        """No call of the batch was made: all may be asked elsewhere."""
        waiters, self.waiters = list(self.waiters.values()), {}
        for waiter in waiters:
            if not waiter.result.done():
                waiter.result.set_result(None)

    def taken(self, key: bytes) -> None:
        """A call's outcome is in the journal's queue."""
        self._book.answered(self.batch, key)
        self._try_end()

    def _answer(self, waiter: Waiter, result: BatchResult) -> None:
        self._handled.add(waiter.call.key)
        try:
            answer = self.provider.api.read_batched(result, waiter.call.request)
        except AttemptFailed as failure:
            if failure.kind in RETRYABLE or failure.kind in ENVIRONMENT:
                self._failed.append((waiter, failure))
            else:
                self._land(waiter, failure)
        else:
            waiter.call.route.succeeded = True
            self._land(waiter, answer)

    async def _free_failed(self) -> None:
        failed, self._failed = self._failed, []
        if failed:
            await self._book.over(self.batch, [waiter.call.key for waiter, _ in failed])
            for waiter, failure in failed:
                self._land(waiter, failure)

    def _land(self, waiter: Waiter, result: Answer | AttemptFailed) -> None:
        charged = self._charge(waiter.call, result)
        before = self.batch.charged
        self.batch.charged = Amount(
            before.nano_usd + charged.nano_usd, before.tokens + charged.tokens
        )
        waiter.land(self, result, charged, self.batch.session, self._clock.monotonic())

    def _charge(self, call: Call, result: Answer | AttemptFailed) -> Amount:
        """What the attempt costs: as reported, or the worst case where only that is safe."""
        completion = result.completion
        if completion is not None:
            if completion.usage.estimated and self.batch.granted != NOTHING:
                return worst_case(call.request, self.tariff)
            return actual_cost(completion.usage, self.tariff)
        if isinstance(result, AttemptFailed) and result.may_be_billed:
            return worst_case(call.request, self.tariff)
        return NOTHING

    def _try_end(self) -> None:
        """Close the batch if nothing of it is left."""
        if self._is_read and not self._is_ending and not self.batch.left and not self._failed:
            self._is_ending = True
            self._spawn(self._on_end(self))
