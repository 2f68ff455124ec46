"""Rows of text to measure, read from a run directory, a data file, or rows in memory.

One field of the records is measured, the same on both sides where both have it. In a run it is
looked for in its earliest stage, so that the raw sample has every candidate, whatever the filters
did to it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.inputs import read_rows
from selfsown.core.request import JSON
from selfsown.core.rundir import INPUTS
from selfsown.export.example import is_text
from selfsown.export.run_files import RunFiles, mapping, open_run, read_jsonl, string
from selfsown.guard.sample import TextRow

Row = Mapping[str, JSON]

FIELDS: Final = ("instruction", "text", "completion", "prompt", "output")
"""Fields that are tried in this order."""
LOOKED_AT: Final = 200
"""Records that are looked at to find out which fields there are."""
LABELS: Final = ("label", "category", "family", "language", "is_classification")


@dataclass(frozen=True, slots=True)
class RunTexts:
    """What a run produced."""

    field: str
    kept: Sequence[TextRow]
    """Candidates that passed the earliest stage that has the field."""
    rejected: Sequence[TextRow]
    """Those that it rejected."""
    curated: Sequence[TextRow]
    """Accepted texts; instances of one task, which follow each other, count once."""

    @property
    def raw(self) -> list[TextRow]:
        """Every candidate, duplicates included."""
        return [*self.kept, *self.rejected]


@dataclass(frozen=True, slots=True)
class Reading:
    """Which fields to read; None looks for the usual ones, an empty label for none."""

    field: str | None = None
    """Of the run; never one of its input rows, which no model wrote, unless it is named."""
    reference_field: str | None = None
    """Of the human rows; the run's, where they have it."""
    label: str | None = None
    """On both sides: the first that most of the human rows have."""

    def text_rows(self, rows: Iterable[Row], field: str) -> list[TextRow]:
        """The rows that have the field as text."""
        label = self.label or ""
        return [
            TextRow(text, _value(row, label) if label else "")
            for row in rows
            if isinstance(text := row.get(field), str) and text.strip()
        ]


def settle(run_dir: Path, human: Sequence[Row], reading: Reading) -> Reading:
    """The reading with every field named: one that both sides have, if there is one.

    Raises:
        InputError: a side has no row with text in the field, or in any of the usual ones.
    """
    written = _fields_of(_written(run_dir, reading.field), reading.field)
    theirs = _fields_of(human, reading.reference_field or reading.field)
    if not theirs and reading.field and not reading.reference_field:
        theirs = _fields_of(human, None)
    for side, names in ((str(run_dir), written), ("reference", theirs)):
        if not names:
            raise _no_text(side, reading.field)
    field = next((name for name in written if name in theirs), written[0])
    label = reading.label
    if label is None:
        label = next((name for name in LABELS if _is_common(name, human)), "")
    return Reading(field, field if field in theirs else theirs[0], label)


def read_reference(reference: Path | Sequence[Row]) -> list[Row]:
    """The rows of a human reference.

    Raises:
        InputError: the file is missing or malformed.
    """
    return list(read_rows(reference)) if isinstance(reference, Path) else list(reference)


def field_of(rows: Sequence[Row], field: str) -> str:
    """The field, if a row has it as text, else the first usual one; the field if there is none."""
    names = _fields_of(rows, field) or _fields_of(rows, None)
    return names[0] if names else field


def read_run(run_dir: Path, reading: Reading) -> RunTexts:
    """The texts of a run directory, raw and curated; of a data file, the same rows as both.

    Args:
        run_dir: a run directory or data file.
        reading: with its field named.

    Raises:
        InputError: it is neither, or has no text in the field.
    """
    field = reading.field or FIELDS[0]
    if run_dir.is_file():
        texts = reading.text_rows(read_rows(run_dir), field)
        return RunTexts(field, texts, (), texts)
    run = open_run(run_dir)
    kept, rejected = _candidates(run, field)
    accepted = run.rows("accepted")
    # Instances of a task repeat its instruction; equal answers to different rows do not.
    is_earlier_stage = bool(kept)
    curated = reading.text_rows(_once(accepted, field) if is_earlier_stage else accepted, field)
    passed, dropped = (reading.text_rows(side, field) for side in (kept, rejected))
    found = RunTexts(field, passed if is_earlier_stage else curated, dropped, curated)
    if not found.raw:
        raise _no_text(str(run_dir), field)
    return found


def _written(run_dir: Path, wanted: str | None) -> list[Row]:
    """Some records of a run, without the fields of its input rows that are not asked for."""
    if run_dir.is_file():
        return list(islice(read_rows(run_dir), LOOKED_AT))
    run = open_run(run_dir)
    given: set[str] = set()
    for row in islice(read_jsonl(run_dir / INPUTS / "rows.jsonl"), LOOKED_AT):
        given |= row.keys() - {wanted}
    accepted = list(islice(run.rows("accepted"), LOOKED_AT))
    if any(map(is_text, accepted)):
        given.discard("text")  # the model's own, also where documents have one
    records = [
        *accepted,
        *(mapping(row.get("record")) for row in islice(run.rows("provenance"), LOOKED_AT)),
        *(mapping(row.get("record")) for row in islice(run.rows("rejected"), LOOKED_AT)),
    ]
    return [{name: row[name] for name in row.keys() - given} for row in records]


def _fields_of(rows: Sequence[Row], wanted: str | None) -> list[str]:
    names = (wanted,) if wanted else FIELDS
    return [name for name in names if any(isinstance(row.get(name), str) for row in rows)]


def _is_common(name: str, rows: Sequence[Row]) -> bool:
    return 2 * sum(_value(row, name) != "" for row in rows) > len(rows)


def _no_text(source: str, field: str | None) -> InputError:
    looked = field or "`, `".join(FIELDS)
    return InputError(
        f"no row of `{source}` has text in `{looked}`",
        why="the guard compares a text that the model wrote with texts that people wrote",
        fix="name the fields with `--field NAME` and `--reference-field NAME`",
    )


def _candidates(run: RunFiles, field: str) -> tuple[list[Row], list[Row]]:
    """Kept and rejected payloads of the earliest stage whose records have the field.

    None are kept where that stage is the one whose kept records are the data. Stages in which a
    model wrote nothing, such as those of documents and their chunks, are passed over.
    """
    kept: dict[str, list[Row]] = {}
    rejected: dict[str, list[Row]] = {}
    written: set[str] = set()
    for rows, stages in ((run.rows("provenance"), kept), (run.rows("rejected"), rejected)):
        for row in rows:
            stage, record = string(row.get("stage")), mapping(row.get("record"))
            if stages is kept:
                if row.get("origin") == "human":
                    continue
                written.add(stage)
            if stage in written and isinstance(record.get(field), str):
                stages.setdefault(stage, []).append(record)
    order = [string(mapping(stage).get("stage")) for stage in _stages(run)]
    first = next((stage for stage in order if stage in kept or stage in rejected), "")
    return kept.get(first, []), rejected.get(first, [])


def _stages(run: RunFiles) -> Sequence[JSON]:
    stages = run.data.get("stages")
    return stages if isinstance(stages, list) else ()


def _value(row: Row, name: str) -> str:
    value = row.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, (str, int)) else ""


def _once(rows: Iterable[Row], field: str) -> Iterator[Row]:
    previous: JSON = None
    for row in rows:
        if row.get(field) != previous:
            yield row
        previous = row.get(field)
