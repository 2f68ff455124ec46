"""What a rephraser says besides the rephrased text is cut off, or the whole output is dropped.

Source: WRAP (arXiv:2401.16380, appendix B): if the first sentence carries a flagged keyword, cut
everything up to the first blank line or colon; if a keyword is still there, drop the output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from selfsown.curate.boilerplate import is_refusal

_MADE: Final = r"(?:paraphras|rephras|rewrit|reword|simplif)\w*"
_INTRODUCTION = re.compile(
    rf"""\s*(?:(?:sure|certainly|of\ course|okay|ok)\b[^\w\n]{{1,4}})?
    (?:(?:here|below)(?:['\u2019]s|\ is|\ are)\b[^.:\n]{{0,120}} | the\ following\b[^.:\n]{{0,80}}
      | i(?:['\u2019]ve|\ have)\b[^.:\n]{{0,40}} | \W{{0,4}}) {_MADE}[^.:\n]{{0,80}}
    (?P<end>:\**\s*|[.!]?\s*\n\s*)""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left of an output."""

    text: str | None
    """The text alone; None when the output is dropped."""
    reason: str | None = None
    """Why it is dropped: `empty`, `refusal`, `introduction` or `truncated`; None when it stays."""


def clean_introduction(text: str) -> Cleaned:
    """An output without its introduction, or the reason why it cannot be had."""
    if is_refusal(text[:400]):
        return Cleaned(None, "refusal")
    introduction = _INTRODUCTION.match(text)
    rest = (text[introduction.end() :] if introduction else text).strip()
    if not rest:
        return Cleaned(None, "empty")
    if _INTRODUCTION.match(rest):
        return Cleaned(None, "introduction")
    return Cleaned(rest)
