"""The attempts of a journal as typed rows, streamed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from selfsown.core.journal import TABLES, Journal, Value

_CREATED, _DURATION, _KIND, _OUTPUT_TOKENS = (
    TABLES["attempts"].index(name) + 1
    for name in ("created", "duration_s", "kind", "output_tokens")
)


class Attempt(NamedTuple):
    """One attempt of one call."""

    started_s: float
    """When it was sent, in seconds since 1970, UTC, to the journal's accuracy of a second."""
    ended_s: float
    """When it was over, likewise."""
    is_ok: bool
    """Whether it brought an answer."""
    output_tokens: int


def read_attempts(journal: Journal) -> Iterator[Attempt]:
    """All attempts in the order they were journaled."""
    for row in journal.rows("attempts"):
        started = stamp_seconds(row[_CREATED])
        ended = started + max(0.0, float(row[_DURATION] or 0))
        yield Attempt(started, ended, (row[_KIND] or "ok") == "ok", int(row[_OUTPUT_TOKENS] or 0))


@lru_cache(maxsize=64)
def stamp_seconds(stamp: Value) -> float:
    """A journal's stamp in seconds since 1970, UTC; 0.0 if it is none."""
    try:
        return dt.datetime.fromisoformat(str(stamp)).timestamp()
    except ValueError:
        return 0.0
