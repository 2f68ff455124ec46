"""Grounded instructions: from the user's documents to training records and an evaluation set.

For each passage the generator writes up to `items` questions or tasks, each with the words of the
passage that its answer rests on. Programs check the quotation, the grounding of the answer, leakage
and dependence; further calls check that the passage answers it. A stable share of the documents is
held out (`split.py`): they go through the same and end in stage `held_out`, from which
`selfsown suites held-out DIR` writes an evaluation suite, and no training record touches them
(`apart.py`, which a merge of runs asks, too).

Differs from published question generation: the answer is checked from the passage by a second call,
as in round-trip consistency (Alberti et al. 2019, arXiv:1906.05416), with agreement judged where
answers are not short spans; the split is by document, not by question.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from selfsown.core.errors import TooFewRecords
from selfsown.core.run import Run
from selfsown.curate.decontaminate import DecontaminationIndex
from selfsown.curate.index_file import named_index
from selfsown.documents.document import Document, document_rows
from selfsown.evaluate.open_suite import open_suites
from selfsown.evaluate.overlap import suite_index
from selfsown.recipes.base import CallBound, Recipe, Rows
from selfsown.recipes.grounded.apart import Across
from selfsown.recipes.grounded.asking import GENERATOR, JUDGE
from selfsown.recipes.grounded.desk import Desk
from selfsown.recipes.grounded.options import Options
from selfsown.recipes.grounded.reader import DOCUMENTS, Reader


async def grounded(run: Run, options: Options) -> None:
    """Ask about every passage; held-out ones first."""
    index = _index(options)
    reader = Reader(run, options.cutting, index)
    desk = Desk(run, options, index, reader.guard)
    tasks = desk.assignments(reader.passages())
    async for done in run.map(tasks, desk.work, in_order=True):
        desk.close(done)
    run.note("documents", dict(sorted(reader.counts.items())))
    run.note("templates", desk.templates_form())
    run.stop("rows")


def _index(options: Options) -> DecontaminationIndex:
    """What nothing may repeat.

    Raises:
        ConfigError: a suite is unknown.
        InputError: a suite or an index cannot be used.
        MissingIndex: an index is not there.
    """
    return suite_index(
        open_suites(options.suites), stores=[named_index(n) for n in options.indexes]
    )


def check(options: Options, roles: Collection[str], rows: Rows) -> None:
    """Refuse what cannot give records.

    Raises:
        InputError: no row is a document, or a suite cannot be used.
        MissingIndex: an index is not there.
    """
    _index(options)
    if not any(isinstance(one, Document) for one in document_rows(rows)):
        raise TooFewRecords(
            "there is no document to ask about",
            why="every file or row that was given is empty or cannot be read",
            fix="selfsown documents check PATH",
        )


def bound(options: Options, passages: int, _seeds: int) -> tuple[CallBound, ...]:
    """Most calls for so many passages."""
    items = passages * options.items
    found = [CallBound("items", GENERATOR, passages * (1 + options.retries), options.max_tokens)]
    checks = options.answerability + (options.closed_book != "never")
    more = 4 * options.max_tokens
    if checks:
        tokens = options.check_max_tokens
        found.append(CallBound("answers", JUDGE, checks * items, tokens, more))
        if options.agreement == "judge":
            found.append(CallBound("comparisons", JUDGE, checks * items, tokens, more))
    return tuple(found)


def calls_per_passage(options: Options) -> float:
    """Calls for one passage that gives all its items, half of which a judge has to compare."""
    checks = options.answerability + (options.closed_book != "never")
    per_item = checks * (1.5 if options.agreement == "judge" else 1.0)
    return 1 + options.items * per_item


RECIPE: Final = Recipe(
    name="grounded",
    version="1",
    summary="Questions and tasks from documents, with evidence, and a held-out evaluation set.",
    source="round-trip consistency (arXiv:1906.05416), by document",
    run=grounded,
    options=Options,
    presets={
        "default": {},
        "questions": {"kinds": ["question"]},
        "tasks": {"kinds": ["task"]},
        "open-book": {"passage": "input"},
    },
    roles={
        GENERATOR: "writes questions and tasks",
        JUDGE: "answers them again and compares; the generator, if not given",
    },
    takes_documents=True,
    row_stage=DOCUMENTS,
    check=check,
    bound=bound,
    units=("passages", "completions"),
    calls_per_unit=calls_per_passage,
    across=Across,
)
