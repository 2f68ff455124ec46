"""Throughput and concurrency over the time in which the run was at work.

A run may be stopped and resumed days later. Time in which nothing was in flight for more than a
minute is cut out, so the axis is working time, and the number of cuts is told. Stamps are accurate
to a second, so bins are at least one second.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from selfsown.core.journal import Journal
from selfsown.export.run_files import RunFiles
from selfsown.report.absent import Absent
from selfsown.report.attempts import read_attempts, stamp_seconds

POINTS: Final = 60
PAUSE_S: Final = 60.0

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """Means over one bin of working time."""

    time_s: float
    """Middle of the bin, in seconds of working time."""
    answers_per_s: float
    output_tokens_per_s: float
    in_flight: float
    """Attempts under way."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The run over its working time."""

    working_s: float
    pauses: int
    """Stretches of more than a minute without any attempt in flight; they are cut out."""
    moments: tuple[Moment, ...]
    answers_per_s: float
    """Mean over the working time."""
    mean_in_flight: float
    peak_in_flight: float
    """Highest mean of a bin."""


def read_activity(run: RunFiles) -> Activity | Absent:
    """Lay the journal's attempts on a time axis."""
    with run.journal() as journal:
        if journal is None:
            return Absent("the directory has no journal")
        spans = _working_spans(journal)
        if not spans:
            return Absent("no call has been answered yet")
        return _activity(journal, spans)


def _working_spans(journal: Journal) -> list[Span]:
    """Stretches of time with attempts in flight, in order, pauses above a minute between them."""
    spans: list[Span] = []
    # Stamps are whole seconds: of those sent in the same second, the longest covers the others.
    seconds = "SELECT created, max(duration_s) FROM attempts GROUP BY created ORDER BY min(seq)"
    for created, duration in journal.query(seconds):
        start = stamp_seconds(created)
        end = start + max(1.0, float(duration or 0))
        while spans and start <= spans[-1][1] + PAUSE_S and end >= spans[-1][0] - PAUSE_S:
            low, high = spans.pop()
            start, end = min(start, low), max(end, high)
        spans.append((start, end))
    return _merged(spans)


def _merged(spans: list[Span]) -> list[Span]:
    """Spans in order without overlap, also where the clock went backwards between sessions."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + PAUSE_S:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


class _Axis:
    """Maps wall-clock seconds to working seconds."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]
        self._offsets = (0.0, *accumulate(end - start for start, end in spans))
        self.length = self._offsets[-1]

    def position(self, moment: float) -> float:
        """Working seconds before a moment; moments in a pause fall on its edge."""
        place = bisect_right(self._starts, moment) - 1
        if place < 0:
            return 0.0
        start, end = self._spans[place]
        return self._offsets[place] + min(moment, end) - start


def _activity(journal: Journal, spans: Sequence[Span]) -> Activity:
    axis = _Axis(spans)
    count = int(max(1, min(POINTS, axis.length)))
    width = axis.length / count
    answers, tokens, busy = [0] * count, [0] * count, [0.0] * count
    for started_s, ended_s, is_ok, output_tokens in read_attempts(journal):
        low, high = axis.position(started_s), axis.position(ended_s)
        last = min(int(high / width), count - 1)
        answers[last] += is_ok
        tokens[last] += output_tokens
        for place in range(int(low / width), last + 1):
            busy[place] += max(0.0, min(high, (place + 1) * width) - max(low, place * width))
    moments = tuple(
        Moment(
            round((place + 0.5) * width, 2),
            round(answers[place] / width, 3),
            round(tokens[place] / width, 1),
            round(busy[place] / width, 2),
        )
        for place in range(count)
    )
    return Activity(
        working_s=round(axis.length, 1),
        pauses=len(spans) - 1,
        moments=moments,
        answers_per_s=round(sum(answers) / axis.length, 3),
        mean_in_flight=round(sum(busy) / axis.length, 2),
        peak_in_flight=max(moment.in_flight for moment in moments),
    )
