"""How many tokens each source gives, and how often its texts come: arithmetic on counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfsown.core.errors import ConfigError, InputError


@dataclass(frozen=True, slots=True)
class Stock:
    """What a source has to give."""

    name: str
    weight: float
    max_epochs: float
    tokens: int
    """Of one pass, without what is held out for validation."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the sources give, in their order."""

    wanted: int
    """Tokens of the mixture as asked for."""
    targets: tuple[float, ...]
    """Tokens of each source in the mixture; in the ratio of the weights."""
    limited_by: str = ""
    """The source that is too small for what was asked, so that the mixture is smaller, in the
    ratio that was asked for; empty if there is none."""

    @property
    def tokens(self) -> float:
        """Tokens of the mixture as planned."""
        return sum(self.targets)

    @property
    def shortfall(self) -> int:
        """Tokens that were asked for and cannot be had."""
        return round(self.wanted - self.tokens) if self.limited_by else 0


def plan_shares(
    stocks: Sequence[Stock], *, tokens: int | None = None, pass_over: str | None = None
) -> Plan:
    """Divide the tokens of a mixture by weight.

    A source that is too small is repeated, up to its most epochs. Where that is not enough, the
    ratio is kept and the mixture gets smaller.

    Args:
        stocks: at least one.
        tokens: of the mixture.
        pass_over: instead, a source of which the mixture has every text once. None of both: that of
            the only source with a weight.

    Raises:
        ConfigError: both are given, or none although there are several sources; no weight is
            above 0, or the source is unknown or has the weight 0.
        InputError: a source with a weight has no text.
    """
    weights = sum(stock.weight for stock in stocks)
    weighed = [stock for stock in stocks if stock.weight]
    if not weighed:
        raise ConfigError(
            "no source has a weight above 0",
            why="the mixture would be empty",
            fix="give a weight behind the path: NAME=PATH:WEIGHT",
        )
    for stock in weighed:
        if not stock.tokens:
            raise InputError(
                f"source `{stock.name}` has no text to train on",
                why="its share of the mixture would be missing",
                fix="check the path and what is held out of it, or leave the source out",
            )
    wanted = _wanted(stocks, weighed, tokens, pass_over)
    most = [
        (stock.max_epochs * stock.tokens * weights / stock.weight, stock.name) for stock in weighed
    ]
    whole, scarce = min(most)
    is_short = whole < wanted * (1 - 1e-9)
    total = whole if is_short else wanted
    targets = tuple(total * stock.weight / weights for stock in stocks)
    return Plan(round(wanted), targets, scarce if is_short else "")


def _wanted(
    stocks: Sequence[Stock], weighed: Sequence[Stock], tokens: int | None, pass_over: str | None
) -> float:
    if tokens is not None and pass_over is not None:
        raise ConfigError(
            "both a number of tokens and a pass over a source are given",
            why="each of them decides how large the mixture is",
            fix="leave one of them out",
        )
    if tokens is not None:
        if tokens < 1:
            raise ConfigError(
                f"a mixture of {tokens} tokens is none", why="it is its size", fix="give 1 or more"
            )
        return tokens
    if pass_over is None:
        if len(weighed) > 1:
            raise ConfigError(
                "nothing says how large the mixture is",
                why="weights say only how its sources stand to each other",
                fix="give --tokens N, or --pass-over NAME for one pass over a source",
            )
        pass_over = weighed[0].name
    for stock in weighed:
        if stock.name == pass_over:
            return stock.tokens * sum(each.weight for each in stocks) / stock.weight
    raise ConfigError(
        f"there is no source `{pass_over}` with a weight to pass over",
        why="one pass over it decides how large the mixture is",
        fix=f"the sources are {', '.join(f'`{stock.name}`' for stock in weighed)}",
    )
