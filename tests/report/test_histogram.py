"""Histograms hold every value once, in at most 25 bins, with exact percentiles of whole numbers."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from selfsown.report.histogram import MAX_BINS, unit_interval, whole_numbers

VALUES = st.lists(st.integers(0, 5000) | st.integers(0, 30), min_size=1, max_size=200)


@given(VALUES)
def test_every_value_is_in_exactly_one_bin(values: list[int]) -> None:
    histogram = whole_numbers(Counter(values))
    assert sum(histogram.bins) == histogram.count == len(values)
    assert len(histogram.bins) <= MAX_BINS
    width = int(histogram.width)
    for place, count in enumerate(histogram.bins[:-1]):
        assert count == sum(place * width <= value < (place + 1) * width for value in values)
    assert histogram.longest == max(values)


@given(VALUES)
def test_percentiles_are_nearest_rank(values: list[int]) -> None:
    histogram = whole_numbers(Counter(values))
    ordered = sorted(values)
    # Nearest rank: value number ceil(p * n / 100), counted from 1.
    assert histogram.median == ordered[-(-50 * len(values) // 100) - 1]
    assert histogram.p90 == ordered[-(-90 * len(values) // 100) - 1]


def test_one_outlier_does_not_squeeze_the_others() -> None:
    histogram = whole_numbers(Counter([5] * 500 + [7] * 500 + [100_000]))
    assert histogram.width == 1
    assert histogram.open_ended
    assert histogram.bins[-1] == 501


@given(st.lists(st.floats(0, 1), min_size=1, max_size=100))
def test_the_unit_interval_is_covered_from_end_to_end(values: list[float]) -> None:
    histogram = unit_interval(Counter(round(value * 1000) for value in values))
    assert sum(histogram.bins) == len(values)
    assert len(histogram.bins) == 20
    if 1.0 in values:
        assert histogram.bins[-1]


def test_no_values_make_an_empty_histogram() -> None:
    assert whole_numbers(Counter()).bins == ()
    assert unit_interval(Counter()).count == 0
