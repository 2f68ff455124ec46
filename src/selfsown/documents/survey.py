"""What documents would come of files: counts by form, licence and reason; none is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from selfsown.documents.chunk import CHUNK_TOKENS, chunk
from selfsown.documents.document import Document, Unread
from selfsown.documents.tokens import count_tokens

_SHOWN = 20


@dataclass(slots=True)
class Survey:
    """Sums over documents; memory does not grow with them, but for names of licences."""

    limit: int = CHUNK_TOKENS
    """Tokens of a chunk."""
    count: Callable[[str], int] = count_tokens
    n_documents: int = 0
    n_tokens: int = 0
    longest: int = 0
    """Tokens of the longest document."""
    longest_source: str = ""
    chunks: Counter[str] = field(default_factory=Counter)
    """Kind → chunks."""
    formats: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    """Licence → documents; `unknown` where none is stated."""
    encodings: Counter[str] = field(default_factory=Counter)
    """Guesses, in words, → documents."""
    unread: Counter[str] = field(default_factory=Counter)
    """Reason → files or rows."""
    unread_sources: dict[str, list[Unread]] = field(default_factory=dict)
    """Reason → the first of them."""

    def add(self, items: Iterable[Document | Unread]) -> None:
        """Count all items."""
        for item in items:
            if isinstance(item, Unread):
                self.unread[item.reason] += 1
                if self.unread[item.reason] <= _SHOWN:
                    self.unread_sources.setdefault(item.reason, []).append(item)
            else:
                self._add(item)

    def _add(self, document: Document) -> None:
        chunks = chunk(document.text, self.limit, self.count)
        n_tokens = sum(one.n_tokens for one in chunks)
        self.n_documents += 1
        self.n_tokens += n_tokens
        if n_tokens > self.longest:
            self.longest, self.longest_source = n_tokens, document.source
        self.chunks.update(one.kind for one in chunks)
        self.formats[document.format] += 1
        self.licences[document.licence or "unknown"] += 1
        if guess := document.fields.get("encoding"):
            self.encodings[str(guess)] += 1

    def form(self) -> dict[str, object]:
        """The numbers as JSON."""
        return {
            "documents": self.n_documents,
            "tokens": self.n_tokens,
            "longest": {"tokens": self.longest, "source": self.longest_source},
            "chunk_limit": self.limit,
            "chunks": dict(sorted(self.chunks.items())),
            "formats": dict(self.formats.most_common()),
            "licences": dict(self.licences.most_common()),
            "encodings": dict(self.encodings.most_common()),
            "unread": dict(self.unread.most_common()),
            "unread_sources": {
                reason: [one.row() for one in sources]
                for reason, sources in self.unread_sources.items()
            },
        }
