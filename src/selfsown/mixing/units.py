"""What a mixture is made of: a text, who wrote it, and the document that it says again.

`real` is what people wrote, `synthetic` what a model wrote, in part or as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

Kind = Literal["real", "synthetic"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One text of a source: a document, a rephrase of one, or what else a record says."""

    id: str
    """Of the record or document; of joined chunks, that of the document with the style."""
    doc_id: str
    """The document whose content it has: its own, or the one that it was made from."""
    kind: Kind
    text: str
    tokens: int
    """Of the text alone, without what ends a document."""
    model_depth: int = 0
    """Trainings on machine data behind the model that wrote it; 0 for people."""
    parents: tuple[str, ...] = ()
    """Ids of what else it was made from."""
    ids: tuple[int, ...] = ()
    """Its tokens, where rows are to hold tokens; then `text` is empty."""

    def pack(self) -> bytes:
        """As bytes, for a scratch file; `unpack` gives an equal unit."""
        return orjson.dumps(
            (self.id, self.doc_id, self.kind, self.text, self.tokens, self.model_depth,
             self.parents, self.ids)
        )  # fmt: skip

    @classmethod
    def unpack(cls, packed: bytes) -> Unit:
        """The unit that `pack` made bytes of."""
        name, doc_id, kind, text, tokens, depth, parents, ids = orjson.loads(packed)
        return cls(name, doc_id, kind, text, tokens, depth, tuple(parents), tuple(ids))


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk of a text that comes in several: its place among them."""

    unit: Unit
    style: str
    """Chunks of one document in different styles make different texts."""
    index: int
    """From 0."""
    count: int
    """Chunks that the document has; 0 if nothing says so."""


def clash(one: Unit, other: Unit) -> bool:
    """Whether one says again what the other says, so that they must not share a window."""
    return one.doc_id == other.doc_id or other.doc_id in one.parents or one.doc_id in other.parents
