"""The run's shared state: which document comes next, in which styles, and what of it is kept.

Read and written only in draws and in the consumer's body, so the order of documents decides all.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import GateClosed
from selfsown.curate.steps import first_drop
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.documents.repeats import Hashes
from selfsown.recipes.cosmopedia.audit import Audits
from selfsown.recipes.cosmopedia.cells import Cells
from selfsown.recipes.cosmopedia.options import Options, made
from selfsown.recipes.cosmopedia.prompts import Prompts
from selfsown.recipes.cosmopedia.records import record_of
from selfsown.recipes.cosmopedia.seeds import Seed, Seeds
from selfsown.recipes.cosmopedia.watch import Watch
from selfsown.recipes.cosmopedia.writing import Task, Written

if TYPE_CHECKING:
    from selfsown.core.flow import Delivery
    from selfsown.core.run import Run
    from selfsown.core.stages import Candidate, Record

DOCUMENTS: Final = "documents"
"""Stage of the rows."""
TEXTS: Final = "texts"
"""Stage of what is written."""
_FIRST_AHEAD: Final = 64
_MOST_AHEAD: Final = 1024
_AHEAD_SHARE: Final = 4
"""One document may be in work for so many that are done."""


@dataclass(frozen=True, slots=True)
class Item:
    """A row, and the texts that are to grow from it."""

    seed: Seed
    verdict: Verdict
    """Why none do, if that is so."""
    cells: tuple[int, ...] = ()
    tasks: tuple[Task, ...] = ()


class Growing:
    """One run over the documents."""

    def __init__(self, run: Run, options: Options) -> None:
        """Begin with the first row."""
        self._run, self._options = run, options
        self._documents = run.stage(DOCUMENTS, unit="document")
        self._texts = run.stage(TEXTS, unit="text", output=True)
        self._seeds = Seeds(run, options)
        self._waiting: Seed | None = None
        """A document that is good, until there is room for its topic."""
        registry, cells = options.registry(), options.cells()
        self._cells = Cells(cells, options.quota, lambda topic: run.rng(f"topic {topic}"))
        styles = [registry.styles[name] for name in {cell.style for cell in cells}]
        groups = sum(1 + len(style.variants) for style in styles)
        self._watch = Watch(options.monitors, groups)
        self._prompts = Prompts(registry, options.topic_share, self._watch)
        self._filters = [*options.benchmark_filters(), *made(options.filters)]
        self._written = Hashes()
        self._audits = Audits()
        self._taken = 0

    # --- draws -------------------------------------------------------------------------------

    def ahead(self) -> int:
        """How many documents may be in work."""
        usual = min(_MOST_AHEAD, max(_FIRST_AHEAD, self._taken // _AHEAD_SHARE))
        return self._options.ahead or usual

    def draw(self, _: int) -> Item | None:
        """The next row; None if there is none, or as long as its topic has no room."""
        seed, self._waiting = self._waiting or self._seeds.next(), None
        if seed is None or not seed.verdict.ok:
            return None if seed is None else Item(seed, seed.verdict)
        cells = self._cells.choose(seed.topic, self._options.per_document)
        if not cells and self._cells.may_open(seed.topic):
            self._waiting = seed
            return None
        if not cells:
            return Item(seed, drop("quota"))
        for cell in cells:
            self._cells.begin(seed.topic, cell)
        tasks = [self._task(seed, index, cell) for index, cell in enumerate(cells, 1)]
        return Item(seed, keep(), tuple(cells), tuple(tasks))

    def _task(self, seed: Seed, index: int, cell: int) -> Task:
        rng = self._rng(seed, index)
        prompt = self._prompts.prompt(seed.extract, seed.topic, self._cells.cell(cell), rng)
        is_audited = self._rng(seed, -index).random() < self._options.audit.share
        return Task(prompt, seed.extract, seed.topic, is_audited)

    def _rng(self, seed: Seed, draw: int) -> Random:
        """The generator of one text of one document, from 1; of its audit with a minus."""
        return self._run.rng(f"document {seed.id}", draw)

    # --- hand-overs --------------------------------------------------------------------------

    def take(self, done: Delivery[Item, list[Written]]) -> None:
        """End a document and its texts.

        Raises:
            GateClosed: a monitor stops the run; all texts of the document have ended.
        """
        item, self._taken = done.item, self._taken + 1
        candidate = self._documents.enter(item.seed.head, order=(item.seed.number,))
        if not item.verdict.ok:
            candidate.reject(item.verdict.reason or "rule", item.verdict.score)
            return
        record = candidate.keep()
        stops: list[GateClosed] = []
        for index, (cell, task) in enumerate(zip(item.cells, item.tasks, strict=True)):
            failed = done.error is not None
            written = Written(keep(), {}, done.keys, done.error) if failed else done.result[index]
            text = self._entered(item.seed, record, index, task, written)
            is_kept = self._end(text, task, written, stops)
            self._cells.end(item.seed.topic, cell, is_kept=is_kept)
        if stops:
            raise stops[0]

    def note(self) -> None:
        """What is to be reported of the whole run."""
        self._run.note("cells", self._cells.note())
        self._run.note("monitors", self._watch.note())
        self._run.note("templates", self._options.registry().versions())
        if self._options.audit.share:
            self._run.note("audit", self._audits.note())

    def _entered(
        self, seed: Seed, record: Record, index: int, task: Task, written: Written
    ) -> Candidate:
        return self._texts.enter(
            record_of(self._run, self._options, task, written, seed.head, record.id),
            order=(seed.number, index),
            parents=(record.id,),
            keys=written.keys,
            parent_depth=1,
        )

    def _end(
        self, candidate: Candidate, task: Task, written: Written, stops: list[GateClosed]
    ) -> bool:
        """End one text; whether it is kept. What stops the run joins `stops`."""
        if written.error is not None:
            candidate.fail(written.error)
            return False
        self._audits.add(written.fields.get("audit"))
        verdict = self._against_others(written.text) if written.verdict.ok else written.verdict
        if not verdict.ok:
            candidate.reject(verdict.reason or "rule", verdict.score)
            return False
        alarm = self._watch.add(written.text, task.prompt)
        if isinstance(alarm, GateClosed):
            stops.append(alarm)
        elif alarm is not None:
            candidate.reject(alarm.reason, alarm.share)
            return False
        for each in self._filters:
            each.add(written.text)
        candidate.keep()
        return True

    def _against_others(self, text: str) -> Verdict:
        is_new = self._written.first(text) is None
        return first_drop(self._filters, text) if is_new else drop("duplicate")
