"""Where a quotation stands in a passage: word for word, but for case, white space and typography.

Models straighten quotation marks and dashes, and begin a quotation with a capital letter; nothing
else is forgiven. A quotation with something left out is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)
_AROUND: Final = " \t\n\"'`*_"


@dataclass(frozen=True, slots=True)
class Span:
    """A slice of a text."""

    start: int
    end: int


def find_quotation(passage: str, quotation: str) -> Span | None:
    """The first place of a quotation in a passage; None if it is not there, or blank.

    Quotation marks around it, and an ellipsis or marks of emphasis at its ends, are not part of it.
    """
    wanted, _ = _folded(_bare(quotation))
    if not wanted:
        return None
    text, places = _folded(passage)
    at = text.find(wanted)
    if at < 0:
        return None
    return Span(places[at], places[at + len(wanted) - 1] + 1)


def _bare(quotation: str) -> str:
    """Without what stands around the quoted words."""
    text = quotation.translate(_PLAIN).strip(_AROUND)
    for dots in ("...", "\u2026"):
        text = text.removeprefix(dots).removesuffix(dots)
    return text.strip(_AROUND)


def _folded(text: str) -> tuple[str, list[int]]:
    """The text as it is compared, and where each of its characters stands in the original."""
    signs: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(text.translate(_PLAIN)):
        if sign.isspace():
            if signs and signs[-1] != " ":
                signs.append(" ")
                places.append(place)
            continue
        for one in sign.casefold():
            signs.append(one)
            places.append(place)
    if signs and signs[-1] == " ":
        signs.pop()
    return "".join(signs), places
