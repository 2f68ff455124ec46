"""List prices of hosted models in USD per million tokens, as of the date below. Check them.

Only models whose list price is known to us are here; everything else is unknown, and a budget in
USD on an unknown price is refused until the user gives one (`price: {input: ..., output: ...}`).
Standard tier, text only; batch, priority and long-context surcharges are not covered. Cached input
is the price of tokens read from the prefix cache.
"""

from __future__ import annotations

import re
from typing import Final

from selfsown.core.model import Price
from selfsown.models.uri import ModelURI

AS_OF: Final = "2025-11"
"""Month of the newest price in the table."""

_OPENAI: Final[dict[str, tuple[float, float, float | None]]] = {
    "gpt-5.1": (1.25, 10.0, 0.125),
    "gpt-5": (1.25, 10.0, 0.125),
    "gpt-5-mini": (0.25, 2.0, 0.025),
    "gpt-5-nano": (0.05, 0.40, 0.005),
    "gpt-4.1": (2.0, 8.0, 0.50),
    "gpt-4.1-mini": (0.40, 1.60, 0.10),
    "gpt-4.1-nano": (0.10, 0.40, 0.025),
    "gpt-4o": (2.50, 10.0, 1.25),
    "gpt-4o-2024-05-13": (5.0, 15.0, None),  # the first snapshot kept its first price
    "gpt-4o-mini": (0.15, 0.60, 0.075),
    "o1": (15.0, 60.0, 7.50),
    "o3": (2.0, 8.0, 0.50),
    "o3-mini": (1.10, 4.40, 0.55),
    "o4-mini": (1.10, 4.40, 0.275),
    "gpt-4-turbo": (10.0, 30.0, None),
    "gpt-4": (30.0, 60.0, None),
    "gpt-3.5-turbo": (0.50, 1.50, None),
    "gpt-3.5-turbo-instruct": (1.50, 2.0, None),
    "davinci-002": (2.0, 2.0, None),
    "babbage-002": (0.40, 0.40, None),
}
_ANTHROPIC: Final[dict[str, tuple[float, float, float | None]]] = {
    "claude-opus-4-5": (5.0, 25.0, 0.50),
    "claude-opus-4-1": (15.0, 75.0, 1.50),
    "claude-opus-4": (15.0, 75.0, 1.50),
    "claude-sonnet-4-5": (3.0, 15.0, 0.30),
    "claude-sonnet-4": (3.0, 15.0, 0.30),
    "claude-haiku-4-5": (1.0, 5.0, 0.10),
    "claude-3-7-sonnet": (3.0, 15.0, 0.30),
    "claude-3-5-sonnet": (3.0, 15.0, 0.30),
    "claude-3-5-haiku": (0.80, 4.0, 0.08),
    "claude-3-opus": (15.0, 75.0, 1.50),
    "claude-3-haiku": (0.25, 1.25, 0.03),
}
_SNAPSHOT: Final = re.compile(r"-(?:\d{4}-\d\d-\d\d|\d{8}|latest|0)$")


def price_of(uri: ModelURI, given: Price | None = None, *, host: str = "") -> Price | None:
    """The price of a model: what the user gave, else the table's, else None.

    A name matches exactly, or as a dated snapshot of a listed name (`gpt-4o-2024-08-06`,
    `claude-sonnet-4-20250514`); never by a mere prefix, so `gpt-5-mini` is not priced as `gpt-5`.
    Fine-tuned and proxied models are unknown.

    Args:
        uri: the model.
        given: the user's price, which always wins.
        host: the host that is really asked; a table only holds at its provider's own address.
            Empty: that address.
    """
    if given is not None:
        return given
    for scheme, home, table in (
        ("openai", "api.openai.com", _OPENAI),
        ("anthropic", "api.anthropic.com", _ANTHROPIC),
    ):
        if uri.scheme == scheme and host in ("", home):
            found = table.get(uri.name) or table.get(_SNAPSHOT.sub("", uri.name))
            if found:
                return Price(*found, source=f"built-in table, list prices of {AS_OF}: check them")
    return None
