"""What a rephraser says besides the rephrased text is cut off, or the whole output is dropped.

Source: WRAP (arXiv:2401.16380, appendix B): if the first sentence carries a flagged keyword, cut
everything up to the first blank line or colon; if a keyword is still there, drop the output.

Differs from the paper: a keyword counts only where a sentence speaks of the output itself ("Here is
a paraphrase", "Rewritten text:"), so that a text about paraphrasing, or one with a colon in its
first sentence, stays; the cut is at the end of that sentence, be it a colon, a full stop or a line;
wrapping quotes, fences and bold go, and so do closing remarks; refusals, several versions in one
output, chat markup and broken ends are reasons of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.curate.boilerplate import is_refusal, leaked_markup

Unclean = Literal[
    "empty", "refusal", "leaked_markup", "introduction", "several_versions", "truncated"
]

_REFUSAL_CHARS: Final = 240
"""How far into an output a refusal counts: further on, a character of the text may be speaking."""
_MOST_CUTS: Final = 3
_CLOSING_CHARS: Final = 400

_DONE: Final = r"(?:paraphras|rephras|rewrit|reword|restat|simplif)\w*"
_KIND: Final = (
    r"(?:paraphrased|rephrased|rewritten|reworded|restated|simplified|simpler|revised|easy|simple"
    r"|medium|hard|terse|formal|encyclop(?:a)?edic|wikipedia[- ]style|high[- ]quality)"
)
_THING: Final = (
    r"(?:version|text|passage|paragraph|output|rendition|form|article|document|sentences?|response)"
)
_OUTPUT: Final = rf"""(?:(?:{_DONE} | {_KIND}\ {{1,2}}(?:[\w-]{{1,20}}\ ){{0,2}}{_THING}
  | high[- ]quality\ english | question[s]?[\ -](?:and[\ -])?answers?(?:\ pairs?)?
  | (?:the|a)\ (?:conversation|dialogue)(?:\ between)? | {_THING}\ in\ (?:simple|plain|easy)))"""
_ANYTHING: Final = r"[^.:!?\n]"
_END: Final = r"(?:\s{0,3}:|[.!]+(?=\s|$|[*\"])|(?=\n|$))"
_YES: Final = r"""(?:(?:sure|certainly|of\ course|absolutely|okay|ok|great|yes|no\ problem|gladly
  |understood|alright|got\ it)\b[^.:!?\n]{0,60}?[,.:!\u2014-]{1,3}\s{0,4})?"""
_INTRODUCTION: Final = rf"""(?:{_YES}(?:
    (?:here|below)(?:['\u2019]s|\ is|\ are|\ you|\ follows?)\b{_ANYTHING}{{0,120}}?{_OUTPUT}
  | the\ following\ (?:is|are|{_THING}|conversation)\b{_ANYTHING}{{0,100}}?{_OUTPUT}
  | (?:this|these)\ (?:is|are)\ (?:(?:a|the|my|your)\ )?(?:\w{{1,20}}\ ){{0,2}}?
      (?:{_DONE}\ {_THING}|paraphrase|rewrite|{_KIND}\ {_THING})
  | (?:i(?:['\u2019]ve|\ have|['\u2019]ll|\ will|\ can)?|let\ me)\ (?:\w{{1,20}}\ ){{0,2}}?{_DONE}
      \ (?:(?:it|that|this)\b|(?:the|your|this)\ (?:\w{{1,20}}\ ){{0,2}}?(?:{_THING}|above))
  | (?:as\ (?:you\ )?(?:requested|asked))\b{_ANYTHING}{{0,80}}?{_OUTPUT}
  ){_ANYTHING}{{0,200}}{_END}
  | (?:(?:the|a|my|your)\ )?(?:(?:{_KIND}\ )(?:[\w-]{{1,20}}\ ){{0,2}}?{_THING}|paraphrase
      |rewrite|rephrasing)(?:\ (?:of|in|for)\ {_ANYTHING}{{0,80}})?\W{{0,3}}?(?:\s{{0,3}}:|(?=\n))
  | (?:output|response|paraphrase)\W{{0,3}}?:?(?=\W{{0,3}}\n)
  | (?:sure|certainly|of\ course|absolutely)\s{{0,2}}[!.](?=\s)
  )"""
_FLAGS: Final = re.IGNORECASE | re.VERBOSE
_MARKS: Final = r"[\s*#_>\u2022\"\u201c\[-]{0,8}"
_AT_START = re.compile(rf"{_MARKS}{_INTRODUCTION}[\s*_\]]{{0,12}}", _FLAGS)
_LATER = re.compile(
    rf"\n{_MARKS}{_INTRODUCTION}|[.!?]\s{{1,3}}(?=here|i\b|below){_INTRODUCTION}", _FLAGS
)
_CLOSING = re.compile(
    rf"""[\s(\[*_]{{0,6}}(?:
      (?:note|nb|disclaimer|please\ note)\b[^\n]{{0,120}}?{_DONE}
    | i\ hope\ (?:this|that|these|it|you)\b | (?:please\ )?let\ me\ know\b | feel\ free\ to\b
    | (?:is\ there\ )?anything\ else\ i\ can\b | if\ you(?:['\u2019]d|\ would)?\ (?:like|need|want
      |have\ any)\b[^\n]{{0,80}}?(?:me|ask|help|question|version|change|adjust|further)
    | (?:this|the)\ (?:{_DONE}\ )?(?:version|paraphrase|rewrite)\ (?:keeps|preserves|maintains
      |uses|aims|is\ written)\b | i(?:['\u2019]ve|\ have)\ (?:kept|used|tried|replaced)\b
    )""",
    _FLAGS,
)
_VERSIONS = re.compile(
    r"(?:^|\n)[\s*#_-]{0,6}(?:version|option|paraphrase|rewrite)\s(\d|one|two)\b", re.I
)
_unmarked = leaked_markup(fields=False)
_FENCE = re.compile(r"```\w{0,20}\n(.*)\n```\s*\Z", re.DOTALL)
_WRAPS: Final = (('"', '"'), ("\u201c", "\u201d"), ("**", "**"), ("\u00ab", "\u00bb"), ("*", "*"))
_ENDS: Final = frozenset(".!?\u2026\"'\u201d\u2019)]\u00bb\u3002\uff01\uff1f*_`|")
_LISTED = re.compile(r"\s*(?:[-*\u2022+>|#]|\d{1,3}[.)]\s)")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left of an output."""

    text: str | None
    """The text alone; None when the output is dropped."""
    reason: Unclean | None = None
    """Why it is dropped; None when it stays."""


def clean_introduction(text: str, *, prose: bool = True) -> Cleaned:
    """An output without what its writer says about it, or the reason why that cannot be had.

    With `prose`, an output whose last line is neither a list item nor the end of a sentence is
    `truncated`.
    """
    rest = _unwrapped(text)
    if is_refusal(rest[:_REFUSAL_CHARS]):
        return Cleaned(None, "refusal")
    if not _unmarked(rest).ok:
        return Cleaned(None, "leaked_markup")
    if len({found[1] for found in _VERSIONS.finditer(rest)}) > 1:
        return Cleaned(None, "several_versions")
    rest = _without_closing(_without_introduction(rest))
    if not any(char.isalnum() for char in rest):
        return Cleaned(None, "empty")
    if _AT_START.match(rest) or _LATER.search(rest):
        return Cleaned(None, "introduction")
    if prose and _is_cut_off(rest):
        return Cleaned(None, "truncated")
    return Cleaned(rest)


def _without_introduction(text: str) -> str:
    for _ in range(_MOST_CUTS):
        introduction = _AT_START.match(text)
        if introduction is None or not introduction[0].strip():
            break
        text = _unwrapped(text[introduction.end() :])
    return text


def _without_closing(text: str) -> str:
    """The text without last paragraphs, or last lines, that speak of it."""
    while True:
        head, _, last = text.rpartition("\n")
        if not head.strip() or len(last) > _CLOSING_CHARS or not _CLOSING.match(last):
            return text
        text = _unwrapped(head)


def _unwrapped(text: str) -> str:
    """The text without white space, a code fence, quotes or bold around all of it."""
    text = text.strip()
    fenced = _FENCE.fullmatch(text)
    if fenced and "```" not in fenced[1]:
        text = fenced[1].strip()
    for left, right in _WRAPS:
        inner = text[len(left) : -len(right)]
        is_whole = text.startswith(left) and text.endswith(right) and len(text) > 2 * len(left)
        if is_whole and left not in inner and right not in inner:
            return inner.strip()
    return text


def _is_cut_off(text: str) -> bool:
    last = text.rpartition("\n")[2]
    return text[-1] not in _ENDS and not _LISTED.match(last)
