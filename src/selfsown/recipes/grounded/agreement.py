"""Whether two answers to one question say the same, as far as a program can tell.

Equal words, equal numbers and one answer within the other decide; everything else is for a judge.
"""

from __future__ import annotations

import re
from typing import Final

from selfsown.curate.tokens import tokenize_unicode
from selfsown.evaluate.exact_match import normalized_answer

SHORT_WORDS: Final = 8
"""Most words of an answer that another one may contain and thereby say."""

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_ARTICLES: Final = frozenset({"a", "an", "the"})
_SWITCHES: Final = frozenset(
    {"but", "cannot", "except", "however", "neither", "never", "no", "none", "nor", "not", "only"}
    | {"unless", "without"}
)
_YES: Final = frozenset({"yes", "true", "correct"})
_NO: Final = frozenset({"no", "false", "incorrect"})
_CANNOT: Final = re.compile(r"\W*(?:unanswerable|not answerable|unknown|not stated)\b", re.I)


def is_unanswered(answer: str) -> bool:
    """Whether an answer says that there is none, as our prompts ask for it."""
    return _CANNOT.match(answer) is not None


def same_answer(answer: str, reference: str) -> bool | None:
    """Whether an answer says what the reference says; None where a program cannot tell."""
    if normalized_answer(answer) == normalized_answer(reference):
        return True
    given, wanted = _words(answer), _words(reference)
    if not given or not wanted:
        return None
    if (polar := _polar(given, wanted)) is not None:
        return polar
    if _SWITCHES & (set(given) ^ set(wanted)):
        return None
    numbers, wanted_numbers = _numbers(answer), _numbers(reference)
    if len(wanted) <= SHORT_WORDS and wanted_numbers and not wanted_numbers <= numbers:
        return False if numbers else None
    if given == wanted:
        return True
    short, long = sorted((given, wanted), key=len)
    if (
        len(short) <= SHORT_WORDS
        and _contains(long, short)
        and not (numbers ^ wanted_numbers and _all_numbers(short))
    ):
        return True
    return None


def _polar(given: list[str], wanted: list[str]) -> bool | None:
    """Of answers that begin with yes or no: whether they agree, as far as that decides."""
    first, other = _side(given[0]), _side(wanted[0])
    if first is None or other is None:
        return None
    if first != other:
        return False
    return True if min(len(given), len(wanted)) == 1 else None


def _side(word: str) -> bool | None:
    return True if word in _YES else False if word in _NO else None


def _words(text: str) -> list[str]:
    return [word for word in tokenize_unicode(text) if word not in _ARTICLES]


def _numbers(text: str) -> set[str]:
    return {found.replace(",", "") for found in _NUMBER.findall(text)}


def _all_numbers(words: list[str]) -> bool:
    return all(word.isdigit() for word in words)


def _contains(long: list[str], short: list[str]) -> bool:
    return f" {' '.join(short)} " in f" {' '.join(long)} "
