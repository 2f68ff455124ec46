"""Where sentences and words begin, in time linear in the text.

A sentence ends at `.`, `!`, `?` or an ellipsis before a blank and a word that can begin one, but
not behind a common abbreviation or an initial; at the full stops of Chinese and Japanese without
a blank.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_END: Final = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_]*+\s++(?=[\"'“‘«(\[*_¿¡]{0,3}[^\W_])"  # noqa: RUF001
    r"|[。！？｡]++[」』”’）]*+\s*+"  # noqa: RUF001
)
_WORD: Final = re.compile(r"\S++\s*+")
_LAST_WORD: Final = re.compile(r"([^\W\d_]|[^\W\d_][\w.]{0,11})$")
_ABBREVIATED: Final = (
    "al approx art bd bzw ca cf chap co corp dr ed eds e.g eg eq etc ex fig figs gen gov i.e ie inc"
    " jr ltd m.e mr mrs ms nr no nos op p pp prof pt ref rep resp rev s.a sec sen sr st u.a u.s u.k"
    " usw viz vol vs z.b"
)
_ABBREVIATIONS: Final = frozenset(_ABBREVIATED.split())


def sentence_starts(text: str) -> list[int]:
    """Offsets at which sentences begin; 0 is always the first."""
    starts = [0]
    for match in _END.finditer(text):
        if match.end() < len(text) and not _is_abbreviated(text, match.start(), match.end()):
            starts.append(match.end())
    return starts


def word_starts(text: str) -> list[int]:
    """Offsets at which words begin, each with the blanks behind it; 0 is always the first."""
    return [0, *(match.start() for match in _WORD.finditer(text) if match.start())]


def cut_before(text: str, at: int) -> int:
    """The place to cut a word that is too long: at `at`, or before what belongs to the sign there.

    Combining marks, variation selectors and joined signs are not torn off, unless more than 16
    follow each other.
    """
    place = at
    while place > max(at - 16, 1) and _is_joined(text[place - 1], text[place]):
        place -= 1
    return place if place > max(at - 16, 1) else at


def _is_joined(before: str, sign: str) -> bool:
    joined = sign in "\u200d\ufe0e\ufe0f" or before == "\u200d"
    return joined or unicodedata.combining(sign) > 0


def _is_abbreviated(text: str, stop: int, behind: int) -> bool:
    """Whether the full stop at `stop` ends an abbreviation and not a sentence."""
    if text[stop] != "." or text[stop + 1 : stop + 2] in "!?…":
        return False
    found = _LAST_WORD.search(text, max(0, stop - 12), stop)
    if found is None:
        return False
    word = found[1]
    is_initial = len(word) == 1 and word.isupper() and text[behind].isupper()
    return is_initial or word.lower() in _ABBREVIATIONS
