"""What a text is made of: headings, paragraphs, lists, tables and code, found line by line.

Blocks follow each other without a gap and cover the text; blank lines belong to the block before
them (at the start of the text, to the first one). Markdown is understood, and of other forms what
plain text shares with it: underlined headings, bullets, tables drawn with bars or plus signs, code
that is set in by four blanks or announced by `::`. What is set in and reads like sentences is
prose. Each line is looked at a few times at most, so the time is linear in the text.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["prose", "list", "table", "code", "heading"]

_HEADING: Final = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM: Final = re.compile(r"[ \t]{0,12}(?:[-*+•‣◦–]|\(?(?:\d{1,4}|[A-Za-z])[.)])[ \t]+\S")  # noqa: RUF001 a bullet
_FIRST: Final = re.compile(r"[ \t]{0,12}(?:[-*+•‣◦]|\(?[1aAiI][.)])[ \t]+\S")
"""An item that may begin within a paragraph: a line may well begin with `1999.` by chance."""
_LITERAL: Final = re.compile(
    r"\s*\.\. (?:code|code-block|sourcecode|parsed-literal|literalinclude|math|doctest)::"
)
_SENTENCES: Final = re.compile(r"[^\W\d_]{2}[.!?:][\"'”’)]*(?:\s|$)")  # noqa: RUF001 quotes
_SYMBOLS: Final = re.compile(r"[{}\[\]<>=;_|\\$#*/&^~`@%+]")
_RULE: Final = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-*:?\s*)+$")
_LONGEST_RULE: Final = 1000
"""Characters of a line that may still be the rule below a table's header."""
_LONGEST_TITLE: Final = 200
_BREAK: Final = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What `str.splitlines` ends a line at."""
_UNDERLINES: Final = frozenset("=-~^\"*+#'")


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text of one kind, with the blank lines behind it."""

    start: int
    end: int
    kind: Kind


@dataclass(slots=True)
class _Line:
    start: int
    end: int
    text: str
    """Without its line break and blanks at its end."""

    @property
    def is_blank(self) -> bool:
        return not self.text

    @property
    def indent(self) -> int:
        """Columns before its first character; a tab is worth 4."""
        bare = self.text.lstrip(" \t")
        return len(self.text[: len(self.text) - len(bare)].expandtabs(4))


class _Lines:
    """The lines of a text by number; each is made when it is looked at, since all weigh too much.

    A hostile text has 50 million of them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = array("Q", (match.end() for match in _BREAK.finditer(text)))
        if len(text) > (self._ends[-1] if self._ends else 0):
            self._ends.append(len(text))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> _Line:
        start, end = self._ends[number - 1] if number else 0, self._ends[number]
        return _Line(start, end, self._text[start:end].rstrip())


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text in order; none for an empty one."""
    lines = _Lines(text)
    at = start = 0
    while at < len(lines) and lines[at].is_blank:
        at += 1
    while at < len(lines):
        kind, at = _next(lines, at)
        while at < len(lines) and lines[at].is_blank:
            at += 1
        end = lines[at].start if at < len(lines) else len(text)
        yield Block(start, end, kind)
        start = end
    if not start and text:
        yield Block(0, len(text), "prose")


def items(text: str) -> list[int]:
    """Where the items of a list begin, those set in least; 0 is always among them."""
    marked = [(line.indent, line.start) for line in _lines(text) if _ITEM.match(line.text)]
    least = min((indent for indent, _ in marked), default=0)
    return sorted({0, *(start for indent, start in marked if indent < least + 2)})


def line_starts(text: str) -> list[int]:
    """Where the lines of a text begin, blank ones counted to the line before them."""
    return [0, *(line.start for line in _lines(text) if line.start and not line.is_blank)]


def _lines(text: str) -> Iterator[_Line]:
    lines = _Lines(text)
    return map(lines.__getitem__, range(len(lines)))


def _next(lines: _Lines, at: int) -> tuple[Kind, int]:
    """The kind of the block that begins at a line that is not blank, and the line behind it."""
    line = lines[at].text
    if fence := _FENCE.match(line):
        return "code", _behind_fence(lines, at, fence[1])
    if _HEADING.match(line):
        return "heading", at + 1
    if lines[at].indent >= 2 and _is_announced(lines, at):
        return "code", _behind_indented(lines, at, lines[at].indent)
    if lines[at].indent >= 4 and not _ITEM.match(line):
        if _reads_like_prose(lines, at):
            return "prose", _behind_paragraph(lines, at)
        return "code", _behind_indented(lines, at, 4)
    if _is_table(lines, at):
        return "table", _behind_table(lines, at)
    if _ITEM.match(line):
        return "list", _behind_list(lines, at)
    if _is_underlined(lines, at):
        return "heading", at + 2
    if _is_rule(line) and at + 2 < len(lines) and _is_underlined(lines, at + 1):
        return "heading", at + 3
    return "prose", _behind_prose(lines, at)


