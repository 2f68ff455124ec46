"""What a reply's headers say about limits: OpenAI's and Anthropic's names, durations and dates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from selfsown.core.model import RateState

_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST_WAIT_S: Final = 86400.0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds the server wants us to wait, in [0, 86400]; None if it does not say so clearly.

    Reads `retry-after-ms`, then `Retry-After` as seconds or as an HTTP date. A date is measured
    against the reply's own `Date` header where there is one, so that a wrong local clock does no
    harm.
    """
    wait = _number(headers.get("retry-after-ms"))
    if wait is not None:
        return _bounded(wait / 1000)
    text = headers.get("retry-after")
    if text is None:
        return None
    wait = _number(text)
    if wait is None:
        moment = _http_date(text)
        if moment is None:
            return None
        wait = (moment - _now(headers)).total_seconds()
    return _bounded(wait)


def rate_state(headers: Mapping[str, str]) -> RateState | None:
    """The endpoint's limits as one reply states them; None if it states none.

    Where Anthropic counts input and output tokens apart and gives no total, the scarcer of the two
    is returned.
    """
    if (
        "x-ratelimit-remaining-requests" in headers
        or "x-ratelimit-remaining-tokens" in headers
        or "x-ratelimit-limit-requests" in headers
    ):
        return RateState(
            remaining_requests=_count(headers.get("x-ratelimit-remaining-requests")),
            remaining_tokens=_count(headers.get("x-ratelimit-remaining-tokens")),
            limit_requests=_count(headers.get("x-ratelimit-limit-requests")),
            limit_tokens=_count(headers.get("x-ratelimit-limit-tokens")),
            reset_requests_s=duration_s(headers.get("x-ratelimit-reset-requests")),
            reset_tokens_s=duration_s(headers.get("x-ratelimit-reset-tokens")),
        )
    if any(
        f"anthropic-ratelimit-{what}-remaining" in headers
        for what in ("requests", "tokens", "input-tokens")
    ):
        return _anthropic_state(headers)
    return None


def duration_s(text: str | None) -> float | None:
    """Seconds in `6m0s`, `1h2m3.5s`, `20ms` or `12.5`; None if it is none of these."""
    if text is None:
        return None
    text = text.strip().lower()
    plain = _number(text)
    if plain is not None:
        return plain
    pieces = _PIECE.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        return None
    return sum(float(number) * _UNIT_S[unit] for number, unit in pieces)


def _anthropic_state(headers: Mapping[str, str]) -> RateState:
    def read(what: str, which: str) -> str | None:
        return headers.get(f"anthropic-ratelimit-{what}-{which}")

    tokens = "tokens"
    if read(tokens, "remaining") is None:
        tokens = min(
            ("input-tokens", "output-tokens"),
            key=lambda kind: _share(read(kind, "remaining"), read(kind, "limit")),
        )
    return RateState(
        remaining_requests=_count(read("requests", "remaining")),
        remaining_tokens=_count(read(tokens, "remaining")),
        limit_requests=_count(read("requests", "limit")),
        limit_tokens=_count(read(tokens, "limit")),
        reset_requests_s=_until(read("requests", "reset"), headers),
        reset_tokens_s=_until(read(tokens, "reset"), headers),
    )


def _share(remaining: str | None, limit: str | None) -> float:
    left, whole = _count(remaining), _count(limit)
    return left / whole if left is not None and whole else 2.0


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"\s*-?\d{1,12}(\.\d{1,12})?\s*", text):
        return None
    return float(text)


def _count(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else max(0, int(number))


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_WAIT_S)


def _http_date(text: str) -> dt.datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _now(headers: Mapping[str, str]) -> dt.datetime:
    stated = headers.get("date")
    moment = _http_date(stated) if stated else None
    return moment or dt.datetime.now(dt.UTC)


def _until(text: str | None, headers: Mapping[str, str]) -> float | None:
    """Seconds until an RFC 3339 moment, at least 0."""
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return _bounded((moment - _now(headers)).total_seconds())
