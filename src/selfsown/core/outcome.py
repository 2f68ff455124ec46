"""What a call comes to: its attempts, its final outcome, and the numbers of the moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from selfsown.core.request import Completion, Usage


class AttemptRecord(NamedTuple):
    """One attempt as the journal keeps it."""

    number: int
    """From 1, in the order of sending."""
    kind: str
    """`ok`, `cancelled`, or the kind of failure."""
    status: int | None
    """HTTP status of a failure, where there is one."""
    started: str
    """UTC stamp."""
    duration_s: float
    usage: Usage | None
    """None where nothing is known about it."""
    cost_usd: float | None
    """As charged to the budget: the worst case where an attempt may be billed and its usage is not
    known. None if the price is not known."""
    detail: str
    """Why it failed; empty for `ok`."""
    charged_tokens: int = 0
    """As charged to the budget, like `cost_usd`."""
    session: int | None = None
    """The session that sent it, where that was an earlier one (batches)."""


class Outcome(NamedTuple):
    """How a call ended: with a completion, or with the kind and text of a final failure."""

    completion: Completion | None
    error_kind: str | None
    error: str | None
    """Free of times, ids and ports, so that it replays."""
    attempts: tuple[AttemptRecord, ...]
    """In the order they ended; one that is still under way is reported late."""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is."""

    name: str
    """The provider's id; ours before there is one."""
    done: int
    total: int

    def __str__(self) -> str:
        return f"waiting for batch {self.name}, {self.done:,} of {self.total:,} done"


@dataclass(frozen=True, slots=True)
class Counters:
    """A moment's numbers over all endpoints, for the live view."""

    in_flight: int
    limit: int
    """Calls that may be in flight now; for local models those that are."""
    waiting: int
    """Calls that wait for a permit."""
    backing_off: int
    """Calls that wait for their next attempt."""
    calls: int
    attempts: int
    retries: int
    refusals: int
    """Replies that refused for load."""
    resends: int
    last_reply_age_s: float | None
    """Seconds since any endpoint said anything; None before the first reply."""
    spent_usd: float
    """Earlier processes of the run included."""
    spent_tokens: int
    batches: tuple[BatchProgress, ...] = ()
    """What is waited for."""
