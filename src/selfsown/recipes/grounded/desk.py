"""What is done with a passage, and what its answer comes to: completion, items, records.

`work` sees one passage alone; `close` is told of passages in their order, held-out ones first, and
keeps what they share: the questions so far, and the held-out items that no record may repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from selfsown.core.errors import CallFailed
from selfsown.core.flow import Delivery
from selfsown.core.request import JSON, Completion
from selfsown.core.run import Run
from selfsown.core.stages import Candidate
from selfsown.curate.decontaminate import REASON, DecontaminationIndex
from selfsown.curate.rouge_l import NoveltyPool
from selfsown.evaluate.overlap import row_overlaps
from selfsown.recipes.grounded.apart import TOUCHES, Apart, texts
from selfsown.recipes.grounded.asking import GENERATOR, Asking
from selfsown.recipes.grounded.checks import Bounds, compared_question, fault_of
from selfsown.recipes.grounded.evidence import Span, find_quotation
from selfsown.recipes.grounded.guard import Guard
from selfsown.recipes.grounded.items import NOTHING, Item, Kind, Loss, items_in
from selfsown.recipes.grounded.options import Options
from selfsown.recipes.grounded.reader import HELD_OUT, Passage
from selfsown.recipes.grounded.verifying import Verified, verify

PAIRS: Final = "pairs"
"""Stage of the training records."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A passage, and what is asked of the generator about it."""

    passage: Passage
    kind: Kind
    template: str

    def facts(self) -> dict[str, JSON]:
        """Fields of every record that comes of it."""
        return {"kind": self.kind, "template": self.template, **self.passage.facts}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of an answer, and what is known of it without its neighbours."""

    content: Item | Loss
    reason: str | None = None
    """Why a program rejects it."""
    score: float | None = None
    span: Span | None = None
    """Of the evidence in the passage."""
    verified: Verified | None = None
    """What the calls said; None where the programs found a fault."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the models said about one passage."""

    completion: Completion
    pieces: tuple[Piece, ...]


