"""What a text states beyond its source: numbers, names and dates; and sums that do not come out.

For texts that may say more than their source, such as a textbook grown from an extract
(`cosmopedia`): nothing here is a fault by itself. What counts as new is what the faithfulness gate
takes for new; see `faithful_numbers` and `faithful_names` for what they miss.

A sum is `a op b ... = c` in digits, with + - * / ^, their typographic and LaTeX forms, brackets and
units. Not read: variables, roots, functions, mixed percentages, and whatever stands beside them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.curate.faithful_mentions import Mention, dates, mentions
from selfsown.curate.faithful_names import Names
from selfsown.curate.faithful_numbers import Numbers
from selfsown.curate.faithful_reading import Reading


@dataclass(frozen=True, slots=True)
class Listed:
    """What stands in the text and not in the source, each once, as written, in order."""

    numbers: tuple[str, ...]
    """Numbers that belong to no date."""
    names: tuple[str, ...]
    """Capitalised names."""
    dates: tuple[str, ...]
    """Months, weekdays and years, with what belongs to them: `12 March 1912`."""


def listed(source: str, text: str) -> Listed:
    """Numbers, names and dates of `text` that `source` does not have."""
    theirs, ours = Reading(source), Reading(text)
    new = {mention.first for mention in Numbers(theirs).unborne(ours)}
    found = mentions(ours)
    dated = dates(ours, found)
    numbers = [
        mention
        for place, mention in enumerate(found)
        if place not in dated and mention.first in new
    ]
    runs = [run for run in _runs([found[at] for at in sorted(dated)]) if _holds(run, new)]
    return Listed(
        _written(ours, [(mention.first, mention.last) for mention in numbers]),
        _written(ours, [(name.first, name.last) for name in Names(theirs).unborne(ours)]),
        _written(ours, [(run[0].first, run[-1].last) for run in runs]),
    )


def _runs(found: Sequence[Mention]) -> list[list[Mention]]:
    """Mentions of dates that stand side by side, together."""
    runs: list[list[Mention]] = []
    for mention in found:
        if runs and mention.first - runs[-1][-1].last <= 2:
            runs[-1].append(mention)
        else:
            runs.append([mention])
    return runs


def _holds(run: Sequence[Mention], new: set[int]) -> bool:
    return any(mention.first in new for mention in run)


def _written(reading: Reading, spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    texts = (
        reading.text[reading.tokens[first].start : reading.tokens[last].end]
        for first, last in spans
    )
    return tuple(dict.fromkeys(" ".join(text.split()) for text in texts))


@dataclass(frozen=True, slots=True)
class Sum:
    """One statement `a op b = c` of a text."""

    statement: str
    """As written, with LaTeX signs as plain ones."""
    computed: float
    """What the left side comes to, in the unit of the right; infinite if divided by zero."""
    is_right: bool
    """Whether the right side says so: exactly, to its last decimal place, or nearly after `≈`."""


NEARLY: Final = 0.02
"""How far, of its value, a result after `\u2248` may be away."""

_SIGNS: Final = r"+*/^\u00d7\u00b7\u22c5\u00f7\u2212\u2013\-"
_NUMBER: Final = r"[$\u20ac\u00a3]?\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,12})?(?![\d.,]\d)"
_UNIT: Final = r"""(?:\s?% | \s?(?:km|cm|mm|kg|mg|ml|ft|lb|g|m|l|s|h)\b(?!\s?\()
  | (?:\s(?!of\b|equals\b)[A-Za-z]{2,15}){1,2})?"""
_OPERATOR: Final = rf"(?>\s?(?:\*\*|[{_SIGNS}]|(?<=\d\s)x(?=\s\d)|of\b)\s?)"
_TERM: Final = rf"(?>(?:\(\s?)?{_NUMBER}{_UNIT}(?:\s?\))?)"
_SUM = re.compile(
    rf"""(?P<left>{_TERM}(?:{_OPERATOR}{_TERM}){{1,12}})\s?(?P<sign>=|\u2248|\bequals\b)\s?
    (?P<right>-?{_NUMBER}\s?%?)(?!\s?[{_SIGNS}(]\s?\d | [A-Za-z\u00b2\u00b3^])""",
    re.VERBOSE,
)
_PART = re.compile(rf"\*\*|\d[\d,]*(?:\.\d+)?|[{_SIGNS}()%]|\bx\b|\bof\b")
_LATEX: Final = (
    (re.compile(r"\\(?:times|cdot)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\[dt]?frac\{(\d{1,15})\}\{(\d{1,15})\}"), r"(\1/\2)"),
    (re.compile(r"\\(?:text|mathrm)\{([^{}]{0,40})\}"), r"\1"),
    (re.compile(r"\\approx\b"), "\u2248"),
    (re.compile(r"\\[,;! ()\[\]]"), " "),
    (re.compile(r"\\%"), "%"),
)
_BEFORE = re.compile(
    rf"(?:[{_SIGNS}=(\\_]\s{{0,2}}|\b(?:log|ln|sin|cos|tan|sqrt|mod)\s?|\d[.,]|[A-Za-z_)\]])\Z"
)
_YEARS = re.compile(r"\d{4}[-\u2013]\d{4}")
_NAMES: Final = {
    **{"\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "x": "*", "of": "*", "\u00f7": "/"},
    **{"\u2212": "-", "\u2013": "-", "**": "^"},
}
_RANK: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}


def arithmetic(text: str) -> tuple[Sum, ...]:
    """Every statement `a op b ... = c` of `text`, computed again, in order."""
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    sums: list[Sum] = []
    for match in _SUM.finditer(text):
        if _BEFORE.search(text[max(0, match.start() - 8) : match.start()]):
            continue
        if _YEARS.search(match["left"]):
            continue
        computed = _computed(match["left"], is_percent="%" in match["right"])
        if computed is not None:
            is_right = _agrees(computed, match["right"], is_near=match["sign"] == "\u2248")
            sums.append(Sum(" ".join(match[0].split()), computed, is_right))
    return tuple(sums)


def _computed(side: str, *, is_percent: bool) -> float | None:
    """The value of one side in the unit of the result; None where it is no plain sum."""
    parts = [_NAMES.get(part, part) for part in _PART.findall(side)]
    shares = parts.count("%")
    numbers = sum(part[0].isdigit() for part in parts)
    if shares and shares < numbers and not {"+", "-"}.isdisjoint(parts):
        return None
    if "of" in side and not shares and "/" not in parts:
        return None
    plain = [part for part in parts if part != "%"]
    value = _value(plain)
    if value is None:
        return None
    scale = 1.0
    if shares and not (shares == numbers and is_percent):
        scale = 100.0**-shares
    return value * scale * (100.0 if is_percent and shares < numbers else 1.0)


def _value(parts: Sequence[str]) -> float | None:
    """The value of numbers, operators and brackets in infix order; None if they do not fit."""
    values: list[float] = []
    pending: list[str] = []
    for part in parts:
        if part[0].isdigit():
            values.append(float(part.replace(",", "")))
        elif part == "(":
            pending.append(part)
        elif part == ")":
            while pending and pending[-1] != "(":
                if not _apply(values, pending.pop()):
                    return None
            if not pending:
                return None
            pending.pop()
        else:
            while pending and pending[-1] != "(" and _RANK[pending[-1]] >= _RANK[part]:
                if not _apply(values, pending.pop()):
                    return None
            pending.append(part)
    while pending:
        if pending[-1] == "(" or not _apply(values, pending.pop()):
            return None
    return values[0] if len(values) == 1 else None


_OPERATIONS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def _apply(values: list[float], sign: str) -> bool:
    """Replace the last two values by the outcome; False if it cannot be had."""
    if len(values) < 2:
        return False
    right, left = values.pop(), values.pop()
    if sign == "/":
        values.append(left / right if right else float("inf"))
    elif sign == "^":
        if right > 64 or left > 1e6:
            return False
        values.append(left**right)
    else:
        values.append(_OPERATIONS[sign](left, right))
    return True


def _agrees(computed: float, result: str, *, is_near: bool) -> bool:
    """Whether a result as written stands for a value, to less than one of its last decimal."""
    digits = re.sub(r"[^\d.-]", "", result)
    stated = float(digits)
    decimals = len(digits.partition(".")[2])
    unit = 10.0**-decimals
    slack = unit if decimals else min(0.5, 1e-9 * max(1.0, abs(stated)))
    if is_near:
        slack = max(unit, NEARLY * abs(computed))
    return abs(computed - stated) < slack
