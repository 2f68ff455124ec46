"""Output files that are there as a whole or not at all: temporary name, fsync, rename.

JSONL is written line by line, Parquet in row groups, so memory stays flat in both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final, Protocol

import orjson

from selfsown.core.errors import InputError, MissingExtra
from selfsown.core.request import JSON
from selfsown.core.rundir import whole_file

ROW_GROUP_ROWS: Final = 4096


class RowWriter(Protocol):
    """Takes rows, in order."""

    def write(self, row: Mapping[str, JSON]) -> None:
        """Append one row."""


@contextlib.contextmanager
def open_rows(path: Path) -> Iterator[RowWriter]:
    """A writer of rows to `path`: Parquet where the name ends in `.parquet`, else JSONL.

    Raises:
        MissingExtra: Parquet is wanted and pyarrow is not installed.
        EnvironmentFailure: the file cannot be written.
    """
    if path.suffix == ".parquet":
        with whole_file(path) as file:
            writer = _ParquetRows(file)
            yield writer
            writer.close()
    else:
        with whole_file(path) as file:
            yield _JsonRows(file)


def refuse_overwrite(paths: tuple[Path, ...], *, force: bool) -> None:
    """Stop before anything is written over.

    Raises:
        InputError: one of the files exists and `force` is off.
    """
    for path in paths:
        if path.exists() and not force:
            raise InputError(
                f"`{path}` exists",
                why="an export never replaces a file unless told to",
                fix="choose another name, or add --force",
            )


class _JsonRows:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, row: Mapping[str, JSON]) -> None:
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


class _ParquetRows:
    """Row groups of a Parquet file; the first group fixes the schema."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise MissingExtra(
                "writing Parquet needs the package `pyarrow`, which is not installed",
                why="the file name ends in `.parquet`",
                fix="pip install 'selfsown[parquet]', or choose a name that ends in `.jsonl`",
            ) from error
        self._file = file
        self._table = pyarrow.Table
        self._open = pyarrow.parquet.ParquetWriter
        self._writer: pyarrow.parquet.ParquetWriter | None = None
        self._waiting: list[Mapping[str, JSON]] = []

    def write(self, row: Mapping[str, JSON]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= ROW_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        schema = self._writer.schema if self._writer is not None else None
        table = self._table.from_pylist(self._waiting, schema=schema)
        if self._writer is None:
            self._writer = self._open(self._file, table.schema)
        self._writer.write_table(table)
        self._waiting.clear()
