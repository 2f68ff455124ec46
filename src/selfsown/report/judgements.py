"""What the scorer of a preference recipe said: how much could be read, ties, which scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, integer, mapping
from selfsown.report.absent import Absent

NOTE: Final = "judgements"
"""Under which the recipe leaves its counts."""
MAX_BINS: Final = 20
_WIDTHS: Final = tuple(step * 10.0**power for power in range(-1, 9) for step in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Scores:
    """Judgements whose value lies in a range, its lower end included."""

    name: str
    """The range, or the one value in it."""
    count: int


@dataclass(frozen=True, slots=True)
class Judgements:
    """Counts over the scored answers of a run."""

    judgements: int
    parsed: int
    """Judgements that could be read."""
    comparable: int
    """Prompts with at least two answers that have a reward."""
    ties: int
    """Those among them whose answers are all equally good."""
    scores: tuple[Scores, ...]
    """From low to high; at most `MAX_BINS`."""

    @property
    def parse_rate(self) -> float:
        """Part of the judgements that could be read."""
        return self.parsed / self.judgements if self.judgements else 0.0

    @property
    def tie_rate(self) -> float:
        """Part of the comparable prompts whose answers are all equally good."""
        return self.ties / self.comparable if self.comparable else 0.0


def read_judgements(run: RunFiles) -> Judgements | Absent:
    """The counts that the recipe left in the manifest."""
    told = mapping(mapping(run.data.get("notes")).get(NOTE))
    if not told:
        return Absent("nothing was scored")
    return Judgements(
        judgements=integer(told.get("judgements")),
        parsed=integer(told.get("parsed")),
        comparable=integer(told.get("comparable")),
        ties=integer(told.get("ties")),
        scores=_binned(mapping(told.get("histogram"))),
    )


def _binned(histogram: Mapping[str, JSON]) -> tuple[Scores, ...]:
    counts = Counter({float(value): integer(count) for value, count in histogram.items()})
    if not counts:
        return ()
    low, high = min(counts), max(counts)
    if len(counts) <= MAX_BINS:
        return tuple(Scores(f"{value:g}", counts[value]) for value in sorted(counts))
    wide = (high - low) / (MAX_BINS - 2)
    width = next((one for one in _WIDTHS if (high - low) / one < MAX_BINS - 1), wide)
    bins: Counter[int] = Counter()
    for value, count in counts.items():
        bins[math.floor(value / width)] += count
    places = range(min(bins), max(bins) + 1)
    return tuple(Scores(f"{k * width:g} to {(k + 1) * width:g}", bins[k]) for k in places)
