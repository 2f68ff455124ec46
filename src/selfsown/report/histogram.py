"""Distributions of whole numbers in memory that does not grow with the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

MAX_BINS: Final = 24
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in bins of equal width; the last one also holds everything beyond it."""

    count: int
    mean: float
    median: float
    p90: float
    longest: float
    width: float
    """Bin `i` reaches from `i * width` up to, and without, `(i + 1) * width`."""
    bins: tuple[int, ...]
    open_ended: bool
    """Whether the last bin holds values beyond its upper edge."""


def whole_numbers(counts: Counter[int]) -> Histogram:
    """The histogram of whole numbers >= 0, given how often each occurs.

    Widths are 1, 2 or 5 times a power of ten, so that the bins up to the 99th percentile are at
    most 24.
    """
    total = counts.total()
    if not total:
        return Histogram(0, 0.0, 0.0, 0.0, 0.0, 1.0, (), False)
    top = _percentile(counts, total, 99)
    width = next(
        step * 10**power
        for power in range(18)
        for step in _STEPS
        if top // (step * 10**power) < MAX_BINS
    )
    bins = [0] * (top // width + 1)
    for value, count in counts.items():
        bins[min(value // width, len(bins) - 1)] += count
    longest = max(counts)
    return Histogram(
        count=total,
        mean=round(sum(value * count for value, count in counts.items()) / total, 2),
        median=_percentile(counts, total, 50),
        p90=_percentile(counts, total, 90),
        longest=longest,
        width=width,
        bins=tuple(bins),
        open_ended=longest >= len(bins) * width,
    )


def unit_interval(counts: Counter[int], bins: int = 20) -> Histogram:
    """The histogram of numbers in [0, 1] in equal bins, given how often each thousandth occurs.

    1 falls into the last bin; percentiles are accurate to a thousandth.
    """
    total = counts.total()
    if not total:
        return Histogram(0, 0.0, 0.0, 0.0, 0.0, 1 / bins, (), False)
    filled = [0] * bins
    for value, count in counts.items():
        filled[min(value * bins // 1000, bins - 1)] += count
    return Histogram(
        count=total,
        mean=round(sum(value * count for value, count in counts.items()) / total / 1000, 4),
        median=_percentile(counts, total, 50) / 1000,
        p90=_percentile(counts, total, 90) / 1000,
        longest=max(counts) / 1000,
        width=1 / bins,
        bins=tuple(filled),
        open_ended=False,
    )


def _percentile(counts: Counter[int], total: int, percent: int) -> int:
    """Nearest rank: the smallest value that covers so many per cent of all."""
    ordered = sorted(counts)
    wanted = max(1, -(-percent * total // 100))
    reached = accumulate(counts[value] for value in ordered)
    return next(value for value, so_far in zip(ordered, reached, strict=True) if so_far >= wanted)
