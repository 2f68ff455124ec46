"""A model on a fake clock, with a hidden capacity, faults, and books of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from fractions import Fraction

from tests.core.fake_clock import FakeClock

from selfsown.core.model import Answer, AttemptFailed, Capabilities, Price, RateState
from selfsown.core.request import Completion, Request, Usage

Fault = Callable[["SimulatedModel", int], AttemptFailed | None]


class SimulatedModel:
    """Answers after a latency; refuses what exceeds its capacity; keeps its own books."""

    def __init__(
        self,
        clock: FakeClock,
        *,
        latency: Callable[[int], float] = lambda number: 1.0,
        capacity: int | None = None,
        fault: Fault = lambda model, number: None,
        tokens: Callable[[Request, int], int] = lambda request, number: 10,
        price: Price | None = None,
        local: bool = False,
        name: str = "m",
        rate: Callable[[SimulatedModel], RateState | None] = lambda model: None,
        refusal_s: float = 0.02,
        retry_after_s: float | None = 1.0,
    ) -> None:
        self.clock, self.capacity, self.fault, self.rate = clock, capacity, fault, rate
        self.latency, self.tokens, self.name = latency, tokens, name
        self.refusal_s, self.retry_after_s = refusal_s, retry_after_s
        self._price = price
        self._local = local
        self.attempts = self.answered = self.refused = self.in_flight = self.most_in_flight = 0
        self.billed_usd = Fraction()
        self.billed_tokens = 0
        self.sent_at: list[float] = []
        self.prompts: list[str] = []
        self.timeouts: list[float | None] = []
        self.seeds: list[int] = []

    @property
    def uri(self) -> str:
        return f"http://simulated/v1#{self.name}"

    @property
    def identity(self) -> str:
        return self.uri

    @property
    def endpoint(self) -> str:
        return "http://simulated"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(local=self._local)

    @property
    def price(self) -> Price | None:
        return self._price

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        self.attempts += 1
        number = self.attempts
        self.sent_at.append(self.clock.now)
        self.prompts.append(request.prompt or "")
        self.timeouts.append(timeout_s)
        self.seeds.append(seed)
        fault = self.fault(self, number)
        if fault is not None:
            await self.clock.sleep(self.refusal_s)
            raise fault
        if self.capacity is not None and self.in_flight >= self.capacity:
            self.refused += 1
            await self.clock.sleep(self.refusal_s)
            raise AttemptFailed(
                "rate_limit",
                "busy",
                status=429,
                retry_after_s=self.retry_after_s,
                rate=self.rate(self),
            )
        return await self._answer(request, number)

    async def _answer(self, request: Request, number: int) -> Answer:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        usage = Usage(len((request.prompt or "").encode()), self.tokens(request, number))
        self.bill(usage)  # a provider charges for what it has begun, heard or not
        rate = self.rate(self)
        try:
            await self.clock.sleep(self.latency(number))
        finally:
            self.in_flight -= 1
        self.answered += 1
        return Answer(Completion(text=f"answer {number}", usage=usage), rate)

    def bill(self, usage: Usage) -> None:
        self.billed_tokens += usage.input_tokens + usage.output_tokens
        if self._price is not None:
            prompt, answer = (
                Fraction(str(each)) for each in (self._price.input_usd, self._price.output_usd)
            )
            cost = usage.input_tokens * prompt + usage.output_tokens * answer
            self.billed_usd += cost / 1_000_000

    async def close(self) -> None:
        await asyncio.sleep(0)


def key_of(number: int) -> bytes:
    """A key like the journal's."""
    return random.Random(number).randbytes(32)


def ask(text: str = "hello", max_tokens: int = 100) -> Request:
    """A small request."""
    return Request(prompt=text, max_tokens=max_tokens)
