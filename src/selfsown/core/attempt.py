"""One attempt with what surrounds it: permit and reservation before, an account of it after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from selfsown.core.budget import Budget
from selfsown.core.clock import Clock
from selfsown.core.cost import NANO, NOTHING, Amount, Tariff, actual_cost, worst_case
from selfsown.core.judgement import verdict
from selfsown.core.limiter import Limiter, Permit
from selfsown.core.model import Answer, AttemptFailed, Model
from selfsown.core.outcome import AttemptRecord
from selfsown.core.request import Request, Usage
from selfsown.core.stragglers import Flight, Latencies, Race

_BYTES_PER_TOKEN: Final = 4
"""For the estimate that a bucket of tokens is charged with until the real number is known."""


class Route:
    """A model, its endpoint's limits and its price: what does not change from call to call."""

    __slots__ = ("_latencies", "limiter", "local", "model", "raced", "succeeded", "tariff")

    def __init__(self, model: Model, limiter: Limiter, *, raced: bool) -> None:
        self.model = model
        self.limiter = limiter
        self.local = model.capabilities.local
        self.raced = raced
        """Workers make its attempts, so that a late one can be sent a second time or given up."""
        self.tariff = Tariff.of(model.price)
        self.succeeded = False
        """It has answered before."""
        self._latencies: dict[int, Latencies] = {}

    def latencies(self, max_tokens: int) -> Latencies:
        """Latencies of answers of that order of length: powers of two."""
        size = max_tokens.bit_length()
        known = self._latencies.get(size)
        if known is None:
            known = self._latencies[size] = Latencies((1 << size) - 1)
        return known


class Call:
    """What one call has come to so far."""

    __slots__ = ("key", "latencies", "race", "records", "request", "route", "sent")

    def __init__(self, route: Route, request: Request, key: bytes) -> None:
        self.route = route
        self.request = request
        self.key = key
        self.latencies = route.latencies(request.max_tokens)
        self.sent = 0
        """Attempts so far."""
        self.records: list[AttemptRecord] = []
        self.race: Race | None = None
        """The attempts that are under way, where the route is raced."""

    def tokens(self) -> int:
        """Tokens that it will probably use, on the high side; 0 where its limiter does not ask."""
        if not self.route.limiter.counts_tokens:
            return 0
        return self.request.prompt_bytes() // _BYTES_PER_TOKEN + self.request.max_tokens


class _Sent(NamedTuple):
    """An attempt under way."""

    call: Call
    number: int
    permit: Permit
    reserved: Amount
    started: float
    stamp: str


class Attempts:
    """Makes attempts and accounts for them, for all calls of one run."""

    def __init__(
        self,
        budget: Budget,
        clock: Clock,
        timeout_s: float | None,
        on_late_attempt: Callable[[bytes, AttemptRecord], None],
    ) -> None:
        """Set up; `timeout_s` is passed on to remote models and None waits for ever."""
        self.count = 0
        """Attempts so far."""
        self._budget = budget
        self._clock = clock
        self._timeout_s = timeout_s
        self._on_late_attempt = on_late_attempt

    async def make(self, call: Call) -> Answer | AttemptFailed:
        """Wait for a permit and a reservation, ask, and account for what came of it.

        Raises:
            EnvironmentFailure: the endpoint is down.
            BudgetExhausted: the worst case does not fit under the cap.
        """
        tokens = call.tokens()
        permit = self.permit_now(call, tokens)
        if permit is None:
            permit = await call.route.limiter.enter(tokens, first=call.sent > 0)
        return await self.send(call, permit, None)

    def permit_now(self, call: Call, tokens: int) -> Permit | None:
        """A permit for a call of so many tokens, if there is one for it at once."""
        return call.route.limiter.try_enter(self._clock.monotonic(), tokens)

    async def send(
        self, call: Call, permit: Permit, flight: Flight | None
    ) -> Answer | AttemptFailed:
        """Wait for a reservation, ask, and account for what came of it.

        Args:
            call: what to ask whom.
            permit: of the endpoint's limiter; it is handed back.
            flight: the attempt among those at the same call, where it may be overtaken or lost.

        Raises:
            BudgetExhausted: the worst case does not fit under the cap.
        """
        route = call.route
        reserved = NOTHING
        if self._budget.capped:
            reserved = worst_case(call.request, route.tariff)
            if not self._budget.reserve_now(reserved):
                try:
                    await self._budget.reserve(reserved)
                except BaseException:
                    route.limiter.leave(permit, "unknown", used=0)
                    raise
        call.sent += 1
        self.count += 1
        now = self._clock.monotonic()
        sent = _Sent(call, call.sent, permit, reserved, now, self._clock.stamp())
        if flight is not None:
            flight.started = now
        try:
            result: Answer | AttemptFailed = await route.model.attempt(
                call.request,
                timeout_s=None if route.local else self._timeout_s,
                seed=int.from_bytes(call.key[:8], "big") >> 1,
            )
        except AttemptFailed as failure:
            result = failure
        except BaseException as error:
            result = AttemptFailed("timeout", "no complete answer in time", may_be_billed=True)
            if not (
                isinstance(error, asyncio.CancelledError) and flight is not None and flight.lost
            ):
                self._account(sent, result, cancelled=True)
                raise
        if flight is not None:
            flight.returns()
        self._account(sent, result)
        return result

    def _account(
        self, sent: _Sent, result: Answer | AttemptFailed, *, cancelled: bool = False
    ) -> None:
        """Hand back the permit, settle the reservation, keep the record."""
        call = sent.call
        route = call.route
        now = self._clock.monotonic()
        completion = result.completion
        usage = None if completion is None else completion.usage
        used = None if usage is None else usage.input_tokens + usage.output_tokens
        charged = self._charge(sent, usage, result)
        self._budget.settle(sent.reserved, charged)
        if isinstance(result, Answer):
            route.succeeded = True
            call.latencies.add(now - sent.started)
            if result.completion.usage.reasoning_tokens or result.completion.reasoning:
                call.latencies.reasoning = True
            kind, status, detail = "ok", None, ""
            limiter = route.limiter
            limiter.leave(sent.permit, "replied", result.rate, used=used)
            limiter.naps.answered_at = now
            if limiter.naps.sleepers:
                limiter.naps.wake()
        else:
            kind, status, detail = result.kind, result.status, result.detail
            end = "unknown" if cancelled else verdict(result)
            route.limiter.leave(sent.permit, end, result.rate, used=used)
        record = AttemptRecord(
            sent.number,
            "cancelled" if cancelled else kind,
            status,
            sent.stamp,
            now - sent.started,
            usage,
            None if route.tariff is None else charged.nano_usd / NANO,
            "" if cancelled else detail,
            charged.tokens,
        )
        if cancelled or (call.race is not None and call.race.result.done()):
            self._on_late_attempt(call.key, record)
        else:
            call.records.append(record)

    def _charge(self, sent: _Sent, usage: Usage | None, result: Answer | AttemptFailed) -> Amount:
        """What the attempt costs: as reported, or the worst case where only that is safe."""
        route = sent.call.route
        if usage is not None:
            if usage.estimated and self._budget.capped and not route.local:
                return sent.reserved
            return actual_cost(usage, route.tariff)
        if isinstance(result, AttemptFailed) and result.may_be_billed:
            return (
                sent.reserved
                if self._budget.capped
                else worst_case(sent.call.request, route.tariff)
            )
        return NOTHING
