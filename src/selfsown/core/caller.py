"""One model call, from request to final outcome: retries, time-outs, late attempts.

The plain case costs no timer, no lock and no log line: a permit, one attempt (by a worker, where it
may be sent a second time or given up), a record.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Final

from selfsown.core.attempt import Attempts, Call, Route
from selfsown.core.batches import Batches
from selfsown.core.budget import Budget
from selfsown.core.clock import Clock, SystemClock
from selfsown.core.judgement import environment_failure, final_outcome, storm_failure
from selfsown.core.limiter import Limiter
from selfsown.core.limits import LimitSettings
from selfsown.core.model import ENVIRONMENT, RETRYABLE, Answer, AttemptFailed, Model
from selfsown.core.outcome import AttemptRecord, Counters, Outcome
from selfsown.core.request import Request
from selfsown.core.retry import RetryPolicy, Tries
from selfsown.core.slots import Slots
from selfsown.core.stragglers import Race
from selfsown.core.sweeper import Sweeper

__all__ = ["AttemptRecord", "Caller", "Counters", "Outcome"]

_LOCAL_FINAL: Final = frozenset({"empty", "malformed"})
"""Failures that a model in this process would only repeat."""


class Caller:
    """Makes calls for one run, to any number of models, from one event loop."""

    def __init__(
        self,
        settings: LimitSettings | None = None,
        *,
        budget: Budget | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        on_event: Callable[[str], None] | None = None,
        on_late_attempt: Callable[[bytes, AttemptRecord], None] | None = None,
        on_back_off: Callable[[], None] | None = None,
        batches: Batches | None = None,
    ) -> None:
        """Set up; nothing is started before the first call.

        Args:
            settings: limits, the same for every endpoint.
            budget: cap on spending; None counts without a cap.
            retry: persistence; None follows `settings.attempts`.
            clock: where time comes from.
            rng: spreads the waits before retries; it cannot change an answer.
            on_event: hears of rare things in plain sentences: endpoint out of reach, no reply for a
                while.
            on_late_attempt: hears, with the call's key, of attempts that no outcome lists: they
                ended after it, or were cancelled, or their call ended without one.
            on_back_off: hears that one call more waits before its next attempt.
            batches: makes the attempts of calls that go through a batch API; None where none does.
        """
        self._settings = settings or LimitSettings()
        self._budget = budget or Budget()
        self._policy = retry or RetryPolicy(attempts=self._settings.attempts)
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._on_event = on_event or _ignore_event
        timeout = self._settings.timeout_s
        self._on_late_attempt = on_late_attempt or _ignore_attempt
        self._attempts = Attempts(
            self._budget,
            self._clock,
            None if timeout == "auto" else timeout,
            self._on_late_attempt,
        )
        self._on_back_off = on_back_off or _ignore_back_off
        self._batches = batches
        self._routes: dict[int, Route] = {}
        self._limiters: dict[str, Limiter] = {}
        self._slots = Slots(self._attempts)
        self._sweeper = Sweeper(
            self._clock,
            self._limiters.values(),
            self._slots.races,
            self._settings.silent_after_s,
            self._resend if self._settings.resend > 0 else None,
            self._on_event,
            gives_up_lost=timeout == "auto",
        )
        self._calls = self._retries = self._resends = self._backing_off = 0

    async def call(self, model: Model, request: Request, key: bytes) -> Outcome:
        """Ask until there is a final outcome.

        Args:
            model: whom to ask.
            request: what to ask.
            key: the call's journal key; it names the call in `on_late_attempt` and seeds models
                that sample themselves.

        Raises:
            EnvironmentFailure: the endpoint, its credentials or the local model is at fault, not
                the request.
            BudgetExhausted: the worst case of the next attempt does not fit under the cap.
            ConfigError: the budget is in USD and the model's price is not known.
        """
        route = self._routes.get(id(model)) or self._open(model)
        self._calls += 1
        call = Call(route, request, key)
        try:
            return await self._ask(call)
        except BaseException:
            for record in call.records:
                self._on_late_attempt(key, record)
            raise

    async def _ask(self, call: Call) -> Outcome:
        route = call.route
        tries: Tries | None = None
        while True:
            batches = self._batches
            if batches is not None and not batches.takes(call):
                batches = None
            if batches is not None:
                result = await batches.attempt(call)
                if result is None:
                    continue
            else:
                if not route.local:
                    self._sweeper.wake()
                result = await (
                    self._slots.race(call) if route.raced else self._attempts.make(call)
                )
            if isinstance(result, Answer):
                return Outcome(result.completion, None, None, tuple(call.records))
            wait = None
            if not self._is_final(route, result):
                tries = tries or Tries(
                    self._policy if batches is None else replace(self._policy, total_s=inf),
                    self._rng,
                )
                wait = self._wait_s(route, tries, result)
            if wait is None:
                kind, text = final_outcome(result, tries, self._policy)
                return Outcome(None, kind, text, tuple(call.records))
            if batches is None:
                await self._back_off(call, result, wait)
            else:
                self._retries += 1  # the next batch is wait enough

    def release_batches(self) -> None:
        """Let go of calls that wait for a batch: the run is being stopped, their batches go on."""
        if self._batches is not None:
            self._batches.release()

    @property
    def backing_off(self) -> int:
        """Calls that wait before their next attempt and need no place meanwhile."""
        return self._backing_off

    @property
    def counters(self) -> Counters:
        """The numbers of this moment."""
        limiters = self._limiters.values()
        replies = [each.last_reply_at for each in limiters if each.last_reply_at is not None]
        spent = self._budget.spent
        return Counters(
            in_flight=sum(each.in_flight for each in limiters),
            limit=sum(each.in_flight if each.local else each.limit for each in limiters),
            waiting=sum(each.waiting for each in limiters),
            backing_off=self._backing_off,
            calls=self._calls,
            attempts=self._attempts.count + (self._batches.attempts if self._batches else 0),
            retries=self._retries,
            refusals=sum(each.refusals for each in limiters),
            resends=self._resends,
            last_reply_age_s=self._clock.monotonic() - max(replies) if replies else None,
            spent_usd=spent.usd,
            spent_tokens=spent.tokens,
            batches=self._batches.progress if self._batches else (),
        )

    async def close(self) -> None:
        """Cancel what is under way, report it as late attempts, and hand back the unused budget."""
        await self._sweeper.close()
        await self._slots.close()
        if self._batches is not None:
            await self._batches.close()
        for limiter in self._limiters.values():
            limiter.close()
        await self._budget.close()

    def _open(self, model: Model) -> Route:
        """Look at a model for the first time."""
        settings = self._settings
        local = model.capabilities.local
        limiter = self._limiters.get(model.endpoint)
        if limiter is None:
            limiter = Limiter(model.endpoint, settings, self._clock, self._on_event, local=local)
            self._limiters[model.endpoint] = limiter
        raced = not local and (settings.resend > 0 or settings.timeout_s == "auto")
        route = Route(model, limiter, raced=raced)
        self._budget.require_price(model.uri, route.tariff)
        self._routes[id(model)] = route
        return route

    def _is_final(self, route: Route, failure: AttemptFailed) -> bool:
        """Whether a failure is the call's outcome.

        Raises:
            EnvironmentFailure: it is the environment's fault.
        """
        if failure.kind in ENVIRONMENT:
            if failure.kind != "not_found" or not route.succeeded:
                raise environment_failure(route.model, failure)
            return True
        return failure.kind not in RETRYABLE or (route.local and failure.kind in _LOCAL_FINAL)

    def _wait_s(self, route: Route, tries: Tries, failure: AttemptFailed) -> float | None:
        """Seconds until the next attempt; None if there is none.

        Raises:
            EnvironmentFailure: the endpoint is down, or refuses everything.
        """
        limiter = route.limiter
        if limiter.down:
            raise limiter.down_error()
        wait = tries.wait_s(failure, self._clock.monotonic())
        if wait is None and failure.kind == "rate_limit":
            answered = limiter.last_answer_at
            if answered is None or answered < tries.refused_since:
                raise storm_failure(route.model, self._policy)
        return wait

    async def _back_off(self, call: Call, failure: AttemptFailed, seconds: float) -> None:
        limiter = call.route.limiter
        if failure.kind == "rate_limit":
            limiter.hold(seconds, failure.rate)
        self._retries += 1
        self._backing_off += 1
        self._on_back_off()
        sent_at = self._clock.monotonic() - (call.records[-1].duration_s if call.records else inf)
        stormy = failure.retry_after_s is None and limiter.naps.answered_at < sent_at
        try:
            await (limiter.naps if stormy else self._clock).sleep(seconds)
        finally:
            self._backing_off -= 1

    def _resend(self, race: Race) -> None:
        """Send a late call once more, unless that would be too many."""
        if self._resends + 1 <= self._settings.resend * self._calls:
            self._resends += 1
            self._slots.again(race)


def _ignore_back_off() -> None:
    """The default listener."""


def _ignore_event(text: str) -> None:
    """The default listener."""


def _ignore_attempt(key: bytes, record: AttemptRecord) -> None:
    """The default listener."""