def _behind_fence(lines: _Lines, at: int, mark: str) -> int:
    """Behind the closing fence; without one, the rest of the text is code."""
    for number in range(at + 1, len(lines)):
        bare = lines[number].text.strip()
        if len(bare) >= len(mark) and bare == mark[0] * len(bare):
            return number + 1
    return len(lines)


def _is_announced(lines: _Lines, at: int) -> bool:
    """Whether the line before the blank ones says that code follows, as in reStructuredText."""
    before = at - 1
    while before >= 0 and lines[before].is_blank:
        before -= 1
    if before < 0 or before == at - 1:
        return False
    return lines[before].text.endswith("::") or _LITERAL.match(lines[before].text) is not None


def _reads_like_prose(lines: _Lines, at: int) -> bool:
    """Whether a paragraph that is set in holds sentences: a whole text may be, or a quotation."""
    behind = _behind_paragraph(lines, at)
    text = "\n".join(line.text for line in map(lines.__getitem__, range(at, behind)))
    words = text.split()
    if len(words) < 12 or words[0] in (">>>", "$", "#"):
        return False
    signs = sum(map(len, words))
    return (
        len(_SYMBOLS.findall(text)) < 0.02 * signs
        and len(_SENTENCES.findall(text)) * 30 >= len(words)
        and 3 <= signs / len(words) <= 9
    )


def _behind_paragraph(lines: _Lines, at: int) -> int:
    while at < len(lines) and not lines[at].is_blank:
        at += 1
    return at


def _behind_indented(lines: _Lines, at: int, least: int) -> int:
    """Behind the last line that is set in so far; blank lines may stand between, prose not."""
    behind = number = at + 1
    while number < len(lines):
        if not lines[number].is_blank:
            if lines[number].indent < least:
                break
            if lines[number - 1].is_blank and _reads_like_prose(lines, number):
                break
            behind = number + 1
        number += 1
    return behind


def _is_table(lines: _Lines, at: int) -> bool:
    """A line with bars above a rule or another such line, or the upper edge of a drawn table."""
    line, below = lines[at].text, lines[at + 1].text if at + 1 < len(lines) else ""
    bare = line.lstrip()
    if bare.startswith("+-") and set(bare) <= {"+", "-", "="}:
        return True
    if bare.startswith("|") and below.lstrip().startswith("|"):
        return True
    return "|" in line and len(below) <= _LONGEST_RULE and _RULE.match(below) is not None


def _behind_table(lines: _Lines, at: int) -> int:
    while at < len(lines) and ("|" in lines[at].text or lines[at].text.lstrip().startswith("+")):
        at += 1
    return at


def _behind_list(lines: _Lines, at: int) -> int:
    """Behind the last item: items and lines set in go on over blank lines, others do not."""
    behind, after_blank = at + 1, False
    for number in range(at + 1, len(lines)):
        line = lines[number]
        if line.is_blank:
            after_blank = True
            continue
        is_item = _ITEM.match(line.text) is not None
        if after_blank and not is_item and line.indent < 2:
            break
        if not is_item and line.indent < 2 and _starts_other(lines, number):
            break
        behind, after_blank = number + 1, False
    return behind


def _behind_prose(lines: _Lines, at: int) -> int:
    """Behind the last line of a paragraph: up to a blank line or the start of something else."""
    at += 1
    while at < len(lines) and not lines[at].is_blank:
        if _starts_other(lines, at) or _FIRST.match(lines[at].text):
            break
        at += 1
    return at


def _starts_other(lines: _Lines, at: int) -> bool:
    """Whether a line within a paragraph begins a heading, a fence or a table."""
    line = lines[at].text
    return bool(_FENCE.match(line) or _HEADING.match(line)) or _is_table(lines, at)


def _is_underlined(lines: _Lines, at: int) -> bool:
    """A title with a line of one repeated sign below it, about as long as itself."""
    title = lines[at].text.strip()
    below = lines[at + 1].text if at + 1 < len(lines) else ""
    if len(title) > _LONGEST_TITLE or not _is_rule(below) or _is_rule(title):
        return False
    return len(below) >= len(title) or below[0] in "=-"


def _is_rule(line: str) -> bool:
    """A line of three or more of one sign."""
    return len(line) >= 3 and line[0] in _UNDERLINES and line == line[0] * len(line)
