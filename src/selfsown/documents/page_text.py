"""All text of a parsed HTML page as simple Markdown, menus and notices included.

For pages in whose main part nothing is found, such as lists of links, or where all is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_UNSEEN: Final = frozenset(
    ("head", "noscript", "script", "style", "svg", "template", "iframe", "object")
)
_BLOCKS: Final = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "dd", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
        *("hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tr", "ul"),
    )
)
_BLANKS: Final = re.compile(r"\s+")


def whole_text(tree: Any) -> str:
    """The text of a page, a blank line between its blocks.

    Args:
        tree: an element of lxml; it may be nested as deep as its parser allows.
    """
    page = _Page()
    for event, value in _events(tree):
        if event == "text":
            page.add(value)
        elif event == "start":
            page.begin(value)
        else:
            page.end(value)
    return page.text()


class _Page:
    """The text so far: finished blocks, and the pieces of the block in work."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._pieces: list[str] = []
        self._mark = ""
        self._preformatted = 0

    def add(self, text: str) -> None:
        """More text of the block."""
        self._pieces.append(text if self._preformatted else _BLANKS.sub(" ", text))

    def begin(self, tag: str) -> None:
        """An element opens."""
        if tag in _BLOCKS:
            self._close()
            self._mark = "- " if tag == "li" else "#" * int(tag[1]) + " " if _is_title(tag) else ""
        if tag == "pre":
            self._preformatted += 1
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in ("td", "th"):
            self._pieces.append("| ")

    def end(self, tag: str) -> None:
        """An element closes."""
        if tag in ("td", "th"):
            self._pieces.append(" ")
        elif tag == "tr" and self._pieces:
            self._pieces.append("|")
        if tag in _BLOCKS:
            self._close()
        if tag == "pre":
            self._preformatted -= 1

    def text(self) -> str:
        """All of it; items and rows follow each other without a blank line."""
        self._close()
        joined = ""
        for before, block in zip(["", *self._blocks], self._blocks, strict=False):
            is_tight = block[:2] == before[:2] and block[:2] in ("- ", "| ")
            joined += ("\n" if is_tight else "\n\n") + block if before else block
        return joined

    def _close(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if not text.strip():
            return
        if self._preformatted:
            self._blocks.append("```\n" + text.strip("\n") + "\n```")
        else:
            lines = (line.strip() for line in text.split("\n"))
            self._blocks.append(self._mark + "\n".join(line for line in lines if line))
        self._mark = ""


def _is_title(tag: str) -> bool:
    return len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()


def _events(tree: Any) -> Iterator[tuple[str, str]]:
    """`start` and `end` with a tag, and `text`, in the order of the page, without recursion."""
    stack: list[tuple[Any, Iterator[Any]]] = []
    yield from _opening(tree)
    stack.append((tree, iter(tree)))
    while stack:
        element, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            yield "end", str(element.tag).lower()
            if stack and element.tail:
                yield "text", str(element.tail)
        elif isinstance(child.tag, str) and child.tag.lower() not in _UNSEEN:
            yield from _opening(child)
            stack.append((child, iter(child)))
        elif child.tail:
            yield "text", str(child.tail)


def _opening(element: Any) -> Iterator[tuple[str, str]]:
    yield "start", str(element.tag).lower()
    if element.text:
        yield "text", str(element.text)
