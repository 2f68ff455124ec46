"""Training data against evaluation suites: an index of suites, and what of a file repeats them.

A file is any training export: JSONL with `messages`, `prompt` and `completion`, Alpaca, ShareGPT or
`text` lines; or rows and seeds as runs read them (also JSON, CSV and lines of text). All text of a
row is compared, whatever its fields are called.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.inputs import read_rows
from selfsown.core.request import JSON
from selfsown.core.rundir import whole_file, write_lines
from selfsown.curate.decontaminate import (
    NGRAM,
    DecontaminationIndex,
    Item,
    Overlap,
    normal_tokens,
)
from selfsown.curate.item_store import Store
from selfsown.evaluate.lines import Row, read_objects, text_lines
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


def suite_index(
    suites: Iterable[Suite], *, ngram: int = NGRAM, stores: Sequence[Store] = ()
) -> DecontaminationIndex:
    """The index of all instances of all suites, beside what other stores hold.

    An instance is protected as a question (instruction with input; where only the whole counts,
    also with the word `input` between, as most prompts have it), and by its input and its
    references alone where they are at least `ngram` words long.

    Raises:
        MissingIndex: a suite put nothing into the index.
    """
    index = DecontaminationIndex(ngram=ngram, stores=stores)
    names: list[str] = []
    for suite in suites:
        names.append(suite.name)
        for one in suite.instances:
            is_whole = suite.overlap == "whole"
            question = f"{one.instruction}\n{one.input}" if one.instruction else one.prompt
            index.add(Item(suite.name, one.id, "question", question, is_whole))
            if one.input and (is_whole or len(normal_tokens(question)) < ngram):
                prompt = f"{one.instruction}\nInput: {one.input}"
                index.add(Item(suite.name, one.id, "question", prompt, is_whole))
            alone = [("input", one.input), *(("reference", text) for text in one.references)]
            for part, text in alone:
                if len(normal_tokens(text)) >= ngram:
                    index.add(Item(suite.name, one.id, part, text, is_whole))
    index.require(names)
    return index


def row_overlaps(row: Mapping[str, JSON], index: DecontaminationIndex) -> list[Overlap]:
    """Every evaluation item that one training row repeats.

    A seed task with several `instances` is as many rows.
    """
    found: dict[tuple[str, str, str], Overlap] = {}
    for one in _rows_of(row):
        for overlap in _overlaps(one, index):
            known = found.setdefault((overlap.benchmark, overlap.item, overlap.part), overlap)
            if overlap.ratio > known.ratio:
                found[overlap.benchmark, overlap.item, overlap.part] = overlap
    return sorted(found.values(), key=lambda one: -one.ratio)


def _rows_of(row: Mapping[str, JSON]) -> Iterator[Mapping[str, JSON]]:
    """The row itself, or one row per instance of a task."""
    instances = row.get("instances")
    if not isinstance(instances, list) or not all(isinstance(one, dict) for one in instances):
        yield row
        return
    task = {name: value for name, value in row.items() if name != "instances"}
    for one in instances or [{}]:
        assert isinstance(one, dict)
        yield {**task, **one}


def _overlaps(row: Mapping[str, JSON], index: DecontaminationIndex) -> list[Overlap]:
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


def beginning(text: str) -> str:
    """The first 200 characters of a text on one line, for lists of what was removed."""
    return re.sub(r"\s+", " ", text).strip()[:200]


def overlaps_path(out: Path) -> Path:
    """Where it is listed what was left out of a training file."""
    return out.with_name(f"{out.name}.overlaps.jsonl")


class Sieve:
    """Lets training rows through that repeat no evaluation item, and remembers the others."""

    def __init__(self, index: DecontaminationIndex) -> None:
        self.removed: list[TrainingOverlap] = []
        """What did not pass, with its number among the rows that were asked about, from 1."""
        self._index, self._count = index, 0

    def admits(self, row: Mapping[str, JSON]) -> bool:
        """Whether the next row may be trained on."""
        self._count += 1
        found = row_overlaps(row, self._index)
        if found:
            self.removed.append(_described(self._count, row, found))
        return not found

    def write_removed(self, out: Path) -> Path:
        """Write what did not pass and why beside the file `out`; returns the path."""
        path = overlaps_path(out)
        write_lines(path, (orjson.dumps(asdict(one)) for one in self.removed))
        return path


def file_overlaps(path: Path, index: DecontaminationIndex) -> Iterator[TrainingOverlap]:
    """The lines of a training file that repeat evaluation items, in order.

    Raises:
        InputError: the file is no JSONL of objects.
    """
    for number, row in _training_rows(path):
        found = row_overlaps(row, index)
        if found:
            yield _described(number, row, found)


def overlap_error(place: str, found: Sequence[TrainingOverlap], *, unit: str) -> CheckFailed:
    """The error for training data that repeat evaluation items.

    Args:
        place: what was trained on.
        found: at least one.
        unit: what `TrainingOverlap.line` counts, in the singular.
    """
    shown = "; ".join(f"{unit} {_words(one)}" for one in found[:_LISTED])
    more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return CheckFailed(
        f"`{place}` overlaps with the evaluation in {len(found)} {unit}s: {shown}{more}",
        why="a model that saw the questions is measured by its memory",
        fix="train again with `selfsown train … --suite SUITE`, which leaves them out; or evaluate"
        " with another suite, or with --allow-overlap, which the results then say",
    )


def clean_file(path: Path, out: Path, index: DecontaminationIndex) -> Cleaned:
    """Copy a training file without the lines that repeat evaluation items.

    Beside `out` come `OUT.overlaps.jsonl` (what was removed and why) and, if the file has one, its
    provenance with the same lines removed.

    Raises:
        InputError: the file cannot be read, `out` is that file, or nothing would be left.
        EnvironmentFailure: a file cannot be written.
    """
    refuse_same_file(path, out)
    sieve, kept = Sieve(index), 0
    with whole_file(out) as file:
        for _, row in _training_rows(path):
            if sieve.admits(row):
                file.write(orjson.dumps(row) + b"\n")
                kept += 1
        if not kept:
            raise InputError(
                f"nothing of `{path}` is left without what evaluation suites hold",
                why="every row repeats evaluation items",
                fix="check that training and evaluation data were not exchanged",
            )
        copy_provenance(path, out, {one.line for one in sieve.removed})
        list_path = sieve.write_removed(out)
    return Cleaned(out, kept, tuple(sieve.removed), list_path)


def refuse_same_file(path: Path, out: Path) -> None:
    """Make sure that a cleaned copy is not written over what it is a copy of.

    Raises:
        InputError: it would be.
    """
    if out.exists() and path.exists() and out.samefile(path):
        raise InputError(
            f"`{out}` is the file being read",
            why="the rows that go would be gone from the only file that has them",
            fix="write to another file, for example `-o clean.jsonl`",
        )


def copy_provenance(path: Path, out: Path, gone: Container[int]) -> None:
    """Give `out` the provenance that lies beside `path`, if any does, without the rows `gone`.

    Args:
        path: the file that `out` is a copy of.
        out: has the rows of `path` that are not in `gone`, in their order.
        gone: numbers of rows, from 1.
    """
    provenance = path.with_name(path.name + _PROVENANCE)
    if provenance.exists():
        write_lines(out.with_name(out.name + _PROVENANCE), _renumbered(provenance, gone))


def _training_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a file with their numbers.

    Raises:
        InputError: the file cannot be read, or has none, so that nothing would be compared.
    """
    rows = _read_training_rows(path)
    first = next(rows, None)
    if first is None:
        raise InputError(
            f"`{path}` has no rows",
            why="nothing would be compared, and that would count as clean",
            fix="give a file with at least one row",
        )
    yield first
    yield from rows


