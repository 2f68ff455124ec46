"""The run's shared state: which document comes next, in which styles, and what of it is kept.

Read and written only in draws and in the consumer's body, so the order of documents decides all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import GateClosed
from selfsown.core.flow import Delivery
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.curate.openings import opening
from selfsown.curate.steps import first_drop
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.documents.repeats import without_repeats
from selfsown.recipes.cosmopedia.cells import Cells
from selfsown.recipes.cosmopedia.options import Options, made
from selfsown.recipes.cosmopedia.prompts import Prompts, extract_hash, extract_of
from selfsown.recipes.cosmopedia.watch import Watch
from selfsown.recipes.cosmopedia.writing import GENERATOR, Task, Writer, Written

if TYPE_CHECKING:
    from selfsown.core.stages import Record

DOCUMENTS: Final = "documents"
"""Stage of the rows."""
TEXTS: Final = "texts"
"""Stage of what is written."""
_OPENING_WORDS: Final = 5
_FIRST_AHEAD: Final = 64
_AHEAD_SHARE: Final = 4
"""One document may be in work for so many that are done."""


@dataclass(frozen=True, slots=True)
class Seed:
    """One row of the input, and the texts that are to grow from it."""

    number: int
    """Of the row, from 0."""
    head: Mapping[str, JSON]
    """What the data files say of the document; its text stays in `inputs/rows.jsonl`."""
    verdict: Verdict
    """Why nothing grows from it, if that is so."""
    extract: str = ""
    topic: str = ""
    cells: tuple[int, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A document that is good, until there is room for its topic."""

    number: int
    document: Document
    extract: str
    topic: str


