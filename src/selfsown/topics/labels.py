"""What a model says of a topic: its name and its educational value from 1 to 10.

What cannot be read is missing: never the lowest value, never a name of the parser's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from selfsown.curate.boilerplate import is_refusal

LOWEST: Final = 1
HIGHEST: Final = 10
MAX_WORDS: Final = 12
MAX_CHARACTERS: Final = 100

_NUMBER: Final = (
    r"(?:\(\s*1\s*(?:-|\u2013|to)\s*10\s*\))?\W{0,8}?(?<![-\d.])(\d{1,20}(?:\.\d{1,20})?)(?![\d.]*\d)"
    r"(?!\s*(?:-|\u2013|to)\s*\d)(?:\s*(?:/|out\ of)\s*(\d+))?"
)
"""A number that is no end of a range, and what it is out of; "(1 to 10)" may stand before it."""
_VALUE: Final = re.compile(rf"educational\s+(?:value|score|quality)\s*{_NUMBER}", re.IGNORECASE)
_BARE_VALUE: Final = re.compile(rf"{_NUMBER}\W{{0,4}}", re.IGNORECASE)
_PREFIX: Final = re.compile(r"\W{0,4}(?:topic|label|name)\W{0,3}\s*[:\-]\W{0,4}", re.IGNORECASE)
_MARKS: Final = " \t\"'`*_#.,;:-\u2013\u2014\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, slots=True)
class Label:
    """A topic as a model sees it."""

    topic: str | None
    """Its name on one line; None: none could be read."""
    value: float | None
    """Educational value in [1, 10]; None: none could be read."""


def parse_label(answer: str) -> Label:
    """Read `Topic: NAME` and `Educational value: NUMBER`, on lines of their own or on one."""
    found = _VALUE.search(answer)
    head = answer[: found.start()] if found else answer
    lines = [line for line in head.splitlines() if line.strip(_MARKS)]
    topic = _name(lines[0]) if lines and not is_refusal(answer) else None
    return Label(topic, _number(found))


def parse_value(answer: str) -> float | None:
    """Read an educational value from an answer that may hold nothing else."""
    return _number(_VALUE.search(answer) or _BARE_VALUE.fullmatch(answer.strip()))


def _name(line: str) -> str | None:
    name = " ".join(_PREFIX.sub("", line, count=1).strip(_MARKS).split())
    words = len(name.split())
    is_name = any(char.isalpha() for char in name)
    return name if is_name and words <= MAX_WORDS and len(name) <= MAX_CHARACTERS else None


def _number(found: re.Match[str] | None) -> float | None:
    if found is None or found[2] not in (None, str(HIGHEST)):
        return None  # a value on another scale is not ours to convert
    value = float(found[1])
    return value if LOWEST <= value <= HIGHEST else None
