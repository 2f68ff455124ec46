"""The attempts of a journal as typed rows, streamed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from selfsown.core.journal import TABLES, Journal, Value

_COLUMN: Final = {name: place for place, name in enumerate(TABLES["attempts"], start=1)}


class Attempt(NamedTuple):
    """One attempt of one call."""

    started_s: float
    """When it was sent, in seconds since 1970, UTC, to the journal's accuracy of a second."""
    duration_s: float
    kind: str
    """`ok` or the kind of failure."""
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int

    @property
    def ended_s(self) -> float:
        """When it was over, likewise."""
        return self.started_s + self.duration_s

    @property
    def is_ok(self) -> bool:
        """Whether it brought an answer."""
        return self.kind in ("ok", "")


def read_attempts(journal: Journal) -> Iterator[Attempt]:
    """All attempts in the order they were journaled."""
    for row in journal.rows("attempts"):
        yield Attempt(
            started_s=stamp_seconds(row[_COLUMN["created"]]),
            duration_s=max(0.0, float(row[_COLUMN["duration_s"]] or 0)),
            kind=str(row[_COLUMN["kind"]] or "ok"),
            input_tokens=_whole(row[_COLUMN["input_tokens"]]),
            output_tokens=_whole(row[_COLUMN["output_tokens"]]),
            cached_input_tokens=_whole(row[_COLUMN["cached_input_tokens"]]),
            reasoning_tokens=_whole(row[_COLUMN["reasoning_tokens"]]),
            cost_nano_usd=_whole(row[_COLUMN["cost_nano_usd"]]),
        )


def _whole(value: Value) -> int:
    return int(value or 0)


@lru_cache(maxsize=64)
def stamp_seconds(stamp: Value) -> float:
    """A journal's stamp in seconds since 1970, UTC; 0.0 if it is none."""
    try:
        return dt.datetime.fromisoformat(str(stamp)).timestamp()
    except ValueError:
        return 0.0
