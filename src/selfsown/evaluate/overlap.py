"""Training data against evaluation suites: an index of suites, and what of a file repeats them.

A file is any training export: JSONL with `messages`, `prompt` and `completion`, Alpaca, ShareGPT or
`text` lines. All text of a line is compared, whatever its fields are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import write_lines
from selfsown.curate.decontaminate import (
    NGRAM,
    DecontaminationIndex,
    Item,
    Overlap,
    normal_tokens,
)
from selfsown.evaluate.lines import Row, read_objects
from selfsown.evaluate.suite import Suite

_LISTED: Final = 10
_NOT_TEXT: Final = frozenset({"id", "role", "from", "record_id"})
"""Fields that hold no text of the record."""

_PROVENANCE: Final = ".provenance.jsonl"


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """A line of a training file that repeats evaluation items."""

    line: int
    """Number of the row, from 1; in a file without blank lines, of the line."""
    text: str
    """Its beginning."""
    overlaps: tuple[Overlap, ...]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a decontaminated copy came to."""

    path: Path
    kept: int
    removed: tuple[TrainingOverlap, ...]
    list_path: Path
    """JSONL of what was removed and why."""


def suite_index(suites: Iterable[Suite], *, ngram: int = NGRAM) -> DecontaminationIndex:
    """The index of all instances of all suites.

    An instance is protected as a question (instruction with input), and by its input and its
    references alone where they are at least `ngram` words long.

    Raises:
        MissingIndex: a suite put nothing into the index.
    """
    index = DecontaminationIndex(ngram=ngram)
    names: list[str] = []
    for suite in suites:
        names.append(suite.name)
        for one in suite.instances:
            question = f"{one.instruction}\n{one.input}" if one.instruction else one.prompt
            index.add(Item(suite.name, one.id, "question", question))
            alone = [("input", one.input), *(("reference", text) for text in one.references)]
            for part, text in alone:
                if len(normal_tokens(text)) >= ngram:
                    index.add(Item(suite.name, one.id, part, text))
    index.require(names)
    return index


def row_overlaps(row: Mapping[str, JSON], index: DecontaminationIndex) -> list[Overlap]:
    """Every evaluation item that one training row repeats."""
    fields = list(row_texts(row))
    pair = [row.get("instruction"), row.get("input")]
    if all(isinstance(one, str) for one in pair):
        fields.append("\n".join(str(one) for one in pair))
    return index.overlaps("\n".join(row_texts(row)), fields)


def row_texts(value: JSON) -> Iterator[str]:
    """All texts of a training row, at any depth, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if name not in _NOT_TEXT:
                yield from row_texts(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from row_texts(one)


def without_overlap(
    rows: Iterable[Mapping[str, JSON]], index: DecontaminationIndex
) -> tuple[list[Mapping[str, JSON]], list[TrainingOverlap]]:
    """Training rows that repeat no evaluation item, and what was taken out, with row numbers."""
    kept: list[Mapping[str, JSON]] = []
    removed: list[TrainingOverlap] = []
    for number, row in enumerate(rows, 1):
        found = row_overlaps(row, index)
        if found:
            removed.append(_described(number, row, found))
        else:
            kept.append(row)
    return kept, removed


def file_overlaps(path: Path, index: DecontaminationIndex) -> Iterator[TrainingOverlap]:
    """The lines of a training file that repeat evaluation items, in order.

    Raises:
        InputError: the file is no JSONL of objects.
    """
    for number, row in _training_rows(path):
        found = row_overlaps(row, index)
        if found:
            yield _described(number, row, found)


def refuse_overlap(paths: Iterable[Path], index: DecontaminationIndex) -> None:
    """Make sure that no training file repeats an evaluation item.

    Raises:
        CheckFailed: at least one does; lists the first lines.
        InputError: a file cannot be read.
    """
    for path in paths:
        found = list(file_overlaps(path, index))
        if found:
            raise CheckFailed(
                f"`{path}` overlaps with the evaluation in {len(found)} lines: "
                + "; ".join(_words(one) for one in found[:_LISTED])
                + (f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""),
                why="a model that saw the questions is measured by its memory",
                fix="train on what `selfsown suites overlap FILE --suite SUITE -o CLEAN` writes, "
                "or evaluate with another suite",
            )


def clean_file(path: Path, out: Path, index: DecontaminationIndex) -> Cleaned:
    """Copy a training file without the lines that repeat evaluation items.

    Beside `out` come `OUT.overlaps.jsonl` (what was removed and why) and, if the file has one, its
    provenance with the same lines removed.

    Raises:
        InputError: the file cannot be read, or nothing would be left.
    """
    kept, removed = without_overlap((row for _, row in _training_rows(path)), index)
    if not kept:
        raise InputError(
            f"nothing of `{path}` is left without what evaluation suites hold",
            why=f"all {len(removed)} lines repeat evaluation items",
            fix="check that training and evaluation data were not exchanged",
        )
    gone = {one.line for one in removed}
    provenance = path.with_name(path.name + _PROVENANCE)
    if provenance.exists():
        write_lines(out.with_name(out.name + _PROVENANCE), _renumbered(provenance, gone))
    list_path = out.with_name(f"{out.name}.overlaps.jsonl")
    write_lines(list_path, (orjson.dumps(asdict(one)) for one in removed))
    write_lines(out, map(orjson.dumps, kept))
    return Cleaned(out, len(kept), tuple(removed), list_path)


def _training_rows(path: Path) -> Iterator[tuple[int, Row]]:
    if path.suffix == ".parquet":
        raise InputError(
            f"`{path}` is Parquet",
            why="overlap is looked for in JSONL, the form that every export has",
            fix="export the same run to a name that ends in .jsonl",
        )
    yield from read_objects(path, "training file")


def _renumbered(path: Path, gone: set[int]) -> Iterator[bytes]:
    """The lines of a provenance file whose records stay, with their new numbers."""
    number = 0
    for _, row in read_objects(path, "provenance file"):
        if row.get("line") not in gone:
            number += 1
            yield orjson.dumps({**row, "line": number})


def _described(number: int, row: Mapping[str, JSON], found: list[Overlap]) -> TrainingOverlap:
    text = re.sub(r"\s+", " ", " ".join(row_texts(row))).strip()
    return TrainingOverlap(number, text[:200], tuple(found))


def _words(one: TrainingOverlap) -> str:
    first = one.overlaps[0]
    more = f" and {len(one.overlaps) - 1} more" if len(one.overlaps) > 1 else ""
    return (
        f"line {one.line} ({first.how}, {first.ratio:.0%}) `{first.benchmark}` {first.part} of "
        f"`{first.item}`{more}"
    )
