"""From documents to the passages that are asked about; all others have a named reason.

Held-out documents come first, then those for training, each in the order of the rows: so whatever
is compared with held-out documents and items finds all of them, however often a run is resumed.
Documents are read anew for each side, one at a time; none stays in memory. What does: a hash for
each passage, and the words of held-out documents (`guard.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.core.stages import Candidate
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.documents.chunk import Chunk, chunk
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.recipes.grounded.guard import Guard
from selfsown.recipes.grounded.split import HeldOut, choose_split, split_key

DOCUMENTS: Final = "documents"
HELD_OUT: Final = "held_out"
TRAINING: Final = "training"
LEFT_OUT: Final = "left_out"
NEAR: Final = "near_held_out"
"""Why a passage is rejected that shares too much with held-out documents."""

_OF_RECORD: Final = ("source", "licence", "title", "topic")
"""What records say of their document, where it says so."""
_OF_DOCUMENT: Final = ("id", "format", "quality", *_OF_RECORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """Which passages are taken."""

    held_out: HeldOut
    passage_tokens: int = 300
    """Most tokens of a passage."""
    least_tokens: int = 30
    most_passages: int | None = None
    """Of one document, drawn at random; None: all."""
    code: bool = False
    """Whether passages of code are taken."""
    synthetic: bool = False
    """Whether documents are taken that a model wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A passage that is taken."""

    doc_id: str
    title: str
    text: str
    start: int
    """Of the passage in its document."""
    order: tuple[int, int]
    """Number of the document among the rows, and of the passage in it."""
    record: str
    """Id of its candidate."""
    is_held_out: bool
    facts: Mapping[str, JSON]
    """Where it is from, as fields of a record."""


class Reader:
    """The stages `documents` and `passages` of a run."""

    def __init__(self, run: Run, cutting: Cutting, index: DecontaminationIndex) -> None:
        """Choose the split and read what is held out.

        Args:
            run: whose rows are documents.
            cutting: which passages are taken.
            index: what no passage may repeat.
        """
        self._run, self._cutting, self._index = run, cutting, index
        self._documents = run.stage(DOCUMENTS, unit="document")
        self._passages = run.stage("passages", unit="passage")
        self._split = choose_split((one for _, one in self._originals()), cutting.held_out)
        self.guard = Guard(one.text for _, one in self._held_out())
        """The words of held-out documents."""
        self._seen: set[int] = set()
        self.counts: Counter[str] = Counter()
        """Documents by side."""

    def passages(self) -> Iterator[Passage]:
        """The passages of both sides, held-out ones first."""
        for number, one in self._held_out():
            candidate = self._enter(number, one, HELD_OUT)
            candidate.keep()
            yield from self._cut(number, one, candidate, is_held_out=True)
        yield from self._for_training(None)

    def training_passages(self) -> Iterator[Passage]:
        """The passages for training alone; held-out documents are rejected as such."""
        yield from self._for_training(HELD_OUT)

    def _for_training(self, reason: str | None) -> Iterator[Passage]:
        """Training passages; held-out documents are rejected for a reason, or passed over."""
        for number, one in enumerate(document_rows(self._run.rows())):
            if isinstance(one, Unread):
                self._documents.enter(one.row(), order=(number,)).reject(one.reason)
            elif self._is_refused(one):
                self._enter(number, one, LEFT_OUT).reject("synthetic")
            elif not self._split.is_held_out(one):
                candidate = self._enter(number, one, TRAINING)
                candidate.keep()
                yield from self._cut(number, one, candidate, is_held_out=False)
            elif reason is not None:
                self._enter(number, one, HELD_OUT).reject(reason)

    def _originals(self) -> Iterator[tuple[int, Document]]:
        """The documents that are taken, each with its number among the rows."""
        for number, one in enumerate(document_rows(self._run.rows())):
            if isinstance(one, Document) and not self._is_refused(one):
                yield number, one

    def _held_out(self) -> Iterator[tuple[int, Document]]:
        if self._split.bound >= 0:
            yield from (pair for pair in self._originals() if self._split.is_held_out(pair[1]))

    def _is_refused(self, document: Document) -> bool:
        """Whether a model wrote it, as its row says, and that rejects it."""
        fields = document.fields
        is_synthetic = fields.get("origin") == "model" or fields.get("kind") == "synthetic"
        return is_synthetic and not self._cutting.synthetic

    def _enter(self, number: int, document: Document, side: str) -> Candidate:
        self.counts[side] += 1
        row = document.row()
        known: dict[str, JSON] = {name: row[name] for name in _OF_DOCUMENT if name in row}
        return self._documents.enter({**known, "side": side}, order=(number,))

    def _cut(
        self, number: int, document: Document, parent: Candidate, *, is_held_out: bool
    ) -> Iterator[Passage]:
        chunks = chunk(document.text, self._cutting.passage_tokens)
        drawn = self._drawn(document, chunks)
        row = document.row()
        for one in chunks:
            facts: dict[str, JSON] = {
                "doc_id": document.id,
                **{name: row[name] for name in _OF_RECORD if name in row},
                "passage_start": one.start,
                "passage_end": one.end,
            }
            candidate = self._passages.enter(
                {
                    **facts,
                    "kind": one.kind,
                    "n_tokens": one.n_tokens,
                    "side": parent.payload["side"],
                },
                order=(number, one.index),
                parents=[parent.id],
            )
            text = document.text[one.start : one.end]
            reason, score = self._fault(text, one, is_held_out=is_held_out)
            if reason is None and one.index not in drawn:
                reason = "not_drawn"
            if reason is not None:
                candidate.reject(reason, score)
                continue
            candidate.keep()
            yield Passage(
                doc_id=document.id,
                title=document.title,
                text=text,
                start=one.start,
                order=(number, one.index),
                record=candidate.id,
                is_held_out=is_held_out,
                facts=facts,
            )

    def _fault(
        self, text: str, one: Chunk, *, is_held_out: bool
    ) -> tuple[str | None, float | None]:
        """Why a passage is not taken, with the number that decided."""
        cutting = self._cutting
        if one.kind == "code" and not cutting.code:
            return "code", None
        if one.n_tokens < cutting.least_tokens:
            return "too_short", one.n_tokens
        if not is_held_out:
            share = self.guard.share(text)
            if share > cutting.held_out.near:
                return NEAR, share
        verdict = self._index.admit(text)
        if not verdict.ok:
            return REASON, verdict.score
        key = split_key(text, 0)
        if key in self._seen:
            return "repeated", None
        self._seen.add(key)
        return None, None

    def _drawn(self, document: Document, chunks: Sequence[Chunk]) -> set[int]:
        """Numbers of the passages that may be taken: of long enough ones, so many at most."""
        cutting = self._cutting
        able = [one.index for one in chunks if one.n_tokens >= cutting.least_tokens]
        if cutting.most_passages is None or len(able) <= cutting.most_passages:
            return set(able)
        rng = self._run.rng(f"passages {document.id}")
        return set(rng.sample(able, cutting.most_passages))
