"""Whether a text has the structured form that was asked for: a cheap check of lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selfsown.recipes.cosmopedia.registry import Form

_MARK: Final = r"^[ \t>#*_-]{0,6}"
_QUESTION: Final = re.compile(rf"{_MARK}(?:\d+[.)]\s*)?Q(?:uestion)?(?:\s?\d+)?[*_]*:", re.M)
_ANSWER: Final = re.compile(rf"{_MARK}A(?:nswer)?(?:\s?\d+)?[*_]*:", re.M)
_ROW: Final = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.M)
_RULE: Final = re.compile(r"^[ \t]*\|(?:\s*:?-+:?\s*\|)+[ \t]*$", re.M)
_PROBLEM: Final = re.compile(rf"{_MARK}Problem(?:\s?\d+)?[*_]*:", re.M)
_SOLUTION: Final = re.compile(rf"{_MARK}Solution(?:\s?\d+)?[*_]*:", re.M)
_STEP: Final = re.compile(rf"{_MARK}(?:Step\s+)?(\d+)\s*[.):]", re.M | re.I)

LEAST_PAIRS: Final = 3
LEAST_ROWS: Final = 3
LEAST_STEPS: Final = 3
"""Fewer than the prompts ask for, since a text with some less may still be a good one."""


def has_form(text: str, form: Form) -> bool:
    """Whether a text is of a form; prose always is.

    `faq`: at least 3 questions, and an answer behind each. `table`: a Markdown table of at least 3
    rows below its header. `problem`: a problem and, behind it, a solution. `steps`: at least 3
    numbered steps, counted from 1.
    """
    if form == "faq":
        return _is_faq(text)
    if form == "table":
        rows, rules = len(_ROW.findall(text)), len(_RULE.findall(text))
        return rules >= 1 and rows - rules - 1 >= LEAST_ROWS
    if form == "problem":
        problem, solution = _PROBLEM.search(text), _SOLUTION.search(text)
        return problem is not None and solution is not None and problem.end() < solution.start()
    if form == "steps":
        return _counted(text) >= LEAST_STEPS
    return True


def _is_faq(text: str) -> bool:
    marks = sorted(
        [(found.start(), "Q") for found in _QUESTION.finditer(text)]
        + [(found.start(), "A") for found in _ANSWER.finditer(text)]
    )
    order = "".join(mark for _, mark in marks)
    return order == "QA" * (len(order) // 2) and len(order) // 2 >= LEAST_PAIRS


def _counted(text: str) -> int:
    """How far its numbered lines count up from 1."""
    reached = 0
    for found in _STEP.finditer(text):
        if found[1].lstrip("0") == str(reached + 1):
            reached += 1
    return reached