class Desk:
    """What is done with a passage, and what all of them share."""

    def __init__(
        self, run: Run, options: Options, index: DecontaminationIndex, guard: Guard
    ) -> None:
        """Open the stages.

        Args:
            run: to ask.
            options: of the recipe.
            index: what no item may repeat.
            guard: the words of held-out documents.
        """
        self._run, self._options, self._index = run, options, index
        self._asking = Asking(run, options)
        self._bounds = Bounds(options.least_evidence_words, options.least_grounded)
        self._completions = run.stage("completions", unit="completion")
        self._pairs = run.stage(PAIRS, unit="pair", output=True)
        self._held_out = run.stage(HELD_OUT, unit="item")
        self._questions = NoveltyPool(options.duplicate_threshold)
        self._apart = Apart(guard)
        self._kept: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()

    def assignments(self, passages: Iterable[Passage]) -> Iterator[Assignment]:
        """What is asked about each passage, lazily."""
        for passage in passages:
            kind, template = self._asking.template(self._run.rng, passage)
            yield Assignment(passage, kind, template)

    # -- with one passage alone

    async def work(self, task: Assignment) -> Asked:
        """Ask for items and check each of them."""
        completion, found = await self._written(task)
        pieces = [self._checked(one, task) for one in found]
        items = [number for number, one in enumerate(found) if isinstance(one, Item)]
        for number in items[self._options.items :]:
            pieces[number] = Piece(found[number], "beyond_most")
        verified = await self._run.gather(*(self._verified(one, task.passage) for one in pieces))
        return Asked(completion, tuple(verified))

    async def _written(self, task: Assignment) -> tuple[Completion, tuple[Item | Loss, ...]]:
        """What the generator wrote, asked again while there is nothing to read.

        Raises:
            CallFailed: the last call failed for good.
        """
        request = self._asking.items(task.kind, task.template, task.passage)
        opening, last = self._asking.generator.opening, self._options.retries
        for sample in range(last):
            try:
                completion = await self._run.ask(GENERATOR, request, sample)
            except CallFailed as error:
                if error.kind != "schema":
                    raise
                continue
            found = items_in(completion, task.kind, opening=opening)
            if any(isinstance(one, Item) or one.reason == NOTHING for one in found):
                return completion, found
        completion = await self._run.ask(GENERATOR, request, last)
        return completion, items_in(completion, task.kind, opening=opening)

    def _checked(self, content: Item | Loss, task: Assignment) -> Piece:
        if isinstance(content, Loss):
            return Piece(content, content.reason)
        passage = task.passage.text
        span = find_quotation(passage, content.evidence)
        fault = fault_of(content, task.kind, span, passage, self._bounds)
        if fault is not None:
            return Piece(content, fault.reason, fault.score, span)
        return Piece(content, span=span)

    async def _verified(self, piece: Piece, passage: Passage) -> Piece:
        if piece.reason is not None or isinstance(piece.content, Loss):
            return piece
        found = await verify(self._run, self._asking, self._options, piece.content, passage.text)
        return replace(piece, verified=found)

    # -- in the order of passages

    def close(self, done: Delivery[Assignment, Asked]) -> None:
        """End the completion and its pieces."""
        task, passage, asked = done.item, done.item.passage, done.value
        completion = self._completions.enter(
            {**task.facts(), "completion": asked.completion.text if asked else ""},
            order=passage.order,
            parents=[passage.record],
            keys=done.keys,
            parent_depth=1,
        )
        self._asked[task.template] += 1
        if done.error is not None or asked is None:
            completion.fail(done.error or CallFailed("empty", "nothing came of the call"))
            return
        for number, piece in enumerate(asked.pieces):
            self._end(self._enter(task, piece, number, completion), task, piece)
        if any(isinstance(piece.content, Item) for piece in asked.pieces):
            completion.keep()
        else:
            losses = [one.content.reason for one in asked.pieces if isinstance(one.content, Loss)]
            completion.reject(losses[0] if losses else "nothing_read")

    def _enter(
        self, task: Assignment, piece: Piece, number: int, completion: Candidate
    ) -> Candidate:
        stage = self._held_out if task.passage.is_held_out else self._pairs
        return stage.enter(
            self._payload(task, piece),
            order=(*task.passage.order, number),
            parents=[completion.id],
            keys=completion.keys,
            parent_depth=completion.parent_depth,
        )

    def _payload(self, task: Assignment, piece: Piece) -> dict[str, JSON]:
        """The record's fields; the evidence as it stands in the document, with its place there."""
        if isinstance(piece.content, Loss):
            return {"text": piece.content.text, **task.facts()}
        item, span, passage = piece.content, piece.span, task.passage
        given = item.input
        if self._options.passage == "input" and not passage.is_held_out:
            given = "\n\n".join(filter(None, (passage.text.strip(), item.input)))
        evidence: dict[str, JSON] = {"evidence": item.evidence}
        if span is not None:
            evidence = {
                "evidence": passage.text[span.start : span.end],
                "evidence_start": passage.start + span.start,
                "evidence_end": passage.start + span.end,
            }
        return {
            "instruction": item.instruction,
            "input": given,
            "output": item.output,
            **evidence,
            "passage": passage.text.strip(),
            **task.facts(),
        }

    def _end(self, candidate: Candidate, task: Assignment, piece: Piece) -> None:
        item, verified = piece.content, piece.verified
        if isinstance(item, Loss) or verified is None:
            candidate.reject(piece.reason or "unread", piece.score)
            return
        novelty = self._questions.admit(compared_question(item))
        if not novelty.ok:
            candidate.reject(novelty.reason or "duplicate", novelty.score)
        elif verified.error is not None:
            candidate.fail(verified.error)
        elif verified.reason is not None:
            candidate.reject(verified.reason)
        elif self._is_known(verified):
            candidate.reject("known_closed_book")
        elif found := row_overlaps(texts(candidate.payload), self._index):
            candidate.reject(REASON, found[0].ratio)
        elif not task.passage.is_held_out and (share := self._apart.touches(candidate.payload)):
            candidate.reject(TOUCHES, share)
        else:
            self._keep(candidate, task, item, verified)

    def _keep(self, candidate: Candidate, task: Assignment, item: Item, verified: Verified) -> None:
        add: dict[str, JSON] = {}
        if verified.with_passage is not None:
            add["answerable"] = verified.with_passage.how
        if verified.closed_book is not None:
            add["closed_book"] = verified.closed_book.verdict
        record = candidate.keep(add)
        self._questions.add(compared_question(item))
        self._kept[task.template] += 1
        if task.passage.is_held_out:
            self._apart.protect(record.id, record.payload)

    def _is_known(self, verified: Verified) -> bool:
        found = verified.closed_book
        is_right = found is not None and found.verdict == "right"
        return is_right and self._options.closed_book == "drop_right"

    def templates_form(self) -> dict[str, JSON]:
        """Template → passages asked with it, and items kept."""
        return {
            name: {"passages": count, "kept": self._kept[name]}
            for name, count in sorted(self._asked.items())
        }
