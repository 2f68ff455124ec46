"""Claim: intervals over seeds and questions are those of the crossed bootstrap."""

from __future__ import annotations

import pytest

from selfsown.report.intervals import crossed, over_seeds


def test_equal_values_leave_no_doubt() -> None:
    found = crossed([[0.5] * 10] * 3)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_one_seed_gives_the_interval_over_questions() -> None:
    # 100 coins, half of them 1: standard error sqrt(.25 / 100) = .05, so about .40 to .60
    found = crossed([[0.0, 1.0] * 50])
    assert found.value == 0.5
    assert found.low == pytest.approx(0.40, abs=0.015)
    assert found.high == pytest.approx(0.60, abs=0.015)


def test_seeds_that_disagree_widen_the_interval() -> None:
    # Each seed is constant over questions, so only seeds differ: 1/9 of all resamples of two
    # different values out of three draws hold one value thrice, and the ends are the extremes.
    found = crossed([[0.0] * 50, [0.5] * 50, [1.0] * 50])
    assert found.low == pytest.approx(0.0)
    assert found.high == pytest.approx(1.0)


def test_equal_tables_give_equal_numbers() -> None:
    table = [[0.0, 1.0, 0.25], [1.0, 0.5, 0.5]]
    assert crossed(table) == crossed(table)


def test_few_seeds_have_the_interval_of_students_t() -> None:
    # 1, 2, 3: standard deviation 1, standard error 1 / sqrt(3), t with two degrees 4.303
    found = over_seeds([1.0, 2.0, 3.0])
    assert found.value == 2.0
    assert found.high - found.value == pytest.approx(4.303 / 3**0.5)
    assert found.value - found.low == pytest.approx(4.303 / 3**0.5)


def test_more_seeds_than_the_table_has_narrow_the_interval_all_the_same() -> None:
    ten, forty = over_seeds([0.0, 1.0] * 5), over_seeds([0.0, 1.0] * 20)
    assert forty.high - forty.low < ten.high - ten.low
