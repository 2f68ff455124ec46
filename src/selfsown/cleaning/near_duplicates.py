"""A file of rows without those that nearly repeat an earlier one, and what went and why.

Earlier are the rows before it and, where there are such, the rows of files that are clean already:
what is collected in portions is cleaned portion by portion.

Rows are read one by one and written as they are kept; what is in memory is the text of the kept
rows and their index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final, TypeAlias

import orjson

from selfsown.cleaning.semantic import AHEAD, SemanticDuplicates
from selfsown.cleaning.semantic import REASON as SEMANTIC
from selfsown.core.errors import InputError
from selfsown.core.inputs import read_rows
from selfsown.core.request import JSON
from selfsown.core.rundir import whole_file
from selfsown.curate.near_duplicates import REASON, NearDuplicates, Repeat
from selfsown.evaluate.overlap import beginning, copy_provenance, refuse_same_file, row_texts

_LARGEST: Final = 10

_Numbered: TypeAlias = "tuple[int, Mapping[str, JSON], str]"
"""Number, from 1, row, and the text by which it is compared."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A kept row and the rows that went because they repeat it."""

    file: Path
    line: int
    """Number of the kept row in that file, from 1."""
    text: str
    """Its beginning."""
    removed: int


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """What a file without near-duplicates came to; `rows` = `kept` + `removed`."""

    path: Path
    list_path: Path
    """JSONL of the rows that went, each with the number of the row that it repeats."""
    rows: int
    kept: int
    removed: int
    clusters: int
    """Kept rows that others repeat, those of earlier files among them."""
    largest: tuple[Cluster, ...]
    """Up to 10 of them, the most repeated first, then in the order of the files."""
    known: int = 0
    """Rows of earlier files."""


def dedup_file(
    path: Path,
    out: Path,
    near: NearDuplicates,
    *,
    fields: Sequence[str] = (),
    semantic: SemanticDuplicates | None = None,
    against: Sequence[Path] = (),
) -> Deduplicated:
    """Copy the rows of a file, as JSONL, without those that nearly repeat an earlier one.

    Beside `out` come `OUT.removed.jsonl` (number, reason, likeness, number of the row that it
    repeats, the file of that row if it is an earlier one, and the row) and, if the file has one,
    its provenance with the same lines removed.

    Args:
        path: JSONL, JSON or CSV.
        out: file to write.
        near: how rows are compared; empty.
        fields: fields whose text is compared; all text of a row if none are named.
        semantic: asked about rows that repeat no words; empty.
        against: files of rows that are there already; they are not cleaned themselves.

    Raises:
        InputError: a file cannot be read, `out` is one of them, or a row lacks a field.
        EnvironmentFailure: a file cannot be written.
    """
    for each in (path, *against):
        refuse_same_file(each, out)
    list_path = out.with_name(f"{out.name}.removed.jsonl")
    with whole_file(out) as kept, whole_file(list_path) as gone:
        sieve = _Sieve(near, semantic, kept, gone)
        for earlier in against:
            for chunk in _chunks(earlier, fields):
                sieve.know(earlier, chunk)
        known = len(near)
        for chunk in _chunks(path, fields):
            sieve.take(path, chunk)
    copy_provenance(path, out, sieve.removed)
    clusters = sieve.clusters()
    return Deduplicated(
        out,
        list_path,
        rows=len(near) - known + len(sieve.removed),
        kept=len(near) - known,
        removed=len(sieve.removed),
        clusters=len(clusters),
        largest=tuple(clusters[:_LARGEST]),
        known=known,
    )


def _chunks(path: Path, fields: Sequence[str]) -> Iterator[list[_Numbered]]:
    """The rows of a file, some at a time, each with its number and the text it is compared by."""
    rows = enumerate(read_rows(path), 1)
    while chunk := list(islice(rows, AHEAD)):
        yield [
            (number, row, compared_text(row, fields, f"`{path}` row {number}"))
            for number, row in chunk
        ]


def compared_text(row: Mapping[str, JSON], fields: Sequence[str], place: str) -> str:
    """The text by which a row is compared.

    Raises:
        InputError: the row lacks one of the fields.
    """
    for name in fields:
        if name not in row:
            raise InputError(
                f"{place} has no field `{name}`",
                why="rows are compared by the text of the fields that were named",
                fix=f"its fields are {', '.join(f'`{one}`' for one in row)}",
            )
    return "\n".join(row_texts([row[name] for name in fields] if fields else row))


class _Sieve:
    """Writes each row to one of two files."""

    def __init__(
        self,
        near: NearDuplicates,
        semantic: SemanticDuplicates | None,
        kept: IO[bytes],
        gone: IO[bytes],
    ) -> None:
        self.removed: set[int] = set()
        self._near, self._semantic, self._kept, self._gone = near, semantic, kept, gone
        self._places: list[tuple[Path, int]] = []
        self._known = 0
        self._repeated: Counter[int] = Counter()

    def know(self, path: Path, rows: Sequence[_Numbered]) -> None:
        """Rows that are there already, from an earlier file."""
        if self._semantic is not None:
            self._semantic.prefetch([text for _, _, text in rows])
        for number, _, text in rows:
            self._add(path, number, text)
        self._known = len(self._places)

    def take(self, path: Path, rows: Sequence[_Numbered]) -> None:
        """Judge the next rows, one after the other."""
        if self._semantic is not None:
            self._semantic.prefetch([text for _, _, text in rows if not self._near.nearest(text)])
        for number, row, text in rows:
            found, reason = self._near.nearest(text), REASON
            if found is None and self._semantic is not None:
                found, reason = self._semantic.nearest(text), SEMANTIC
            if found is None:
                self._add(path, number, text)
                self._kept.write(orjson.dumps(row) + b"\n")
            else:
                self._remove(number, row, found, reason)

    def _add(self, path: Path, number: int, text: str) -> None:
        self._near.add(text)
        if self._semantic is not None:
            self._semantic.add(text)
        self._places.append((path, number))

    def _remove(self, number: int, row: Mapping[str, JSON], found: Repeat, reason: str) -> None:
        self._repeated[found.number] += 1
        self.removed.add(number)
        file, line = self._places[found.number]
        note = {"line": number, "reason": reason, "score": found.likeness, "repeats": line}
        if found.number < self._known:
            note["repeats_in"] = str(file)
        self._gone.write(orjson.dumps({**note, "row": row}) + b"\n")

    def clusters(self) -> list[Cluster]:
        """Every kept row that others repeat, the most repeated first."""
        found = (
            Cluster(*self._places[number], beginning(self._near.text(number)), count)
            for number, count in sorted(self._repeated.items())
        )
        return sorted(found, key=lambda one: -one.removed)
