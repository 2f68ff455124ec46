"""Rows of a file, each with the provenance that an export or a mixture wrote beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.export import provenance_path
from selfsown.export.run_files import integer, read_jsonl

RowT = TypeVar("RowT", bound=Mapping[str, JSON])


def with_provenance(
    path: Path, rows: Iterable[RowT]
) -> Iterator[tuple[int, RowT, Mapping[str, JSON]]]:
    """Every row with its number, from 1, and its provenance; an empty one if there is no such file.

    Args:
        path: of the rows.
        rows: all of them, in order.

    Raises:
        InputError: the file has other rows than those its provenance was written with.
    """
    beside = provenance_path(path)
    if not beside.is_file():
        for number, row in enumerate(rows, start=1):
            yield number, row, {}
        return
    lines, number = read_jsonl(beside), 0
    for number, row in enumerate(rows, start=1):
        told = next(lines, {})
        if integer(told.get("line")) != number:
            raise _changed(f"`{path}` row {number}: `{beside.name}` has no such line", beside)
        yield number, row, told
    if next(lines, None) is not None:
        raise _changed(f"`{path}` ends after row {number}, and `{beside.name}` does not", beside)


def _changed(what: str, beside: Path) -> InputError:
    return InputError(
        what,
        why="provenance is joined line by line, so the file was changed after it was written",
        fix=f"write the file again, or move `{beside.name}` away and declare who wrote the rows",
    )
