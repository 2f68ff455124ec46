"""What counts as a word, a sentence, a paragraph or a part of an answer.

Words are the tokens of `selfsown.curate.tokens` (runs of letters and digits, so "don't" is two, as
in the release of IFEval; in scripts without spaces every character is one). Sentences are found by
rules instead of a trained model, so that no download decides a verdict.
"""

from __future__ import annotations

import re
from typing import Final

from selfsown.curate.tokens import tokenize_unicode

_ABBREVIATIONS: Final = frozenset(
    """mr mrs ms dr prof sr jr st vs etc e.g i.e cf approx fig eq vol pp inc ltd dept p.s p.p.s
    a.m p.m u.s u.k z.b d.h bzw usw""".split()  # noqa: SIM905
)
"""Words before whose full stop a sentence goes on, in lower case, without that stop."""
_ENDS_ANYWAY: Final = frozenset({"etc", "inc", "ltd", "a.m", "p.m", "u.s", "u.k", "usw"})
"""Abbreviations that often end a sentence: they do where a capital letter follows."""

_ITEM: Final = r"\s*(?:[-*\u2022]|\d{1,3}[.)])\s"
_BLOCK: Final = re.compile(rf"\n\s*\n|\n(?={_ITEM})")
_LIST_MARK: Final = re.compile(rf"\A{_ITEM}")
_CLOSING: Final = r"\"'\u201d\u2019)\]*_\u00bb"
_END: Final = re.compile(
    rf"(?<![.!?\u2026])[.!?\u2026]+[{_CLOSING}]*(?=\s|$)"
    r"|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019\uff09]*"
)
_STOP: Final = re.compile(r"\.[^.!?\u2026]*")
_OPENING: Final = "([\"'\u201c\u2018"
_NEXT: Final = re.compile(r"\s*(\S?)")


def word_count(text: str) -> int:
    """Words of a text."""
    return len(tokenize_unicode(text))


def sentence_count(text: str) -> int:
    """Sentences of a text: ended by a full stop or its like, a blank line, or the next list item.

    A stop after an abbreviation or an initial does not end one, nor does the number of a list item.
    What has no letter or digit is no sentence.
    """
    return sum(_sentences_in(_LIST_MARK.sub("", block, count=1)) for block in _BLOCK.split(text))


def blocks(text: str) -> list[str]:
    """The parts between blank lines, without white space around them; none is empty."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def parts(text: str, stars: int) -> list[str] | None:
    """What stands between dividers of so many asterisks, or None if two dividers touch.

    A divider has white space or an end of the text on both sides; one at an end of the text divides
    nothing.
    """
    found = [part.strip() for part in re.split(rf"(?<!\S)\*{{{stars}}}(?!\S)", text)]
    found = found[1:] if len(found) > 1 and not found[0] else found
    found = found[:-1] if len(found) > 1 and not found[-1] else found
    return found if all(found) else None


def _sentences_in(block: str) -> int:
    count, start = 0, 0
    for end in _END.finditer(block):
        following = _NEXT.match(block, end.end())
        if _goes_on(block[start : end.start()], end[0], following[1] if following else ""):
            continue
        count += _says_something(block[start : end.end()])
        start = end.end()
    return count + _says_something(block[start:])


def _goes_on(before: str, mark: str, after: str) -> bool:
    """Whether the sentence goes on at the character `after`: the mark is of an abbreviation."""
    if not _STOP.fullmatch(mark) or not after or not before.strip():
        return False
    word = before.rsplit(None, 1)[-1].lstrip(_OPENING)
    if len(word) == 1 and word.isupper() and word != "I":
        return True
    if word.lower() not in _ABBREVIATIONS:
        return False
    return word.lower() not in _ENDS_ANYWAY or not after.isupper()


def _says_something(piece: str) -> bool:
    return any(char.isalnum() for char in piece)
