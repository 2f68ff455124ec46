"""What keeps calls to one endpoint within what it can take: one queue before all that delays.

A call enters, is sent, and leaves. It may enter when fewer calls are in flight than the adaptive
limit says, the buckets of requests and tokens have room, and the circuit is closed. Calls enter in
the order they came, retries first; each call that leaves lets in one that waits. Entering and
leaving cost the same however many wait.

Limits are per endpoint, not per model: where one endpoint reports separate limits for two models,
the last report counts for both, which errs on the slow side for a moment.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias

from selfsown.core.buckets import Buckets, Taken, nothing_left
from selfsown.core.circuit import Circuit
from selfsown.core.clock import Clock
from selfsown.core.concurrency import AdaptiveLimit
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.limits import LimitSettings
from selfsown.core.model import RateState
from selfsown.core.naps import Naps

Verdict: TypeAlias = Literal["replied", "refused", "gateway", "cut", "unreached", "late", "unknown"]
"""What a call's end says about the endpoint: it replied; refused for load; its gateway could not
reach it; the connection was cut; none came about; no reply came in time; or nothing."""

_WHY_DOWN: Final[dict[Verdict, str]] = {
    "gateway": "its gateway keeps saying that it is not available (HTTP 502 or 503)",
    "cut": "every connection to it is cut before a reply",
    "unreached": "every connection to it is refused",
    "late": "no call gets a reply within the time-out",
}


class Permit:
    """The right to have one call in flight, and what the limiter needs to know when it ends."""

    __slots__ = ("depth", "probe", "sent_at", "serial", "taken", "tokens")

    def __init__(
        self, serial: int, depth: int, tokens: int, sent_at: float, *, probe: bool
    ) -> None:
        self.serial = serial
        self.depth = depth
        self.tokens = tokens
        self.sent_at = sent_at
        self.probe = probe
        self.taken = _NOTHING_TAKEN


_NOTHING_TAKEN: Final = Taken()

_FIRST_ANSWER_S: Final = 0.25
"""Assumed time of an answer before the first."""
_WEIGHT: Final = 0.05
_LEAST_S: Final = 0.001


class Waiter(Protocol):
    """Who waits to be let in."""

    tokens: int
    """Estimate of what the call will use; only read where `Limiter.counts_tokens`."""

    @property
    def gone(self) -> bool:
        """Whether it waits no longer."""

    def admit(self, permit: Permit) -> None:
        """Take the permit."""

    def refuse(self, error: EnvironmentFailure) -> None:
        """Hear that nobody is let in any more."""


class _Turn:
    """A waiter that a coroutine awaits."""

    __slots__ = ("future", "tokens")

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.future: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()

    @property
    def gone(self) -> bool:
        return self.future.done()

    def admit(self, permit: Permit) -> None:
        self.future.set_result(permit)

    def refuse(self, error: EnvironmentFailure) -> None:
        self.future.set_exception(error)


class Limiter:
    """The limits of one endpoint. Used from one event loop.

    `on_event` hears of rare things in plain sentences: circuit opened or closed, endpoint down.
    """

    def __init__(
        self,
        endpoint: str,
        settings: LimitSettings,
        clock: Clock,
        on_event: Callable[[str], None],
        *,
        local: bool = False,
    ) -> None:
        """Open the limits of `endpoint`; a `local` model is never held back."""
        self.endpoint = endpoint
        self.local = local
        self.in_flight = 0
        self.refusals = 0
        self.last_reply_at: float | None = None
        """When the endpoint last said anything, refusals included."""
        self.last_answer_at: float | None = None
        """When it last gave a reply that was no refusal."""
        self.busy_since = 0.0
        """When the endpoint last went from no calls in flight to some."""
        start = sys.maxsize if local else settings.concurrency
        self._adaptive = AdaptiveLimit(start, settings.max_concurrency or 0)
        self._answer_s = _FIRST_ANSWER_S  # moving average of the time that an answer takes
        self._resting: deque[float] = deque()
        self._circuit = Circuit(
            down_after_s=settings.down_after_s, down_at_start_s=settings.down_at_start_s
        )
        self._why_down = ""
        self._clock = clock
        self.naps = Naps(clock)
        """Where calls wait for the endpoint to be well again."""
        self._on_event = on_event
        self._queue: deque[Waiter] = deque()
        self._timer: asyncio.Task[None] | None = None
        self._timer_due = 0.0
        now = clock.monotonic()
        self._buckets = (
            Buckets(None, None, now)
            if local
            else Buckets(settings.requests_per_minute, settings.tokens_per_minute, now)
        )
        self._free = not self._buckets
        """No bucket and no open circuit: only the number of calls in flight counts."""

    @property
    def limit(self) -> int:
        """Calls that may be in flight now; `sys.maxsize` for a local model."""
        return self._adaptive.limit

    @property
    def waiting(self) -> int:
        """Calls that wait to be sent."""
        return len(self._queue)

    @property
    def counts_tokens(self) -> bool:
        """Whether `enter` wants an estimate of the call's tokens."""
        return self._buckets.count_tokens

    @property
    def down(self) -> bool:
        """Whether the endpoint has been given up."""
        return self._circuit.down

    def try_enter(self, now: float, tokens: int = 0) -> Permit | None:
        """A permit if the call may be sent at once and nobody waits, else None."""
        if self._queue or self.in_flight >= self._adaptive.room:
            return None
        if not self._free and self._wait_s(now, tokens) != 0:
            return None
        return self._admit(now, tokens)

    async def enter(self, tokens: int = 0, *, first: bool = False) -> Permit:
        """Wait for a permit.

        Args:
            tokens: estimate of what the call will use; only read where `counts_tokens`.
            first: go before all who wait, for calls that were sent before.

        Raises:
            EnvironmentFailure: the endpoint is down.
        """
        turn = _Turn(tokens)
        self.queue(turn, first=first)
        try:
            return await turn.future
        except asyncio.CancelledError:
            future = turn.future
            if future.done() and not future.cancelled() and future.exception() is None:
                self.leave(future.result(), "unknown", used=0)
            raise

    def queue(self, waiter: Waiter, *, first: bool = False) -> None:
        """Let somebody in as soon as that may be, perhaps at once; `first` as for `enter`."""
        if self._circuit.down:
            waiter.refuse(self.down_error())
            return
        if first:
            self._queue.appendleft(waiter)
        else:
            self._queue.append(waiter)
        self._pump()

    def leave(
        self,
        permit: Permit,
        verdict: Verdict,
        rate: RateState | None = None,
        *,
        used: int | None = None,
    ) -> None:
        """Hand a permit back.

        Args:
            permit: as `enter` gave it.
            verdict: what the end of the call says about the endpoint.
            rate: what the reply's headers say about its limits.
            used: tokens the call really used, where known.
        """
        now = self._clock.monotonic()
        self.in_flight -= 1
        if permit.probe:
            self._circuit.probing = False
        if rate is not None and not self.local:
            self._buckets.learn(now, rate, permit.sent_at, permit.taken)
            self._free = self._free and not self._buckets
        if used is not None and not self._free:
            self._buckets.give(permit.tokens - used)
        if verdict == "replied":
            self.last_reply_at = self.last_answer_at = now
            self._answer_s += (now - permit.sent_at - self._answer_s) * _WEIGHT
            self._adaptive.replied(permit.serial, permit.depth)
        elif verdict == "refused" or verdict == "gateway":
            self.refusals += 1
            self.last_reply_at = now
            self._refused(permit, now, rate)
        if verdict == "replied" or verdict == "refused":
            if self._circuit.replied():
                self._reachable_again()
        elif verdict != "unknown" and not (verdict == "late" and self._replied_since(permit)):
            self._out_of_reach(now, verdict)
        if self._queue:
            self._pump()

    def hold(self, seconds: float, rate: RateState | None) -> None:
        """Send nothing for a while if a refusal said that one of the buckets is empty."""
        if rate is not None:
            self._buckets.hold(self._clock.monotonic() + seconds, rate)

    def down_error(self) -> EnvironmentFailure:
        """Why nothing is sent any more."""
        return EnvironmentFailure(
            f"`{self.endpoint}` cannot be reached",
            why=self._why_down,
            fix="start the server or correct its address, then run the same command again; "
            "it resumes here",
        )

    def close(self) -> None:
        """Stop the timer. Nobody may wait any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _admit(self, now: float, tokens: int) -> Permit:
        if self.in_flight == 0:
            self.busy_since = now
        self.in_flight += 1
        adaptive = self._adaptive
        adaptive.serial += 1
        probe = not self._circuit.closed
        permit = Permit(adaptive.serial, self.in_flight, tokens, now, probe=probe)
        if not self._free:
            self._circuit.probing = probe
            permit.taken = self._buckets.take(tokens)
        return permit

    def _wait_s(self, now: float, tokens: int) -> float | None:
        """Seconds until buckets and circuit let a call pass; None if the end of a probe decides."""
        wait = self._buckets.wait_s(now, tokens)
        if self._circuit.closed:
            return wait
        probe = self._circuit.wait_s(now)
        return None if probe is None else max(wait, probe)

    def _refused(self, permit: Permit, now: float, rate: RateState | None) -> None:
        took = now - permit.sent_at
        rests = self._adaptive.refused(
            permit.serial,
            permit.depth,
            in_flight=self.in_flight,
            nothing_left=nothing_left(rate),
            lag=min(1.0, took / max(took, self._answer_s, _LEAST_S)),
        )
        if rests:  # a refusal must not come at less than an answer: it would be asked for in a loop
            self._resting.append(now + max(0.0, self._answer_s - took))

    def _pump(self) -> None:
        """Let in who may enter now, first come first served."""
        now = self._clock.monotonic()
        while self._resting and self._resting[0] <= now:
            self._resting.popleft()
            self._adaptive.rested()
        while self._queue:
            waiter = self._queue[0]
            if waiter.gone:
                self._queue.popleft()
                continue
            if self.in_flight >= self._adaptive.room:
                if self._resting:
                    self._pump_after(now, self._resting[0] - now)
                return
            if not self._free:
                wait = self._wait_s(now, waiter.tokens)
                if wait is None:
                    return
                if wait > 0:
                    self._pump_after(now, wait)
                    return
            self._queue.popleft()
            waiter.admit(self._admit(now, waiter.tokens))

    def _pump_after(self, now: float, seconds: float) -> None:
        due = now + seconds
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().create_task(self._pump_later(seconds))

    async def _pump_later(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timer = None
        self._pump()

    def _reachable_again(self) -> None:
        self._free = not self._buckets
        self._on_event(f"`{self.endpoint}` replies again")

    def _replied_since(self, permit: Permit) -> bool:
        """Whether the endpoint said anything while a call was in flight."""
        return self.last_reply_at is not None and self.last_reply_at >= permit.sent_at

    def _out_of_reach(self, now: float, verdict: Verdict) -> None:
        circuit = self._circuit
        was_down = circuit.down
        self._why_down = _WHY_DOWN[verdict]
        if circuit.failed(now, refused=verdict == "unreached"):
            self._free = False
            self._on_event(f"`{self.endpoint}` cannot be reached; probing")
        if circuit.down:
            if not was_down:
                seconds = circuit.out_of_reach_s(now)
                self._on_event(f"`{self.endpoint}` is down: out of reach for {seconds:.0f} s")
            while self._queue:
                waiter = self._queue.popleft()
                if not waiter.gone:
                    waiter.refuse(self.down_error())
