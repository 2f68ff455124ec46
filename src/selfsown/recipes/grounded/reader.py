"""From documents to the passages that are asked about; all others have a named reason.

Held-out documents come first, then those for training, each in the order of the rows: so whatever
is compared with held-out documents and items finds all of them, however often a run is resumed.
Documents are read anew for each side, one at a time; none stays in memory.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.documents.chunk import Chunk, chunk
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.recipes.grounded.guard import Guard
from selfsown.recipes.grounded.items import Kind
from selfsown.recipes.grounded.options import VARIANTS, Options
from selfsown.recipes.grounded.split import choose_split

HELD_OUT = "held_out"
TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A passage that is asked about."""

    document: Document
    text: str
    chunk: Chunk
    order: tuple[int, int]
    """Number of the document among the rows, and of the passage in it."""
    record: str
    """Id of its candidate."""
    is_held_out: bool
    kind: Kind
    template: str

    def facts(self) -> dict[str, JSON]:
        """Where it is from, as fields of a record."""
        return {
            "doc_id": self.document.id,
            **({"source": self.document.source} if self.document.source else {}),
            **({"licence": self.document.licence} if self.document.licence else {}),
            **({"title": self.document.title} if self.document.title else {}),
            "passage_start": self.chunk.start,
            "passage_end": self.chunk.end,
        }


class Reader:
    """The first two stages of a run: documents and passages."""

    def __init__(self, run: Run, options: Options, index: DecontaminationIndex) -> None:
        """Choose the split and read what is held out.

        Args:
            run: whose rows are documents.
            options: of the recipe.
            index: what no passage may repeat.
        """
        self._run, self._options, self._index = run, options, index
        self._documents = run.stage("documents", unit="document")
        self._passages = run.stage("passages", unit="passage")
        self.split = choose_split(document_rows(run.rows()), options.held_out)
        self._guard = Guard(
            one.text
            for one in (document_rows(run.rows()) if self.split.bound >= 0 else ())
            if isinstance(one, Document) and self.split.is_held_out(one)
        )
        self._seen: set[bytes] = set()
        self.counts: Counter[str] = Counter()
        """Documents by side."""

    def passages(self) -> Iterator[Passage]:
        """The passages to ask about, held-out ones first."""
        for held_out in (True, False) if self.split.bound >= 0 else (False,):
            for number, one in enumerate(document_rows(self._run.rows())):
                if isinstance(one, Unread):
                    if not held_out:
                        self._reject(number, one)
                elif self.split.is_held_out(one) == held_out:
                    yield from self._of(number, one, held_out)

    def _reject(self, number: int, one: Unread) -> None:
        self._documents.enter(one.row(), order=(number,)).reject(one.reason)

    def _of(self, number: int, document: Document, held_out: bool) -> Iterator[Passage]:
        side = HELD_OUT if held_out else TRAINING
        self.counts[side] += 1
        row: dict[str, JSON] = {
            name: value for name, value in document.row().items() if name != "text"
        }
        candidate = self._documents.enter({**row, "side": side}, order=(number,))
        candidate.keep()
        chunks = chunk(document.text, self._options.passage_tokens)
        drawn = self._drawn(document, chunks)
        for one in chunks:
            text = document.text[one.start : one.end]
            passage = self._passages.enter(
                {
                    "doc_id": document.id,
                    "passage_start": one.start,
                    "passage_end": one.end,
                    "kind": one.kind,
                    "n_tokens": one.n_tokens,
                    "side": side,
                },
                order=(number, one.index),
                parents=[candidate.id],
            )
            reason, score = self._fault(text, one, held_out)
            if reason is None and one.index not in drawn:
                reason = "not_drawn"
            if reason is not None:
                passage.reject(reason, score)
                continue
            passage.keep()
            kind, template = self._template(document, one)
            yield Passage(
                document=document,
                text=text,
                chunk=one,
                order=(number, one.index),
                record=passage.id,
                is_held_out=held_out,
                kind=kind,
                template=template,
            )

    def _fault(self, text: str, one: Chunk, held_out: bool) -> tuple[str | None, float | None]:
        """Why a passage is not asked about, with the number that decided."""
        options = self._options
        if one.kind == "code" and not options.code:
            return "code", None
        if one.n_tokens < options.least_tokens:
            return "too_short", one.n_tokens
        if not held_out:
            share = self._guard.share(text)
            if share > options.held_out.near:
                return "near_held_out", share
        verdict = self._index.admit(text)
        if not verdict.ok:
            return REASON, verdict.score
        digest = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=8).digest()
        if digest in self._seen:
            return "repeated", None
        self._seen.add(digest)
        return None, None

    def _drawn(self, document: Document, chunks: Sequence[Chunk]) -> set[int]:
        """Numbers of the passages that may be asked about: of long enough ones, so many at most."""
        options = self._options
        able = [one.index for one in chunks if one.n_tokens >= options.least_tokens]
        if options.most_passages is None or len(able) <= options.most_passages:
            return set(able)
        rng = self._run.rng(f"passages {document.id}")
        return set(rng.sample(able, options.most_passages))

    def _template(self, document: Document, one: Chunk) -> tuple[Kind, str]:
        """What to ask for, drawn per passage, and in which words, drawn per document."""
        kinds = self._options.kinds
        kind = kinds[self._run.rng(f"kind {document.id}", one.index).randrange(len(kinds))]
        variants = VARIANTS[kind]
        rng = self._run.rng(f"template {kind} {document.id}")
        return kind, variants[rng.randrange(len(variants))]
