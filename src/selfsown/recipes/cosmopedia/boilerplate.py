"""What a text begins with although it does not belong to it: greetings, announcements, "Sure!".

Source: the clean-up of Cosmopedia v2: a first sentence is cut that begins with hello, "my name is",
"you've just arrived", "welcome", "warning:" or "we're thrilled".
Differs from the released code: replies to the request ("Sure, here is ...") are cut as well, up to
three such sentences follow each other, and what is left is always the end of the raw text, byte
for byte.
"""

from __future__ import annotations

import re
from typing import Final

from selfsown.documents.sentences import sentence_starts

_MOST: Final = 3
_LOOKED_AT: Final = 2000
"""Characters in which a sentence has to end to be cut."""
_APOSTROPHE: Final = "['\u2019]"
_BEGINS: Final = re.compile(
    rf"""[\s>]*[*_]{{0,3}}(?:
        (?:hello|hi|hey|greetings)\b(?=[\s,!.])(?!\s+said)
      | my\ name\ is\b
      | you(?:{_APOSTROPHE}ve|\ have)\ just\ arrived\b
      | welcome\b(?=\s*(?:,|!|\*|to\b|back\b|aboard\b|dear\b))
      | warning\s*[*_]{{0,3}}:
      | we(?:{_APOSTROPHE}re|\ are)\ thrilled\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_REPLY: Final = re.compile(
    rf"""\s*(?:
        (?:sure|certainly|of\ course|absolutely|okay|ok|great)\b(?:\s+thing)?
            (?:[!.](?=\s) | [,:][^\n]{{0,200}}?(?:[:.!](?=\s)|\n))
      | (?:here|below)(?:{_APOSTROPHE}s|\ is|\ are|\ you\ go)\b[^\n]{{0,200}}?:(?=\s*\n)
      | i\ hope\ (?:this|you)\b[^\n]{{0,200}}?[.!](?=\s)
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)


def without_boilerplate(raw: str) -> str:
    """The text behind what does not belong to it: always an end of `raw`, perhaps all of it."""
    at = 0
    for _ in range(_MOST):
        reply = _REPLY.match(raw, at)
        if reply is not None:
            at = reply.end()
            continue
        if _BEGINS.match(raw, at) is None:
            break
        at += _first_end(raw[at : at + _LOOKED_AT])
    return raw[at:]


def _first_end(text: str) -> int:
    """Where what follows the first sentence or line begins; its own end if nothing follows."""
    lines = re.match(r"\s*[^\n]*\n\s*", text)
    ends = [lines.end()] if lines is not None else []
    starts = sentence_starts(text)
    ends += starts[1:2]
    return min(ends, default=len(text))
