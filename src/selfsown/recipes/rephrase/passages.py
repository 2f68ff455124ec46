"""From documents to passages: one chunk each, with what is to become of it; lazily, in order.

Memory is that of the documents under way, and two small hashes of each document that was there
before (`documents.repeats`), since an equal text would be one call and count twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from selfsown.core.request import JSON
from selfsown.core.token_counts import Counter
from selfsown.curate.steps import InstructionFilter, first_drop
from selfsown.documents.blocks import blocks
from selfsown.documents.chunk import chunk
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.recipes.rephrase.formal import formal
from selfsown.recipes.rephrase.lineage import refuse_rephrase
from selfsown.recipes.rephrase.options import Options
from selfsown.recipes.rephrase.style import Style

_KEPT: Final = ("source", "licence", "format", "title")
FIELDS: Final = ("topic", "quality")
"""Of a document's own fields those that its chunks and rephrases have, too."""
_LONGEST_HINT: Final = 120
"""Characters of a title or a section's heading that are shown."""


@dataclass(frozen=True, slots=True)
class Original:
    """A document that is being rephrased."""

    number: int
    """Among the rows, from 0."""
    id: str
    title: str
    facts: Mapping[str, JSON]
    """Of its row: source, licence, format, title, topic and quality, where it has them."""
    n_chunks: int
    n_tokens: int
    """Of all its chunks."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that gives no document."""

    number: int
    unread: Unread


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk."""

    original: Original
    index: int
    """Among the document's chunks, from 0."""
    text: str
    """Without the blank lines around it."""
    kind: str
    start: int
    end: int
    """Of the slice of the document, blank lines included."""
    n_tokens: int
    section: str
    """The heading before it; empty if there is none."""
    styles: tuple[Style, ...]
    """That it is rephrased in; none if it is left out or passes through."""
    is_unchanged: bool
    """It passes into the data as it stands."""
    reason: str | None = None
    """Why it is left out: `routed`, `code`, `maths`, `too_short`, or a filter's reason."""
    score: float | None = None

    @property
    def id(self) -> str:
        """Document and index."""
        return f"{self.original.id}#{self.index}"

    def row(self) -> dict[str, JSON]:
        """The chunk as a record."""
        return {
            "doc_id": self.original.id,
            "chunk_id": self.id,
            "chunk": self.index,
            "n_chunks": self.original.n_chunks,
            "text": self.text,
            "n_tokens": self.n_tokens,
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            **{name: self.original.facts[name] for name in FIELDS if name in self.original.facts},
        }


Item: TypeAlias = "Passage | Refused"


class Cutter:
    """Makes passages of documents, as the options say."""

    def __init__(
        self,
        options: Options,
        registry: Mapping[str, Style],
        count: Counter,
        filters: Sequence[InstructionFilter] = (),
    ) -> None:
        self._options, self._registry, self._count = options, registry, count
        self._filters = filters
        routing = options.routing
        self._quality = routing.field if routing else ""
        self._fields = tuple(dict.fromkeys((*FIELDS, *filter(None, (self._quality,)))))

    def passages(self, rows: Iterable[Mapping[str, JSON]]) -> Iterator[Item]:
        """Every row as what it comes to: at least one item each.

        Raises:
            InputError: a row is no document, or no original, or lacks the quality that its styles
                depend on; names the row.
        """
        for number, document in enumerate(originals(rows)):
            if isinstance(document, Unread):
                yield Refused(number, document)
            else:
                yield from self._cut(number, document)

    def styles(self, document: Document, number: int) -> tuple[Style, ...]:
        """The styles of a document; none if it is left as it is.

        Raises:
            InputError: it lacks the quality that they depend on.
        """
        routing = self._options.routing
        if routing is None:
            return tuple(self._registry.values())
        level = routing.level(document.fields, _place(number, document))
        return tuple(self._registry[name] for name in dict.fromkeys(routing.styles(level)))

    def limit(self, styles: Sequence[Style]) -> int:
        """Most tokens of a chunk for these styles, or for all if there are none."""
        caps = (style.input_tokens for style in styles or self._registry.values())
        return self._options.chunk_tokens or min(caps)

    def _cut(self, number: int, document: Document) -> Iterator[Passage]:
        styles = self.styles(document, number)
        text = document.text
        chunks = chunk(text, self.limit(styles), self._count)
        original = Original(
            number,
            document.id,
            _line(document.title),
            self._facts(document),
            len(chunks),
            sum(one.n_tokens for one in chunks),
        )
        headings = _headings(text) if self._options.context_hint else []
        for one in chunks:
            told = text[one.start : one.end].strip("\r\n").rstrip()
            reason, score, is_unchanged = self._fate(told, one.kind, one.n_tokens, original, styles)
            yield Passage(
                original,
                one.index,
                told,
                one.kind,
                one.start,
                one.end,
                one.n_tokens,
                _section(headings, one.start),
                () if is_unchanged or reason else styles,
                is_unchanged,
                reason,
                score,
            )

    def _facts(self, document: Document) -> dict[str, JSON]:
        named = {name: str(getattr(document, name)) for name in _KEPT}
        found: dict[str, JSON] = {name: value for name, value in named.items() if value}
        return found | {
            name: document.fields[name] for name in self._fields if name in document.fields
        }

    def _fate(
        self, text: str, kind: str, n_tokens: int, original: Original, styles: Sequence[Style]
    ) -> tuple[str | None, float | None, bool]:
        """Why a chunk is left out, the number that decided, and whether it passes through."""
        if not styles:
            quality = original.facts.get(self._quality)
            return "routed", float(quality) if isinstance(quality, int | float) else None, False
        verdict = first_drop(self._filters, text)
        if not verdict.ok:
            return verdict.reason or "filter", verdict.score, False
        found = formal(text, kind)
        if found is not None:
            is_passed = self._options.formal == "pass"
            return None if is_passed else found, None, is_passed
        if not any(is_long_enough(style, n_tokens, original.n_tokens) for style in styles):
            return "too_short", float(n_tokens), False
        return None, None, False


def originals(rows: Iterable[Mapping[str, JSON]]) -> Iterator[Document | Unread]:
    """The documents of rows; one that repeats an earlier text or id is unread.

    Raises:
        InputError: a row is no document, or no original; names it.
    """
    for number, document in enumerate(document_rows(rows)):
        if isinstance(document, Document):
            refuse_rephrase(document, _place(number, document))
        yield document


def is_long_enough(style: Style, chunk_tokens: int, document_tokens: int) -> bool:
    """Whether a style takes a chunk."""
    return chunk_tokens >= style.least_chunk and document_tokens >= style.least_document


def _place(number: int, document: Document) -> str:
    return f"row {number + 1}" + (f" (`{document.source}`)" if document.source else "")


def _headings(text: str) -> list[tuple[int, str]]:
    """Where each heading ends, and its words."""
    found = (block for block in blocks(text) if block.kind == "heading")
    return [(block.end, _line(text[block.start : block.end])) for block in found]


def _section(headings: Sequence[tuple[int, str]], start: int) -> str:
    """The words of the last heading that is wholly before a place."""
    at = bisect_right(headings, start, key=lambda heading: heading[0])
    return headings[at - 1][1] if at else ""


def _line(text: str) -> str:
    """The first line of a heading or title, short, without its marks and without tags."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    plain = " ".join(first.strip("#=*_ \t").split())[:_LONGEST_HINT]
    return plain.replace("<", "\u2039").replace('"', "'")
