"""A run stops exactly when the yield over the last answers falls below the bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfsown.recipes.saturation import YieldWatch, most_answers

YIELDS = st.lists(st.integers(0, 3), max_size=80)


@given(YIELDS, st.integers(1, 10), st.sampled_from([0.0, 0.3, 1.0]))
def test_the_window_says_what_a_sum_over_the_last_answers_says(
    yields: list[int], window: int, least: float
) -> None:
    watch = YieldWatch(window, least)
    for k, accepted in enumerate(yields, start=1):
        watch.add(accepted)
        last = yields[max(0, k - window) : k]
        assert watch.mean == sum(last) / len(last)
        assert watch.is_exhausted == (k >= window and sum(last) / window < least)


@given(YIELDS, st.integers(1, 9))
def test_the_curve_keeps_the_total_in_at_most_so_many_bins(yields: list[int], most: int) -> None:
    watch = YieldWatch(4, 0.1)
    for accepted in yields:
        watch.add(accepted)
    assert sum(watch.curve(most)) == sum(yields) and len(watch.curve(most)) <= most


@given(YIELDS, st.integers(1, 10), st.sampled_from([0.1, 0.3, 1.0]), st.integers(1, 30))
def test_no_run_is_longer_than_its_bound(
    yields: list[int], window: int, least: float, units: int
) -> None:
    watch = YieldWatch(window, least)
    accepted = answers = 0
    for one in yields:
        if accepted >= units or watch.is_exhausted:
            break
        watch.add(one)
        accepted += one
        answers += 1
    bound = most_answers(units, window, least, in_flight=0)
    assert bound is not None and answers <= bound


def test_without_a_least_yield_there_is_no_bound() -> None:
    assert most_answers(10, 5, 0.0, 0) is None
    watch = YieldWatch(2, 0.0)
    for _ in range(100):
        watch.add(0)
    assert not watch.is_exhausted and watch.mean == 0.0


def test_an_untouched_watch_is_neither_exhausted_nor_fruitful() -> None:
    watch = YieldWatch(3, 1.0)
    assert watch.mean == 0.0 and not watch.is_exhausted and watch.curve() == []
