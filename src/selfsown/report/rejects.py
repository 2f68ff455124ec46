"""Why candidates were rejected or failed, with examples that a reader can judge."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from selfsown.core.request import JSON
from selfsown.export.run_files import Row, RunFiles, mapping, string
from selfsown.report.payload import payload_text
from selfsown.report.shown import shown_line

EXAMPLES: Final = 3
MAX_REASONS: Final = 60
"""Reasons with examples; a run with more still counts them all in the funnel."""


@dataclass(frozen=True, slots=True)
class RejectExample:
    """One candidate that did not make it."""

    id: str
    text: str
    """Shortened and made harmless."""
    score: float | None
    """The number that decided, for example a similarity."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of one stage."""

    stage: str
    reason: str
    """The reason, or the kind of failure."""
    failed: bool
    """Whether the candidates failed rather than were rejected."""
    count: int
    examples: tuple[RejectExample, ...]
    """Chosen by a hash of the id: the same for the same data, and from all over the run."""


class _Collector:
    """The count of a reason and the candidates with the smallest hashes."""

    def __init__(self) -> None:
        self.count = 0
        self._chosen: list[tuple[int, int, RejectExample]] = []

    def add(self, row: Row) -> None:
        """Count a candidate, and keep it if its hash is among the smallest."""
        self.count += 1
        rank = -spread(string(row.get("id")))
        if len(self._chosen) == EXAMPLES and rank <= self._chosen[0][0]:
            return
        heapq.heappush(self._chosen, (rank, self.count, _example(row)))
        if len(self._chosen) > EXAMPLES:
            heapq.heappop(self._chosen)

    @property
    def examples(self) -> tuple[RejectExample, ...]:
        """The chosen ones, smallest hash first."""
        ordered = sorted(self._chosen, key=lambda entry: -entry[0])
        return tuple(example for _, _, example in ordered)


def read_reasons(run: RunFiles) -> tuple[Reason, ...]:
    """All reasons of rejection and failure, most frequent first."""
    found: dict[tuple[str, str, bool], _Collector] = {}
    for key, row in _ended_badly(run):
        if key in found or len(found) < MAX_REASONS:
            found.setdefault(key, _Collector()).add(row)
    reasons = (
        Reason(stage, reason, failed, collector.count, collector.examples)
        for (stage, reason, failed), collector in found.items()
    )
    return tuple(sorted(reasons, key=lambda reason: (-reason.count, reason.stage, reason.reason)))


def spread(identifier: str) -> int:
    """A number that spreads ids evenly and is the same everywhere."""
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest())


def _ended_badly(run: RunFiles) -> Iterator[tuple[tuple[str, str, bool], Row]]:
    for row in run.rows("rejected"):
        yield (_name(row.get("stage")), _name(row.get("reason")), False), row
    for row in run.rows("failed"):
        error = mapping(row.get("error"))
        yield (_name(row.get("stage")), _name(error.get("kind")), True), row


def _name(value: JSON) -> str:
    return shown_line(string(value), 80)


def _example(row: Mapping[str, JSON]) -> RejectExample:
    score = row.get("score")
    error = string(mapping(row.get("error")).get("what"))
    text = payload_text(mapping(row.get("record")))
    return RejectExample(
        id=string(row.get("id")),
        text=f"{error} | {text}" if error else text,
        score=round(float(score), 4) if isinstance(score, (int, float)) else None,
    )
