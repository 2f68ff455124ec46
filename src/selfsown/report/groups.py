"""Records by topic, style and audience: how many were dropped, how alike are those that were kept.

Drops bend a corpus where one topic loses more than another; repetition shows in one style before it
shows in all. Only runs whose first record has such a field are read for this: one more pass over
their data files. Memory: at most `MAX_GROUPS` groups per field, with the most common openings of
each in a table of `OPENINGS` (about 80 kB) and `SAMPLE` of its texts.
"""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from selfsown.core.request import JSON
from selfsown.curate.heavy_hitters import HeavyHitters
from selfsown.export.run_files import Row, RunFiles, integer, mapping, record_id, sequence, string
from selfsown.report.absent import Absent
from selfsown.report.rejects import spread
from selfsown.report.shown import shown_line

FIELDS: Final = ("topic", "style", "audience")
TEXTS: Final = ("text", "completion", "output")
"""Fields that hold what was written; the first that a record has counts."""
MAX_GROUPS: Final = 200
"""Groups of a field that are told apart: the first in the files; others share one row."""
SHOWN: Final = 40
"""Rows of a table, largest groups first."""
OPENINGS: Final = 256
OPENING_WORDS: Final = 5
SAMPLE: Final = 16
"""Texts of a group that diversity is measured on, the same number of each group."""
MAX_ALARMS: Final = 20
MONITORS: Final = "monitors"
"""Note under which a recipe leaves the alarms of `curate.monitors`."""
_SAMPLE_CHARACTERS: Final = 1_000
_REASONS: Final = 50
_OTHERS: Final = "(others)"


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one topic, style or audience."""

    name: str
    kept: int
    dropped: int
    """Rejected or failed in any stage whose candidates have the field."""
    reason: str
    """Why most of them were dropped; empty if none was."""
    reason_count: int
    mean_words: float | None
    """Of the kept texts; None without texts."""
    opening: str
    """The most common first five words of the kept texts."""
    opening_rate: float | None
    """Share of the kept texts, in [0, 1]; too low by at most `opening_error`."""
    opening_error: float
    compression_ratio: float | None
    """Of `SAMPLE` texts together, by zlib: higher is more repetitive. None for fewer texts."""
    distinct_pairs: float | None
    """Of the word pairs of the same texts the share that are distinct. None for fewer texts."""

    @property
    def drop_rate(self) -> float:
        """Dropped per candidate, in [0, 1]."""
        return self.dropped / (self.kept + self.dropped)


@dataclass(frozen=True, slots=True)
class GroupTable:
    """The groups of one field."""

    field: str
    group_count: int
    """All groups, `MAX_GROUPS` at most."""
    groups: tuple[Group, ...]
    """The largest, by candidates and name."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A share that was above its gate while texts were written."""

    group: str
    kind: str
    phrase: str
    share: float
    """When the alarm was raised, in [0, 1]."""
    total: int
    """Texts that had been written then."""
    end_share: float | None
    """At the end of the run; None where the recipe does not say."""
    gate: float


@dataclass(frozen=True, slots=True)
class Groups:
    """Tables of those fields that the records have, and what the monitors said."""

    tables: tuple[GroupTable, ...]
    alarm_count: int
    alarms: tuple[Alarm, ...]
    """The first of them."""


@dataclass(slots=True)
class _Tally:
    """What is counted of one group."""

    kept: int = 0
    words: int = 0
    texts: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    openings: HeavyHitters = field(default_factory=lambda: HeavyHitters(OPENINGS))
    sample: list[tuple[int, str]] = field(default_factory=list)


def read_groups(run: RunFiles) -> Groups | Absent:
    """The tables; absent where the first record and the first rejected one have no such field."""
    first = list(_first_rows(run))
    fields = [name for name in FIELDS if any(name in row for row in first)]
    told = mapping(mapping(run.data.get("notes")).get(MONITORS))
    alarms = [_alarm(mapping(one)) for one in sequence(told.get("alarms"))]
    if not fields:
        return Absent("the records of this recipe have no topic, style or audience")
    tallies: dict[str, dict[str, _Tally]] = {name: {} for name in fields}
    for row in run.rows("accepted"):
        text = next((string(row[name]) for name in TEXTS if isinstance(row.get(name), str)), "")
        words = text[: 16 * OPENING_WORDS].split()[:OPENING_WORDS]
        opening, count = shown_line(" ".join(words).casefold(), 80), len(text.split())
        key = spread(record_id(row))
        for tally in _tallies(tallies, row):
            tally.kept += 1
            if words:
                _count_text(tally, text, opening, count, key)
    for reason, record in _dropped(run):
        for tally in _tallies(tallies, record):
            if reason in tally.reasons or len(tally.reasons) < _REASONS:
                tally.reasons[reason] += 1
            else:
                tally.reasons[_OTHERS] += 1
    tables = (_table(name, found) for name, found in tallies.items())
    return Groups(tuple(tables), len(alarms), tuple(alarms[:MAX_ALARMS]))


