r"""Text of a model made harmless to look at: nothing invisible, nothing that moves a cursor.

Control characters become their pictures (`␛`), bidirectional controls, zero-width characters, lone
surrogates and other invisible ones become `⟨U+202E⟩`. Line breaks and tabs stay. HTML escaping is
not done here but by whoever writes HTML.
"""

from __future__ import annotations

import re
from typing import Final

ELLIPSIS: Final = "…"

_UNSAFE: Final = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def shown(text: str, limit: int = 600) -> str:
    """The text as a reader may see it, at most `limit` characters of it.

    A longer text is cut and ends with an ellipsis and the number of characters that were left out.
    Only the part that is shown is looked at, so a line of a megabyte costs no more than a short
    one.

    Args:
        text: any text, lone surrogates included.
        limit: characters of the original to show, at least 1.
    """
    left_out = len(text) - limit
    visible = _UNSAFE.sub(_picture, text[:limit].replace("\r\n", "\n"))
    return f"{visible}{ELLIPSIS} (+{left_out:,} characters)" if left_out > 0 else visible


def shown_line(text: str, limit: int = 160) -> str:
    """The same on one line: every run of white space becomes one space."""
    head = " ".join(text[: 4 * limit].split())
    return shown(head, limit) if len(text) <= 4 * limit else shown(head[:limit]) + ELLIPSIS


def harmless(value: object) -> object:
    """A value of a page's template, made visible if it is text; what is markup already stays.

    The last resort (`finalize`) for whatever a page shows: names of models and errors, too.
    """
    return _UNSAFE.sub(_picture, value) if type(value) is str else value


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"
