"""What a judge wrote, as a number or as nothing: the parser of scores, and how samples combine.

A score that cannot be read is *missing*: it is never 0, never the lowest, and never clamped into
the scale. Public re-implementations of self-rewarding models store it as -1 or take the first
digit, and so train on format noise; every rule here exists because one of them broke it.

The rules:

1. Only what the model wrote is read, never the prompt; callers pass the completion's text.
2. Markdown emphasis is taken off. A match is the word "score", "is", ":" or "=", and a number;
   `4.5`, `4/5` and `4 out of 5` are numbers. The last match counts, since a justification may
   mention other scores before. A bare `4/5` or `4 out of 5` counts where the text ends with it. Of
   levels that are added up (`1 + 1 + 0 = 2`) the sum counts.
3. The number is finite and within the scale, else nothing; a score of another scale (`8/10`,
   `80 %`, `4 on a scale of 10`) is nothing too. A range (`score 0-5`, `3 or 4`) is no match: it
   repeats the rubric, or decides nothing.
4. An answer that was cut off counts only if a whole line of it is a score.
5. A candidate is scored if at least half of its samples are (`combine`).

How pairs are made of scores, and which parse and tie rates are too low, is told in
`selfsown.preference`.

Source: Self-Rewarding Language Models (arXiv:2401.10020, figure 2), which has the line
`Score: <points>` and takes the mean of several samples.
Differs from the paper: it gives no parser; rules 1-5 are ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from selfsown.judge.base import Scale

POINTS: Final = Scale(0.0, 5.0)
"""The additive rubric: one point per level reached."""

_EMPHASIS: Final = re.compile(r"(?<![^\W_])[*_~`]+|[*_~`]+(?![^\W_])")
"""Runs of emphasis characters, unless letters or digits stand on both sides (`snake_case`)."""
_WIDE: Final = str.maketrans("\uff1a\uff1d\uff0f\uff0e\u2212\u2013", ":=/.--")
"""Full-width `:=/.`, minus and dash; full-width digits are digits to Python already."""
_DIGITS: Final = r"\d+(?:[.,]\d+)?"
_NUMBER: Final = rf"(?P<number>[+-]?(?:{_DIGITS}|nan\b|inf(?:inity)?\b))"
_SUM: Final = rf"(?:{_DIGITS}[ \t]*(?:\+[ \t]*{_DIGITS}[ \t]*)+=[ \t]*)?"
"""Levels added up before the score: `1 + 1 + 0.5 = 2.5`."""
_OUT_OF: Final = r"(?:[ \t]*/|[ \t]+out[ \t]+of)[ \t]*"
_ON_A_SCALE: Final = (
    rf"[ \t]+on[ \t]+a[ \t]+scale[ \t]+(?:of|from)[ \t]+(?:{_DIGITS}[ \t]*(?:to|-))?"
)
_UNIT: Final = r"(?:[ \t]+(?:point|star)s?)?"
_SCALE: Final = (
    rf"(?:{_UNIT}(?:{_OUT_OF}|[ \t]*\([ \t]*(?:out[ \t]+)?of|[ \t]+of|{_ON_A_SCALE})[ \t]*"
    rf"(?P<of>{_DIGITS}))?"
)
_LABEL: Final = rf"\bscore\b(?:\s*(?:\bis\b|[:=]))*[ \t]*(?:(?<=[:=])\s*)?[\[(<{{\"'$]*{_SUM}"
_LABELLED: Final = re.compile(rf"{_LABEL}{_NUMBER}{_SCALE}", re.IGNORECASE)
_BARE: Final = re.compile(rf"(?<![\w/.,+-]){_NUMBER}{_OUT_OF}(?P<of>{_DIGITS})\W*\Z", re.IGNORECASE)
_WHOLE_LINE: Final = re.compile(rf"[\W\d]*(?:\w+\s+)?{_LABEL}{_NUMBER}", re.IGNORECASE)
_RANGE: Final = re.compile(r"[ \t]*(?:-|to\b|or\b)[ \t]*\d")
_OTHER: Final = re.compile(r"\w|[.,/\u2044]\d|[ \t]*[%+=]|[ \t]+\d+/\d")
"""What makes a number another one where it follows: letters, more digits, per cent, a sum."""


class Combined(NamedTuple):
    """The samples of one candidate."""

    value: float | None
    """Mean of the parsed samples; None where fewer than half of them parsed."""
    parsed: int
    asked: int
    std: float
    """Population standard deviation of the parsed samples; 0.0 for one or none."""


def parse_score(text: str, scale: Scale = POINTS, *, cut_off: bool = False) -> float | None:
    """The score that a judge's answer ends with; None if there is none that can be believed.

    Args:
        text: what the model wrote, without the prompt.
        scale: the range of a valid score.
        cut_off: generation ended at the token limit, so that the text is not whole.
    """
    plain = without_emphasis(text)
    if cut_off:
        plain = "\n".join(_whole_score_lines(plain))
    found = [match for match in _LABELLED.finditer(plain) if not _is_range(plain, match)]
    bare = None if cut_off else _BARE.search(plain)
    last = found[-1] if found else None
    if bare is not None and (last is None or bare.start("number") > last.start("number")):
        last = bare
    return None if last is None else _value(last, plain, scale)


def without_emphasis(text: str) -> str:
    """The text without markdown emphasis, with full-width forms and dashes as ASCII."""
    return _EMPHASIS.sub("", text.translate(_WIDE))


def combine(values: Sequence[float | None]) -> Combined:
    """The samples of one candidate as one score.

    Args:
        values: parsed samples, None for missing ones.
    """
    parsed = [value for value in values if value is not None]
    if not parsed:
        return Combined(None, 0, len(values), 0.0)
    mean = math.fsum(parsed) / len(parsed)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in parsed) / len(parsed))
    enough = len(parsed) >= math.ceil(len(values) / 2)
    return Combined(mean if enough else None, len(parsed), len(values), std)


def _whole_score_lines(text: str) -> Iterator[str]:
    """Lines of a truncated text that begin with a score; the last line may not be whole."""
    for line in text.split("\n")[:-1]:
        if _WHOLE_LINE.match(line):
            yield line


def _is_range(text: str, match: re.Match[str]) -> bool:
    return _RANGE.match(text, _end(match)) is not None


def _end(match: re.Match[str]) -> int:
    return match.end("of") if match["of"] else match.end("number")


def _value(match: re.Match[str], text: str, scale: Scale) -> float | None:
    if _OTHER.match(text, _end(match)):
        return None
    if match["of"] and float(match["of"].replace(",", ".")) != scale.high:
        return None
    number = float(match["number"].replace(",", "."))
    return number if number in scale else None