def _first_rows(run: RunFiles) -> Iterator[Mapping[str, JSON]]:
    """The first accepted record and the first rejected one."""
    yield from _head(run.rows("accepted"))
    yield from (mapping(row.get("record")) for row in _head(run.rows("rejected")))


def _head(rows: Iterator[Row]) -> list[Row]:
    first = next(rows, None)
    return [] if first is None else [first]


def _dropped(run: RunFiles) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    for row in run.rows("rejected"):
        yield shown_line(string(row.get("reason")), 60), mapping(row.get("record"))
    for row in run.rows("failed"):
        kind = string(mapping(row.get("error")).get("kind"))
        yield f"failed: {shown_line(kind, 60)}", mapping(row.get("record"))


def _tallies(
    tallies: Mapping[str, dict[str, _Tally]], record: Mapping[str, JSON]
) -> Iterator[_Tally]:
    """The group of a record in each field that it has."""
    for name, groups in tallies.items():
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            group = shown_line(value, 60)
            if group not in groups and len(groups) >= MAX_GROUPS:
                group = _OTHERS
            yield groups.setdefault(group, _Tally())


def _count_text(tally: _Tally, text: str, opening: str, words: int, key: int) -> None:
    tally.texts += 1
    tally.words += words
    tally.openings.add(opening)
    heapq.heappush(tally.sample, (-key, text[:_SAMPLE_CHARACTERS]))
    if len(tally.sample) > SAMPLE:
        heapq.heappop(tally.sample)


def _table(name: str, tallies: Mapping[str, _Tally]) -> GroupTable:
    order = sorted(
        tallies.items(), key=lambda pair: (-pair[1].kept - pair[1].reasons.total(), pair[0])
    )
    return GroupTable(name, len(tallies), tuple(_group(*pair) for pair in order[:SHOWN]))


def _group(name: str, tally: _Tally) -> Group:
    reason, reason_count = _most(tally.reasons)
    ranked = [(-hits.least, words, hits.error) for words, hits in tally.openings.top(OPENINGS)]
    count, opening, error = min(ranked, default=(0, "", 0))
    texts = [text for _, text in sorted(tally.sample)] if len(tally.sample) == SAMPLE else []
    return Group(
        name=name,
        kept=tally.kept,
        dropped=tally.reasons.total(),
        reason=reason,
        reason_count=reason_count,
        mean_words=round(tally.words / tally.texts, 1) if tally.texts else None,
        opening=opening,
        opening_rate=round(-count / tally.texts, 4) if tally.texts else None,
        opening_error=round(error / tally.texts, 4) if tally.texts else 0.0,
        compression_ratio=_compression(texts),
        distinct_pairs=_distinct_pairs(texts),
    )


def _most(counts: Counter[str]) -> tuple[str, int]:
    return min(counts.items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))


def _compression(texts: list[str]) -> float | None:
    raw = "\n".join(texts).encode("utf-8", "replace")
    return round(len(raw) / len(zlib.compress(raw, 6)), 2) if texts else None


def _distinct_pairs(texts: list[str]) -> float | None:
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        words = text.casefold().split()
        pairs.update(pairwise(words))
    return round(len(pairs) / pairs.total(), 3) if pairs else None


def _alarm(told: Mapping[str, JSON]) -> Alarm:
    share, at_alarm = _number(told.get("share")), _number(told.get("alarm_share"))
    return Alarm(
        group=shown_line(string(told.get("group")), 60),
        kind=shown_line(string(told.get("kind")), 20),
        phrase=shown_line(string(told.get("phrase")), 80),
        share=(share if at_alarm is None else at_alarm) or 0.0,
        total=integer(told.get("total" if at_alarm is None else "alarm_total")),
        end_share=None if at_alarm is None else share,
        gate=_number(told.get("gate")) or 0.0,
    )


def _number(value: JSON) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
