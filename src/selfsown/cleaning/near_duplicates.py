"""A file of rows without those that nearly repeat an earlier one, and what went and why.

Rows are read one by one and written as they are kept; what is in memory is the text of the kept
rows and their index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

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


@dataclass(frozen=True, slots=True)
class Cluster:
    """A kept row and the rows that went because they repeat it."""

    line: int
    """Number of the kept row, from 1."""
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
    """Kept rows that others repeat."""
    largest: tuple[Cluster, ...]
    """Up to 10 of them, the most repeated first, then in the order of the file."""


def dedup_file(
    path: Path,
    out: Path,
    near: NearDuplicates,
    *,
    fields: Sequence[str] = (),
    semantic: SemanticDuplicates | None = None,
) -> Deduplicated:
    """Copy the rows of a file, as JSONL, without those that nearly repeat an earlier one.

    Beside `out` come `OUT.removed.jsonl` (number, reason, likeness, number of the row that it
    repeats, and the row) and, if the file has one, its provenance with the same lines removed.

    Args:
        path: JSONL, JSON or CSV.
        out: file to write.
        near: how rows are compared; empty.
        fields: fields whose text is compared; all text of a row if none are named.
        semantic: asked about rows that repeat no words; empty.

    Raises:
        InputError: the file cannot be read, `out` is that file, or a row lacks a field.
        EnvironmentFailure: a file cannot be written.
    """
    refuse_same_file(path, out)
    list_path = out.with_name(f"{out.name}.removed.jsonl")
    with whole_file(out) as kept, whole_file(list_path) as gone:
        sieve = _Sieve(near, semantic, kept, gone)
        rows = enumerate(read_rows(path), 1)
        while chunk := list(islice(rows, AHEAD)):
            sieve.take(
                [
                    (number, row, compared_text(row, fields, f"`{path}` row {number}"))
                    for number, row in chunk
                ]
            )
    copy_provenance(path, out, sieve.removed)
    clusters = sieve.clusters()
    return Deduplicated(
        out,
        list_path,
        rows=len(near) + len(sieve.removed),
        kept=len(near),
        removed=len(sieve.removed),
        clusters=len(clusters),
        largest=tuple(clusters[:_LARGEST]),
    )


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
        self._lines: list[int] = []
        self._repeated: Counter[int] = Counter()

    def take(self, rows: Sequence[tuple[int, Mapping[str, JSON], str]]) -> None:
        """Judge the next rows (number, row, text), one after the other."""
        if self._semantic is not None:
            self._semantic.prefetch([text for _, _, text in rows if not self._near.nearest(text)])
        for number, row, text in rows:
            found, reason = self._near.nearest(text), REASON
            if found is None and self._semantic is not None:
                found, reason = self._semantic.nearest(text), SEMANTIC
            if found is None:
                self._keep(number, row, text)
            else:
                self._remove(number, row, found, reason)

    def _keep(self, number: int, row: Mapping[str, JSON], text: str) -> None:
        self._near.add(text)
        if self._semantic is not None:
            self._semantic.add(text)
        self._lines.append(number)
        self._kept.write(orjson.dumps(row) + b"\n")

    def _remove(self, number: int, row: Mapping[str, JSON], found: Repeat, reason: str) -> None:
        self._repeated[found.number] += 1
        self.removed.add(number)
        line = self._lines[found.number]
        note = {"line": number, "reason": reason, "score": found.likeness, "repeats": line}
        self._gone.write(orjson.dumps({**note, "row": row}) + b"\n")

    def clusters(self) -> list[Cluster]:
        """Every kept row that others repeat, the most repeated first."""
        found = (
            Cluster(self._lines[number], beginning(self._near.text(number)), count)
            for number, count in self._repeated.items()
        )
        return sorted(found, key=lambda one: (-one.removed, one.line))
