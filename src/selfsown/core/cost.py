"""What calls cost, in integers: nano-USD and tokens, so that sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from selfsown.core.model import Price
from selfsown.core.request import Request, Usage

NANO: Final = 1_000_000_000
"""Nano-USD per USD."""


class Amount(NamedTuple):
    """Money and tokens of one reservation or one bill."""

    nano_usd: int = 0
    tokens: int = 0

    @property
    def usd(self) -> float:
        """The money in USD, for people and files."""
        return self.nano_usd / NANO


NOTHING: Final = Amount()


@dataclass(frozen=True, slots=True)
class Tariff:
    """A model's price in nano-USD per million tokens, so that sums are exact."""

    input: int
    output: int
    cached_input: int

    @classmethod
    def of(cls, price: Price | None, share: float = 1.0) -> Tariff | None:
        """The price, or a share of it (batches), as integers; None where it is not known."""
        if price is None:
            return None
        cached = price.input_usd if price.cached_input_usd is None else price.cached_input_usd
        unit = NANO * share
        return cls(
            round(price.input_usd * unit), round(price.output_usd * unit), round(cached * unit)
        )

    def cost(self, usage: Usage) -> int:
        """Nano-USD of a reported usage, rounded up."""
        cached = min(usage.cached_input_tokens, usage.input_tokens)
        total = (
            (usage.input_tokens - cached) * self.input
            + cached * self.cached_input
            + usage.output_tokens * self.output
        )
        return -(-total // 1_000_000)

    def worst(self, prompt_tokens: int, max_tokens: int) -> int:
        """Nano-USD that so many prompt tokens and a full-length answer could cost, rounded up."""
        dearest = max(self.input, self.cached_input)
        return -(-(prompt_tokens * dearest + max_tokens * self.output) // 1_000_000)


def worst_case(request: Request, tariff: Tariff | None) -> Amount:
    """The most that one attempt can be billed; its money is 0 where the price is not known."""
    prompt = request.prompt_bytes()
    money = tariff.worst(prompt, request.max_tokens) if tariff is not None else 0
    return Amount(money, prompt + request.max_tokens)


def actual_cost(usage: Usage, tariff: Tariff | None) -> Amount:
    """What a reported usage costs; its money is 0 where the price is not known."""
    money = tariff.cost(usage) if tariff is not None else 0
    return Amount(money, usage.input_tokens + usage.output_tokens)
