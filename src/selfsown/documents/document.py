"""A document, or why there is none: what readers give, and what recipes see as rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, get_args

from selfsown.core.errors import InputError
from selfsown.core.request import JSON

Reason = Literal[
    "binary", "damaged", "duplicate", "duplicate_id", "empty", "encoding", "encrypted",
    "too_large", "unsupported",
]  # fmt: skip
"""Why there is no document. `duplicate`: its text is that of an earlier one; `encoding`: its bytes
are text in no encoding that could be told; `damaged`: also what cannot be opened."""
_ID_BYTES: Final = 12
_OWN: Final = frozenset({"id", "text", "source", "licence", "license", "format", "title"})


@dataclass(frozen=True, slots=True)
class Document:
    """One text with what is known about it."""

    id: str
    """Its own, or `content_id` of its text."""
    text: str
    """Not blank."""
    source: str = ""
    """The file, with the place inside it where it holds several: `a.jsonl:12`."""
    licence: str = ""
    """As the user, the row or the file states it; empty: not known."""
    format: str = ""
    """`text`, `markdown`, `html`, `pdf`, `jsonl`, `json`, `csv` or `parquet`."""
    title: str = ""
    fields: Mapping[str, JSON] = field(default_factory=lambda: MappingProxyType({}))
    """Whatever else its row has, for example `quality` or `topic`."""

    def row(self) -> dict[str, JSON]:
        """The document as a row of a run; what is empty is left out."""
        named = {
            "source": self.source,
            "licence": self.licence,
            "format": self.format,
            "title": self.title,
        }
        stated: dict[str, JSON] = {name: value for name, value in named.items() if value}
        return {**self.fields, "id": self.id, "text": self.text, **stated}


@dataclass(frozen=True, slots=True)
class Unread:
    """A file, or a row of one, that gives no document."""

    source: str
    reason: Reason
    detail: str = ""
    """In words: what was found, and where."""

    def row(self) -> dict[str, JSON]:
        """As a row of a run, so that no file is missing in silence."""
        return {"source": self.source, "unread": self.reason, "detail": self.detail}


def document_rows(rows: Iterable[Mapping[str, JSON]]) -> Iterator[Document | Unread]:
    """The documents of rows as recipes see them, lazily, one per row and in order.

    A row of an `Unread` is one again; a blank text is an `Unread` of reason `empty`;
    a text or own id that was there before one of reason `duplicate` or `duplicate_id`, which takes
    a hash in memory for each (`repeats.py`).

    Raises:
        InputError: a row without text (names it, counted from 1), when it is reached.
    """
    from selfsown.documents.repeats import without_repeats

    read = (
        unread_of_row(row) or document_of_row(row, f"row {number}")
        for number, row in enumerate(rows, 1)
    )
    return without_repeats(read)


def document_of_row(
    row: Mapping[str, JSON], place: str, *, source: str = "", licence: str = "", format: str = ""
) -> Document | Unread:
    """One document of a row with `text`; the arguments stand in for what the row does not say.

    Raises:
        InputError: it has no text; names `place`.
    """
    text = row.get("text")
    if not isinstance(text, str):
        raise InputError(
            f"{place} has no text: `text` is {'missing' if text is None else repr(text)[:40]}",
            why="a document is a text",
            fix="give each row a field `text`, or name another one with --text-field",
        )
    source = _words(row.get("source")) or source
    if not text.strip():
        return Unread(source or place, "empty", f"{place} has a blank text")
    return Document(
        id=_words(row.get("id")) or content_id(text),
        text=text,
        source=source,
        licence=_words(row.get("licence")) or _words(row.get("license")) or licence,
        format=_words(row.get("format")) or format,
        title=_words(row.get("title")),
        fields={name: value for name, value in row.items() if name not in _OWN},
    )


def unread_of_row(row: Mapping[str, JSON]) -> Unread | None:
    """What a row says that `Unread.row` made; None of all other rows."""
    if row.keys() != {"source", "unread", "detail"}:
        return None
    reason = next((known for known in get_args(Reason) if known == row["unread"]), None)
    return reason and Unread(_words(row["source"]), reason, _words(row["detail"]))


def content_id(text: str) -> str:
    """The id of a document that has none: a hash of its text, equal for equal texts."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES)
    return f"d-{digest.hexdigest()}"


def _words(value: JSON) -> str:
    """A field that should be text, as text; lists of words (licences often are) with commas."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, default=str)
