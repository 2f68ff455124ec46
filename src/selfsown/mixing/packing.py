"""Texts packed into context windows, so that no window says the same thing twice.

Texts that clash (a document, its rephrases, its repetitions) never share a window, and a window has
one kind of text, real or synthetic, so that who wrote a row has one answer. A text that fits into a
window is never cut; a longer one is cut at its structure (text) or where windows end (tokens).

Each text goes to the fullest of some open windows that has room for it and nothing it clashes with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from itertools import count as counted
from typing import Final

from selfsown.core.token_counts import Counter
from selfsown.documents.chunk import chunk
from selfsown.mixing.order import Drawn
from selfsown.mixing.units import Kind, clash

OPEN_WINDOWS: Final = 64
"""Of each kind; more fill better and keep texts longer from their place in the order."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A text, or a part of one that is longer than a window."""

    drawn: Drawn
    body: str | list[int]
    """With what ends a document, where the text ends here."""
    tokens: int
    """Of the text in it, without that end."""
    size: int
    """Tokens that it takes up."""
    part: int = 0
    """Which part of its text it is, from 0."""


@dataclass(slots=True)
class Window:
    """Texts that are trained on as one row."""

    number: int
    """In the order in which windows were opened."""
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0

    @property
    def kind(self) -> Kind:
        """Of all its texts."""
        return self.pieces[0].drawn.unit.kind

    def takes(self, piece: Piece, window: int) -> bool:
        """Whether a piece of the same kind fits in, and says nothing that is there already."""
        unit = piece.drawn.unit
        return self.size + piece.size <= window and not any(
            clash(unit, there.drawn.unit) for there in self.pieces
        )

    def add(self, piece: Piece) -> None:
        """Put a piece behind what is there."""
        self.pieces.append(piece)
        self.size += piece.size


Cut = Callable[[Drawn], Iterable[Piece]]


def packed(drawn: Iterable[Drawn], cut: Cut, window: int) -> Iterator[Window]:
    """The windows of a mixture, about in its order: those open at the end as they were opened.

    Args:
        drawn: the mixture.
        cut: makes pieces of a text, none larger than a window.
        window: most tokens of a row, ends of documents included.
    """
    open_windows: dict[Kind, list[Window]] = {"real": [], "synthetic": []}
    numbers = counted()
    for text in drawn:
        for piece in cut(text):
            yield from _placed(piece, open_windows[text.unit.kind], window, numbers)
    yield from sorted(chain(*open_windows.values()), key=lambda one: one.number)


def _placed(
    piece: Piece, windows: list[Window], limit: int, numbers: Iterator[int]
) -> Iterator[Window]:
    """Put a piece into a window, and hand over one that is full or has to give way."""
    chosen = None
    for one in windows:
        is_better = chosen is None or one.size > chosen.size
        if is_better and one.takes(piece, limit):
            chosen = one
    if chosen is None:
        chosen = Window(next(numbers))
        windows.append(chosen)
    chosen.add(piece)
    if chosen.size < limit and len(windows) <= OPEN_WINDOWS:
        return
    fullest = max(windows, key=lambda one: one.size)  # the oldest of equals
    windows.remove(fullest)
    yield fullest


def text_cutter(window: int, end: str, count: Counter) -> Cut:
    """Cuts texts by their structure; sizes are added up, so a counted text is never too long.

    Args:
        window: most tokens of a piece.
        end: what stands behind every document.
        count: tokens of a text.
    """
    end_size = count(end)

    def cut(drawn: Drawn) -> Iterator[Piece]:
        unit, room = drawn.unit, window - end_size
        if unit.tokens <= room:
            yield Piece(drawn, unit.text + end, unit.tokens, unit.tokens + end_size)
            return
        slices = _slices(unit.text, room, count)
        for part, (text, tokens) in enumerate(slices):
            is_last = part == len(slices) - 1
            body = text + end * is_last
            yield Piece(drawn, body, tokens, tokens + end_size * is_last, part)

    return cut


def token_cutter(window: int, end: list[int]) -> Cut:
    """Cuts texts into token rows; only the last part of a text may leave room.

    Args:
        window: most tokens of a piece.
        end: tokens behind every document, fewer than the window has.
    """

    def cut(drawn: Drawn) -> Iterator[Piece]:
        ids = list(drawn.unit.ids)
        start = part = 0
        while len(ids) - start + len(end) > window:
            size = min(window, len(ids) - start - 1)
            yield Piece(drawn, ids[start : start + size], size, size, part)
            start, part = start + size, part + 1
        rest = ids[start:]
        yield Piece(drawn, rest + end, len(rest), len(rest) + len(end), part)

    return cut


def _slices(text: str, room: int, count: Counter) -> list[tuple[str, int]]:
    """Parts of a text at its chunks, each as long as fits, with their tokens."""
    found: list[tuple[int, int, int]] = []
    for one in chunk(text, room, count):
        start, _, tokens = found[-1] if found else (one.start, one.start, room + 1)
        if tokens + one.n_tokens <= room:
            found[-1] = (start, one.end, tokens + one.n_tokens)
        else:
            found.append((one.start, one.end, one.n_tokens))
    return [(text[start:end], tokens) for start, end, tokens in found]
