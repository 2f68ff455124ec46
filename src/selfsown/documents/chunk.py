"""Documents cut into chunks by their structure, so that each fits a token limit; nothing is lost.

The rules, in the order in which they give way:

1. The slices `text[chunk.start:chunk.end]` follow each other and are the whole text.
2. No chunk counts more than the limit, but one that is a single character.
3. Code and tables have chunks of their own; paragraphs and lists share them.
4. A block (paragraph, list, table, code) that fits a chunk is in one. One that does not is cut at
   its items or lines, then at sentences, then at words, then within a word.
5. A heading is in the chunk of what follows it, as long as a first piece of that fits with it.
6. Chunks are as full as these rules allow.

Source: WRAP (arXiv:2401.16380) packs sentences to about 300 tokens, since longer inputs lost
information when they were rephrased. Differs from the paper: blocks are kept whole, and a sentence
over the limit is cut instead of kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.core.token_counts import Counter
from selfsown.documents.blocks import Kind, blocks, items, line_starts
from selfsown.documents.sentences import cut_before, sentence_starts, word_starts
from selfsown.documents.tokens import count_tokens

CHUNK_TOKENS: Final = 300
"""WRAP section 3."""
_SIGNS_PER_TOKEN: Final = 64
"""Characters per token of the limit that a chunk never exceeds, so that no tokenizer is given a
megabyte to find out that it does not fit."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document."""

    index: int
    """From 0, in the order of the text."""
    start: int
    end: int
    kind: Kind
    """`prose` also of paragraphs with lists among them; `heading` only where nothing follows, or
    nothing of it fits."""
    n_tokens: int
    """Of the slice, by the counter that was given."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is never cut any more; of one block, or a part of one."""

    start: int
    end: int
    kind: Kind
    n_tokens: int


class _Ahead:
    """The pieces to come, made as they are asked for; those that are given back come first."""

    def __init__(self, rest: Iterator[_Piece]) -> None:
        self._rest = rest
        self._near: deque[_Piece] = deque()

    @property
    def first(self) -> _Piece | None:
        """The next one, which stays; None behind the last."""
        if not self._near:
            self._near.extend(islice(self._rest, 1))
        return self._near[0] if self._near else None

    def take(self) -> _Piece:
        """The next one, of which there must be one."""
        return self._near.popleft() if self._near else next(self._rest)

    def give_back(self, piece: _Piece) -> None:
        """Let a piece be the next one again."""
        self._near.appendleft(piece)


def chunk(text: str, limit: int = CHUNK_TOKENS, count: Counter = count_tokens) -> list[Chunk]:
    """Cut a text into chunks; none for an empty text.

    Time is linear in the text. Memory beside it is below 20 bytes per character, and below 50 where
    a block that must be cut consists of words or lines of a single sign.

    Args:
        text: of a document.
        limit: most tokens of a chunk.
        count: tokens of a text; see `documents.tokens.counter`.

    Raises:
        ConfigError: the limit is below 1.
    """
    if limit < 1:
        raise ConfigError(
            f"a chunk limit of {limit} tokens is none",
            why="a chunk has at least one token",
            fix=f"give a limit of 1 or more, for example {CHUNK_TOKENS}",
        )
    return _Cutter(text, limit, count).chunks()