def _read_training_rows(path: Path) -> Iterator[tuple[int, Row]]:
    if path.suffix == ".parquet":
        raise InputError(
            f"`{path}` is Parquet",
            why="overlap is looked for in JSONL, the form that every export has",
            fix="export the same run to a name that ends in .jsonl",
        )
    if path.suffix == ".txt":
        for number, line in enumerate(text_lines(path), 1):
            yield number, {"text": line}
    elif path.suffix in (".json", ".csv"):
        yield from enumerate(map(dict, read_rows(path)), 1)
    else:
        yield from read_objects(path, "training file")


def _renumbered(path: Path, gone: Container[int]) -> Iterator[bytes]:
    """The lines of a provenance file whose records stay, with their new numbers."""
    number = 0
    for _, row in read_objects(path, "provenance file"):
        if row.get("line") not in gone:
            number += 1
            yield orjson.dumps({**row, "line": number})


def _described(number: int, row: Mapping[str, JSON], found: list[Overlap]) -> TrainingOverlap:
    return TrainingOverlap(number, beginning(" ".join(row_texts(row))), tuple(found))


def _words(one: TrainingOverlap) -> str:
    first = one.overlaps[0]
    more = f" and {len(one.overlaps) - 1} more" if len(one.overlaps) > 1 else ""
    return (
        f"{one.line} ({first.how}, {first.ratio:.0%}) `{first.benchmark}` {first.part} of "
        f"`{first.item}`{more}"
    )
