"""Claim: what is new in a text is listed as written, and each sum is computed again."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selfsown.curate.faithful_listed import Listed, arithmetic, listed

SOURCE = "Rome fell in 476, when Odoacer took Ravenna with 12,000 men. It had two emperors."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In 476 Odoacer came with twelve thousand men.", Listed((), (), ())),
        ("It had 35 gates and 35 towers.", Listed(("35",), (), ())),
        ("It ended on 4 September 476.", Listed((), (), ("4 September 476",))),
        ("It ended on Monday, May 5, 1993.", Listed((), (), ("Monday, May 5, 1993",))),
        ("Then Clovis came; nobody met Clovis.", Listed((), ("Clovis",), ())),
        ("They asked Pope Leo for 40 ships.", Listed(("40",), ("Pope Leo",), ())),
        ("", Listed((), (), ())),
    ],
)
def test_numbers_names_and_dates_that_the_source_lacks(text: str, expected: Listed) -> None:
    assert listed(SOURCE, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 + 4 = 7", [True]),
        ("3 + 4 = 8", [False]),
        ("12 \u00d7 3 = 36 and 36 \u00f7 5 = 7", [True, False]),
        ("$5 + $3 = $8", [True]),
        ("5 apples + 3 green apples = 9 apples", [False]),
        ("20% of 50 = 10", [True]),
        ("3/4 = 75%", [True]),
        ("50% + 25% = 75%", [True]),
        ("200 + 10% = 220", []),
        ("10 / 3 = 3.33", [True]),
        ("10 / 6 = 1.66", [True]),
        ("10 / 3 = 3.43", [False]),
        ("7 / 2 = 3", [False]),
        ("10 / 3 \u2248 3.3", [True]),
        ("2x + 3 = 7", []),
        ("y - 3 + 4 = 9", []),
        ("f(3) + 4 = 9", []),
        ("3^2 + 4^2 = 25", [True]),
        (r"so $3 \times 4 = 12$ and \(\frac{1}{2} + \frac{1}{4} = 0.75\)", [True, True]),
        ("(2 + 3) * 4 = 20, but 2 + 3 * 4 = 20", [True, False]),
        ("the war of 1914-1918 = 4 years", []),
        ("1. 5 kg + 3 kg = 8 kg", [True]),
        ("1,200 - 200 = 1,000", [True]),
        ("8 x 7 = 54", [False]),
        ("3 + 4 = 2 + 5", []),
        ("1 / 0 = 5", [False]),
        ("9 - 12 = -3", [True]),
        ("3 of 5 = 60", []),
        ("no sum at all", []),
    ],
)
def test_a_sum_is_computed_again(text: str, expected: list[bool]) -> None:
    assert [one.is_right for one in arithmetic(text)] == expected


NUMBERS = st.integers(0, 99)
SIGNS = st.sampled_from(["+", "-", "*"])


@example([("+", 28), ("*", 28), ("*", 29), ("*", 31), ("*", 33), ("*", 43)], 0, 1)
@given(st.lists(st.tuples(SIGNS, NUMBERS), min_size=1, max_size=6), NUMBERS, st.integers(-2, 2))
def test_any_sum_of_whole_numbers_is_right_if_python_says_so(
    rest: list[tuple[str, int]], first: int, error: int
) -> None:
    left = " ".join([str(first), *(f"{sign} {number}" for sign, number in rest)])
    value = eval(left)  # noqa: S307 - digits and signs that the test made
    (found,) = arithmetic(f"It is {left} = {value + error}.")
    assert (found.computed, found.is_right) == (value, error == 0)


@pytest.mark.parametrize(
    "piece", ["1 + ", "1 aa ", "(1", "1,", "9" * 50, "1 = ", "2 x ", "\\frac{", "Ab ", "May ", "1%"]
)
def test_long_hostile_texts_take_no_longer_per_character(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.perf_counter()
    arithmetic(text)
    listed(SOURCE, text)
    assert time.perf_counter() - start < 3.0
