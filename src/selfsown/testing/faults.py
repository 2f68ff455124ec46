"""Which fault strikes a request: a function of seed, request and occurrence, never of timing."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Final

from selfsown.core.errors import ConfigError

_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Rates in [0, 1].

    The first group is drawn anew for every arrival of a request, so that a retry may get through.
    """

    rate_limit: float = 0.0
    """429 with `Retry-After`."""
    rate_limit_bare: float = 0.0
    """429 without a hint."""
    server_error: float = 0.0
    """500."""
    hang: float = 0.0
    """The connection stays open and silent."""
    drip: float = 0.0
    """A reply that arrives byte by byte, one a second."""
    cut: float = 0.0
    """The connection is reset in the middle of the reply."""
    wrong_length: float = 0.0
    """A reply shorter than its Content-Length, then the end of the connection."""
    malformed: float = 0.0
    """200 with JSON that stops in the middle."""
    html: float = 0.0
    """200 with a web page."""
    empty_choices: float = 0.0
    """200 with `"choices": []`."""
    unauthorized: float = 0.0
    """401."""
    missing_model: float = 0.0
    """404."""

    bad_request: float = 0.0
    """400.

    From here on: a share of the requests, chosen by hash, that meet their fault every time.
    """
    context_length: float = 0.0
    """400 that says the prompt is too long."""
    content_filter: float = 0.0
    """200 whose finish reason is `content_filter`."""
    length: float = 0.0
    """200 with half the text, finish reason `length`."""

    def __post_init__(self) -> None:
        """Refuse rates that cannot be."""
        for names in (TRANSIENT, PERMANENT):
            rates = [getattr(self, name) for name in names]
            if any(not 0 <= rate <= 1 for rate in rates) or sum(rates) > 1 + 1e-9:
                raise ConfigError(
                    f"fault rates {dict(zip(names, rates, strict=True))} cannot be used",
                    why="each lies in [0, 1] and so does the sum of each group",
                    fix="lower them",
                )

    def strikes(self, seed: int, body_hash: str, occurrence: int) -> str:
        """The name of the fault that strikes this arrival of a request; empty for none."""
        return self._pick(PERMANENT, uniform(seed, "permanent", body_hash, 0)) or self._pick(
            TRANSIENT, uniform(seed, "transient", body_hash, occurrence)
        )

    @property
    def any(self) -> bool:
        """Whether any rate is above 0."""
        return any(getattr(self, item.name) for item in fields(self))

    def _pick(self, names: tuple[str, ...], point: float) -> str:
        for name in names:
            point -= getattr(self, name)
            if point < 0:
                return name
        return ""


PERMANENT: Final = ("bad_request", "context_length", "content_filter", "length")
TRANSIENT: Final = tuple(item.name for item in fields(Faults) if item.name not in PERMANENT)


def uniform(seed: int, purpose: str, body_hash: str, occurrence: int) -> float:
    """A number in [0, 1) that is a function of its arguments."""
    text = f"{seed}\0{purpose}\0{body_hash}\0{occurrence}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / 2**56


def log_normal_s(median_s: float, sigma: float, point: float) -> float:
    """The quantile `point`, in [0, 1), of a log-normal distribution, in seconds."""
    if median_s <= 0:
        return 0.0
    return median_s * math.exp(sigma * _NORMAL.inv_cdf(min(max(point, 1e-9), 1 - 1e-9)))
