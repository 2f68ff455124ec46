"""Claim: a number is the same number however it is written, and another one is another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.curate.faithful_numbers import Numbers
from selfsown.curate.faithful_reading import Reading


def new(source: str, text: str) -> list[str]:
    """Numbers of the text that the source does not bear out, as written."""
    reading = Reading(text)
    found = Numbers(Reading(source)).unborne(reading)
    return [text[reading.tokens[m.first].start : reading.tokens[m.last].end] for m in found]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("12 eggs", "twelve eggs, a dozen, 12.0"),
        ("12,000 men", "twelve thousand men, 12 000, 12k, 12000"),
        ("3 million people", "3,000,000 people"),
        ("3,000,000 people", "three million people"),
        ("between 3 and 4 million", "3 million to 4 million"),
        ("1.5 million", "one and a half million"),
        ("twenty-three towns", "23 towns"),
        ("one hundred and five", "105"),
        ("in 1984", "in nineteen eighty-four"),
        ("the 1990s", "the nineties"),
        ("the 19th century", "the nineteenth century, the 1800s"),
        ("25 %", "25 per cent, 25%, a quarter, one fourth"),
        ("two thirds", "2/3, 67 per cent"),
        ("a third of it", "33 %"),
        ("12 March 1912", "March 12, 1912"),
        ("1912-03-12", "12 March 1912"),
        ("12.03.1912", "12 March 1912"),
        ("at 10:30", "at half past ten"),
        ("at a quarter to four", "at 3:45"),
        ("at 18:00", "at 6 pm"),
        ("two decades", "20 years"),
        ("a year later", "12 months later"),
        ("half a year", "six months"),
        ("5 km", "5,000 metres"),
        ("90 minutes", "one and a half hours"),
        ("297 ships", "about 300 ships"),
        ("Louis XIV", "Louis 14"),
        ("from 1914-18", "until 1918"),
        ("a metre and a half", "1.5 metres"),
        ("iron and copper", "two metals: iron and copper"),
        ("hot and cold", "1. hot\n2. cold"),
        ("from computer to computer", "from one computer to another"),
        ("### 6.6.4. Moving tables\n\n1. Lock", "Section 6.6.4 is on moving tables; 1 is to lock"),
        ("April\nJanuary Jan Sunday", "What is said about April, January and Sunday?"),
        ("| 9 | 109 |\n| 3 | 103 |", "9 109, 3 103"),
    ],
)
def test_the_same_number_in_another_form_is_borne_out(source: str, text: str) -> None:
    assert new(source, text) == []


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("12 eggs", "13 eggs", ["13"]),
        ("3 million people", "3 billion people", ["3 billion"]),
        ("three moons", "two moons", ["two"]),
        ("three moons", "five moons", ["five"]),
        ("in May 1912", "in June 1912", ["June"]),
        ("on Monday", "on Friday", ["Friday"]),
        ("25 %", "two thirds", ["two thirds"]),
        ("a third of it", "36 %", ["36"]),
        ("two thirds", "2/5", ["2/5"]),
        ("297 ships", "300 ships", ["300"]),
        ("297 ships", "about 350 ships", ["350"]),
        ("5 km", "500 metres", ["500"]),
        ("12 months", "three months", ["three"]),
        ("no number", "9" * 30, ["9" * 30]),
    ],
)
def test_another_number_is_named(source: str, text: str, expected: list[str]) -> None:
    assert new(source, text) == expected


@given(st.integers(11, 10**12), st.integers(11, 10**12))
def test_grouping_never_matters_and_the_value_always_does(one: int, other: int) -> None:
    assert new(f"It has {one}.", f"It has {one:,}.") == []
    assert new(f"It has {one:,}.", f"It has {one}.") == []
    if one != other:
        assert new(f"It has {one}.", f"It has {other:,}.") == [f"{other:,}"]