class _Cutter:
    """One document being cut."""

    def __init__(self, text: str, limit: int, count: Counter) -> None:
        self._text, self._limit, self._count = text, limit, count

    def chunks(self) -> list[Chunk]:
        """The document's chunks."""
        waiting = _Ahead(self._pieces())
        found: list[Chunk] = []
        while waiting.first is not None:
            pieces, n_tokens = self._filled(waiting)
            start, end = pieces[0].start, pieces[-1].end
            found.append(Chunk(len(found), start, end, _kind(pieces), n_tokens))
        return found

    def _filled(self, waiting: _Ahead) -> tuple[list[_Piece], int]:
        """Take as many pieces as one chunk holds; at least one."""
        pieces = [waiting.take()]
        total, kind = pieces[0].n_tokens, pieces[0].kind
        while (after := waiting.first) is not None and _may_join(kind, after.kind):
            joined = total + after.n_tokens
            if joined > self._limit:
                joined = self._measure(pieces[0].start, after.end)
            if joined > self._limit:
                break
            total = joined
            kind = after.kind if kind == "heading" else kind
            pieces.append(waiting.take())
        self._hand_back(pieces, waiting)
        exact = self._measure(pieces[0].start, pieces[-1].end)
        while exact > self._limit and len(pieces) > 1:  # a tokenizer that joins to more than parts
            waiting.give_back(pieces.pop())
            exact = self._measure(pieces[0].start, pieces[-1].end)
        return pieces, exact

    def _hand_back(self, pieces: list[_Piece], waiting: _Ahead) -> None:
        """Headings at the end of a chunk go to the next one, where what follows them is."""
        if waiting.first is None:
            return
        last = len(pieces)
        while last > 1 and pieces[last - 1].kind == "heading":
            last -= 1
        if last == 1 and pieces[0].kind == "heading":
            return
        while len(pieces) > last:
            waiting.give_back(pieces.pop())

    def _pieces(self) -> Iterator[_Piece]:
        """Blocks that fit, and the parts of those that do not."""
        for block in blocks(self._text):
            yield from self._parts(block.start, block.end, block.kind, _WAYS[block.kind])

    def _parts(
        self, start: int, end: int, kind: Kind, ways: Sequence[Callable[[str], list[int]]]
    ) -> Iterator[_Piece]:
        n_tokens = self._measure(start, end)
        if n_tokens <= self._limit:
            yield _Piece(start, end, kind, n_tokens)
        elif ways:
            places = [start + place for place in ways[0](self._text[start:end])]
            for one, behind in zip(places, [*places[1:], end], strict=True):
                yield from self._parts(one, behind, kind, ways[1:])
        else:
            yield from self._torn(start, end, kind)

    def _torn(self, start: int, end: int, kind: Kind) -> Iterator[_Piece]:
        """A word over the limit, in parts that fit."""
        size = self._limit * _SIGNS_PER_TOKEN
        while start < end:
            size = min(end - start, 2 * size)
            while size > 1 and self._measure(start, start + size) > self._limit:
                size //= 2
            behind = start + size
            if behind < end:
                behind = max(start + 1, cut_before(self._text, behind))
            yield _Piece(start, behind, kind, self._measure(start, behind))
            start = behind

    def _measure(self, start: int, end: int) -> int:
        """Tokens of a slice; more than the limit if it is too long to be counted."""
        if end - start > self._limit * _SIGNS_PER_TOKEN:
            return self._limit + 1
        return self._count(self._text[start:end])


_WAYS: Final[dict[Kind, tuple[Callable[[str], list[int]], ...]]] = {
    "prose": (sentence_starts, word_starts),
    "heading": (sentence_starts, word_starts),
    "list": (items, line_starts, sentence_starts, word_starts),
    "table": (line_starts, word_starts),
    "code": (line_starts, word_starts),
}
"""How blocks of a kind are cut if they do not fit, coarsest first."""


def _may_join(kind: Kind, other: Kind) -> bool:
    """Whether a piece may share a chunk: code and tables only with their own and a heading.

    Args:
        kind: of the chunk so far; `heading` if there is nothing else in it.
        other: of the piece.
    """
    if kind == "heading":
        return True
    return kind == other if "code" in (kind, other) or "table" in (kind, other) else True


def _kind(pieces: Sequence[_Piece]) -> Kind:
    kinds = {piece.kind for piece in pieces} - {"heading"}
    if len(kinds) == 1:
        return kinds.pop()
    return "prose" if kinds else "heading"
