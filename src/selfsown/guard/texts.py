"""Rows of text to measure, read from a run directory, a data file, or rows in memory.

One field of the records is measured, the same on both sides. In a run it is looked for in its
earliest stage, so that the raw sample has every candidate, whatever the filters did to it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.inputs import read_rows
from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, mapping, open_run, string
from selfsown.guard.sample import TextRow

Row = Mapping[str, JSON]

FIELDS: Final = ("instruction", "text", "completion", "prompt", "output")
"""Fields that are tried in this order."""
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
    label: str | None = None

    def text_rows(self, rows: Iterable[Row], field: str) -> list[TextRow]:
        """The rows that have the field as text."""
        return [
            TextRow(text, self._label(row))
            for row in rows
            if isinstance(text := row.get(field), str) and text.strip()
        ]

    def field_of(self, rows: Sequence[Row], source: str) -> str:
        """The field to measure.

        Raises:
            InputError: no row has it, or none of the usual ones.
        """
        for name in (self.field,) if self.field else FIELDS:
            if any(isinstance(row.get(name), str) for row in rows):
                return name
        looked = self.field or "`, `".join(FIELDS)
        raise InputError(
            f"no row of `{source}` has text in `{looked}`",
            why="the guard compares one text field of your rows with the same field of the others",
            fix="name the field that both have with `--field NAME`",
        )

    def settled(self, reference: Sequence[Row]) -> Reading:
        """The same with the label that most rows of the reference have, unless one is named."""
        if self.label is not None:
            return self
        for name in LABELS:
            if 2 * sum(_value(row, name) != "" for row in reference) > len(reference):
                return Reading(self.field, name)
        return Reading(self.field, "")

    def _label(self, row: Row) -> str:
        return _value(row, self.label) if self.label else ""


def read_reference(
    reference: Path | Sequence[Row], reading: Reading
) -> tuple[Reading, list[TextRow]]:
    """The human reference, and the reading with the fields that it has.

    Raises:
        InputError: the file is missing or malformed, or has no text field.
    """
    path = reference if isinstance(reference, Path) else None
    rows = list(read_rows(path)) if path else list(reference)  # type: ignore[arg-type]
    field = reading.field_of(rows, str(path or "reference"))
    settled = Reading(field, reading.label).settled(rows)
    return settled, settled.text_rows(rows, field)


def read_run(run_dir: Path, reading: Reading) -> RunTexts:
    """The texts of a run directory, raw and curated; of a data file, the same rows as both.

    Raises:
        InputError: it is neither, or has no text in the field.
    """
    field = reading.field or FIELDS[0]
    if run_dir.is_file():
        rows = list(read_rows(run_dir))
        texts = reading.text_rows(rows, field)
        if not texts:
            reading.field_of(rows, str(run_dir))
        return RunTexts(field, texts, (), texts)
    run = open_run(run_dir)
    kept, rejected = _candidates(run, field)
    curated = reading.text_rows(_once(run.rows("accepted"), field), field)
    if not kept and not rejected:
        kept = list(run.rows("accepted"))
    passed, dropped = (reading.text_rows(side, field) for side in (kept, rejected))
    found = RunTexts(field, passed, dropped, curated)
    if not found.raw:
        raise InputError(
            f"no candidate of `{run_dir}` has text in `{field}`",
            why="the reference has this field, and the guard compares like with like",
            fix="name the field that both have with `--field NAME`, or let the run produce rows",
        )
    return found


def _candidates(run: RunFiles, field: str) -> tuple[list[Row], list[Row]]:
    """Kept and rejected payloads of the earliest stage whose records have the field."""
    kept: dict[str, list[Row]] = {}
    for row in run.rows("provenance"):
        if isinstance(mapping(row.get("record")).get(field), str):
            kept.setdefault(string(row.get("stage")), []).append(mapping(row["record"]))
    rejected: dict[str, list[Row]] = {}
    for row in run.rows("rejected"):
        if isinstance(mapping(row.get("record")).get(field), str):
            rejected.setdefault(string(row.get("stage")), []).append(mapping(row["record"]))
    order = [string(mapping(stage).get("stage")) for stage in _stages(run)]
    stages = [name for name in order if name in kept] or sorted(rejected)
    if not kept and rejected:  # one stage only: what it kept is the data
        return list(run.rows("accepted")), rejected[stages[0]]
    return (kept[stages[0]], rejected.get(stages[0], [])) if stages else ([], [])


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