class Growing:
    """One run over the documents."""

    def __init__(self, run: Run, options: Options, writer: Writer) -> None:
        """Begin with the first row."""
        self._run, self._options = run, options
        self._documents = run.stage(DOCUMENTS, unit="document")
        self._texts = run.stage(TEXTS, unit="text", output=True)
        self._rows: Iterator[tuple[int, Document | Unread]] = enumerate(
            without_repeats(document_rows(run.rows()))
        )
        self._waiting: _Waiting | None = None
        self._topics = options.topic_rules()
        self._cells = Cells(options.cells(), options.quota, lambda topic: run.rng(f"topic {topic}"))
        self._watch = Watch(options.monitors)
        self._prompts = Prompts(options.registry(), options.topic_share, self._watch)
        benchmarks = options.benchmark_filters()
        self._seed_filters = [*benchmarks, *made(options.seed_filters)]
        self._filters = [*benchmarks, *made(options.filters)]
        self._taken = 0
        self._extracts: set[int] = set()
        self._kept: set[int] = set()

    # --- draws -------------------------------------------------------------------------------

    def ahead(self) -> int:
        """How many documents may be in work."""
        return min(self._options.ahead, max(_FIRST_AHEAD, self._taken // _AHEAD_SHARE))

    def draw(self, _: int) -> Seed | None:
        """The next row; None if there is none, or as long as its topic has no room."""
        if self._waiting is not None:
            return self._room_for(self._waiting)
        number, found = next(self._rows, (0, None))
        if found is None:
            return None
        if isinstance(found, Unread):
            return Seed(number, found.row(), drop(found.reason))
        topic, extract = (
            self._topics.of(found),
            extract_of(found.text, self._options.extract_characters),
        )
        verdict = self._verdict(found, topic, extract)
        if not verdict.ok:
            return Seed(number, _head(found, topic, extract), verdict)
        for each in self._seed_filters:
            each.add(extract)
        return self._room_for(_Waiting(number, found, extract, topic))

    def _verdict(self, document: Document, topic: str, extract: str) -> Verdict:
        """Whether anything may grow from a document."""
        if self._topics.is_excluded(topic):
            return drop("excluded_topic")
        if _is_synthetic(document.fields) and not self._options.synthetic_seeds:
            return drop("synthetic")
        if self._options.least_quality is not None:
            quality = _number(document.fields.get("quality"))
            if quality is None:
                return drop("no_quality")
            if quality < self._options.least_quality:
                return drop("low_quality", quality)
        if not _is_new(extract, self._extracts):
            return drop("repeated_extract")
        return first_drop(self._seed_filters, extract)

    def _room_for(self, waiting: _Waiting) -> Seed | None:
        """The document with its texts, when there is room for one."""
        cells = self._cells.choose(waiting.topic, self._options.per_document)
        head = _head(waiting.document, waiting.topic, waiting.extract)
        if not cells and self._cells.may_open(waiting.topic):
            self._waiting = waiting
            return None
        self._waiting = None
        verdict = keep() if cells else drop("quota")
        tasks = [self._task(waiting, index, cell) for index, cell in enumerate(cells, 1)]
        for cell in cells:
            self._cells.begin(waiting.topic, cell)
        return Seed(
            waiting.number,
            head,
            verdict,
            waiting.extract,
            waiting.topic,
            tuple(cells),
            tuple(tasks),
        )

    def _task(self, waiting: _Waiting, index: int, cell: int) -> Task:
        rng = self._rng(waiting.document.id, index)
        prompt = self._prompts.prompt(waiting.extract, waiting.topic, self._cells.cell(cell), rng)
        is_audited = self._rng(waiting.document.id, -index).random() < self._options.audit.share
        return Task(prompt, waiting.extract, waiting.topic, is_audited)

    def _rng(self, document: str, draw: int) -> Random:
        """The generator of one text of one document, from 1; of its audit with a minus."""
        return self._run.rng(f"document {document}", draw)

    # --- hand-overs --------------------------------------------------------------------------

    def take(self, done: Delivery[Seed, list[Written]]) -> None:
        """End a document and its texts.

        Raises:
            GateClosed: a monitor stops the run; all texts of the document have ended.
        """
        seed = done.item
        self._taken += 1
        candidate = self._documents.enter(seed.head, order=(seed.number,))
        if not seed.verdict.ok:
            candidate.reject(seed.verdict.reason or "rule", seed.verdict.score)
            return
        record = candidate.keep()
        stop: GateClosed | None = None
        for index, (cell, task) in enumerate(zip(seed.cells, seed.tasks, strict=True)):
            written = (
                done.result[index]
                if done.error is None
                else Written(keep(), {}, done.keys, done.error)
            )
            is_kept, stopping = self._end(seed, record, index, task, written)
            self._cells.end(seed.topic, cell, is_kept=is_kept)
            stop = stop or stopping
        if stop is not None:
            raise stop

    def note(self) -> None:
        """What is to be reported of the whole run."""
        self._run.note("cells", self._cells.note())
        self._run.note("monitors", self._watch.note())
        self._run.note("templates", self._options.registry().versions())

    def _end(
        self, seed: Seed, record: Record, index: int, task: Task, written: Written
    ) -> tuple[bool, GateClosed | None]:
        """End one text; returns whether it is kept, and what stops the run."""
        candidate = self._texts.enter(
            self._payload(seed, record.id, task, written),
            order=(seed.number, index),
            parents=(record.id,),
            keys=written.keys,
            parent_depth=1,
        )
        if written.error is not None:
            candidate.fail(written.error)
            return False, None
        verdict = written.verdict if not written.verdict.ok else self._against_others(written.text)
        if not verdict.ok:
            candidate.reject(verdict.reason or "rule", verdict.score)
            return False, None
        alarm = self._watch.add(written.text, task.prompt)
        if alarm is not None and not isinstance(alarm, GateClosed):
            candidate.reject(alarm.reason, alarm.share)
            return False, None
        for each in self._filters:
            each.add(written.text)
        candidate.keep()
        return True, alarm

    def _against_others(self, text: str) -> Verdict:
        if not _is_new(text, self._kept):
            return drop("duplicate")
        return first_drop(self._filters, text)

    def _payload(self, seed: Seed, seed_id: str, task: Task, written: Written) -> dict[str, JSON]:
        prompt, head = task.prompt, seed.head
        sampling = self._options.sampling()
        return {
            "doc_id": head["id"],
            "seed_id": seed_id,
            "seed_source": head.get("source", ""),
            "seed_hash": head["seed_hash"],
            "seed_data": seed.extract,
            "licence": head.get("licence", ""),
            "topic": seed.topic,
            "topic_in_prompt": prompt.topic_in_prompt,
            "style": prompt.style,
            "audience": prompt.audience,
            "template_id": prompt.template_id,
            "template_version": prompt.template_version,
            "prompt": prompt.text,
            "model": self._run.origin.models.get(GENERATOR, ""),
            "sampling": {name: value for name, value in sampling.items() if value},
            "seed": self._run.seed,
            "origin": "model",
            **({"opening_hash": _opening_hash(written.text)} if written.text else {}),
            **written.fields,
        }


def _head(document: Document, topic: str, extract: str) -> dict[str, JSON]:
    """What the data files say of a document."""
    head: dict[str, JSON] = {"id": document.id}
    for name in ("source", "licence", "format", "title"):
        if value := getattr(document, name):
            head[name] = value
    head |= {"topic": topic} if topic else {}
    if "quality" in document.fields:
        head["quality"] = document.fields["quality"]
    return head | {"seed_hash": extract_hash(extract), "characters": len(document.text)}


def _is_synthetic(fields: Mapping[str, JSON]) -> bool:
    """Whether a row says that a model wrote it."""
    is_record = "doc_id" in fields and "template_id" in fields
    return fields.get("origin") == "model" or fields.get("kind") == "synthetic" or is_record


def _opening_hash(text: str) -> str:
    """Equal for texts with the same first five words."""
    return _digest(opening(text, _OPENING_WORDS)).hex()


def _is_new(text: str, seen: set[int]) -> bool:
    """Whether a text was not seen before; it is remembered by a hash of 8 bytes."""
    number = int.from_bytes(_digest(text))
    if number in seen:
        return False
    seen.add(number)
    return True


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _number(value: JSON) -> float | None:
    """A quality that is a number."""
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
