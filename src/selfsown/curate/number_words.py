"""How numbers, dates and measures are called in English: tables, our own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final


def _numbered(text: str, start: int = 0, step: int = 1) -> dict[str, int]:
    return {word: start + step * place for place, word in enumerate(text.split())}


ONES: Final = _numbered("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
    """)
TENS: Final = _numbered("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
CARDINALS: Final = {**ONES, **TENS}
ORDINALS: Final = {
    **_numbered(
        """
        first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
        fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth
        """,
        1,
    ),
    **{f"{word[:-1]}ieth": number for word, number in TENS.items()},
}
PARTS: Final = {
    **{"half": 2, "halves": 2, "quarter": 4, "quarters": 4},
    **{f"{word}s": number for word, number in ORDINALS.items() if number > 2},
}
"""What a number before it is divided by: three *quarters*."""
DECADES: Final = {f"{word[:-1]}ies": number for word, number in TENS.items()}
MULTIPLIERS: Final = {"hundred": 100.0, "dozen": 12.0, "score": 20.0}
SCALES: Final = {
    **{"thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "m": 1e6, "billion": 1e9},
    **{"bn": 1e9, "trillion": 1e12},
}
SHORT_SCALES: Final = frozenset(("k", "m", "mn", "bn"))
COUNTS: Final[Mapping[str, tuple[float, ...]]] = {
    **dict.fromkeys(("both", "pair", "pairs", "couple", "twice", "twin", "twins"), (2.0,)),
    **dict.fromkeys(("double", "doubled"), (2.0,)),
    **dict.fromkeys(("thrice", "triple", "tripled", "trio"), (3.0,)),
    **{"fortnight": (2.0, 14.0), "decade": (10.0,), "century": (100.0,), "dozen": (12.0,)},
    **{"midnight": (0.0, 12.0, 24.0), "noon": (12.0,), "midday": (12.0,), "single": (1.0,)},
    **{"quarterly": (4.0,), "monthly": (12.0,), "millennium": (1000.0,), "nil": (0.0,)},
    **{"half": (0.5, 50.0), "quarter": (0.25, 25.0, 15.0)},
}
"""Words that bear out a number and are none themselves."""
UNITS: Final[Mapping[str, tuple[str, float]]] = {
    **{name: ("time", hours) for name, hours in (("hour", 1.0), ("h", 1.0), ("minut", 1 / 60))},
    **{"min": ("time", 1 / 60), "second": ("time", 1 / 3600), "dai": ("time", 24.0)},
    **{"week": ("time", 168.0), "fortnight": ("time", 336.0), "month": ("span", 1.0)},
    **{"year": ("span", 12.0), "decad": ("span", 120.0), "centuri": ("span", 1200.0)},
    **dict.fromkeys(("kilometr", "kilomet", "km"), ("length", 1000.0)),
    **dict.fromkeys(("metr", "meter"), ("length", 1.0)),
    **dict.fromkeys(("centimetr", "centimet", "cm"), ("length", 0.01)),
    **dict.fromkeys(("millimetr", "millimet", "mm"), ("length", 0.001)),
    **dict.fromkeys(("litr", "liter"), ("volume", 1.0)),
    **dict.fromkeys(("millilitr", "millilit", "ml"), ("volume", 0.001)),
    **{"tonn": ("mass", 1000.0), "kilogram": ("mass", 1.0), "kg": ("mass", 1.0)},
    **{"gram": ("mass", 0.001), "g": ("mass", 0.001), "milligram": ("mass", 1e-6)},
}
"""Unit stems: what they measure, and in what base; only for equal amounts in other units."""
MONTHS: Final = {
    **_numbered(
        """
        january february march april may june july august september october november december
        """,
        1,
    ),
}
SHORT_MONTHS: Final = {
    **_numbered("jan feb mar apr may jun jul aug sep oct nov dec", 1),
    "sept": 9,
}
"""Months beside a number only: `Jan` may be a person, `may` a verb."""
WEEKDAYS: Final = {
    **_numbered("monday tuesday wednesday thursday friday saturday sunday"),
    **_numbered("mondays tuesdays wednesdays thursdays fridays saturdays sundays"),
}
CALENDAR: Final = frozenset((*MONTHS, *WEEKDAYS))
"""Names of months and weekdays, which are dates and no other names."""

_ROMAN = re.compile(r"(?:X{1,3}(?:IX|IV|V?I{0,3})|IX|IV|VI{0,3}|II{1,2})")
_ROMAN_DIGITS: Final = {"I": 1, "V": 5, "X": 10}


def roman(text: str) -> tuple[float, ...]:
    """The number that Roman digits below 40 stand for; none for I, V and what is no number."""
    if len(text) < 2 or not _ROMAN.fullmatch(text):
        return ()
    digits = [_ROMAN_DIGITS[char] for char in text]
    pairs = zip(digits, [*digits[1:], 0], strict=True)
    return (float(sum(-here if here < after else here for here, after in pairs)),)
