"""Input rows: read from JSONL, JSON or CSV, or given, and copied into the run directory.

The copy is what a run works on, so that a resume or a replay cannot see other rows than the start.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.core.request import JSON, canonical_json, clean_json
from selfsown.core.rundir import INPUTS, FileFacts, read_lines, translated_os_errors, write_lines
from selfsown.core.stages import data_line

Row = Mapping[str, JSON]


def copy_rows(rows: Iterable[Row], directory: Path, name: str = "rows.jsonl") -> FileFacts:
    """Write rows as JSONL under `inputs/` of a run directory, to be adopted, and say what they are.

    Raises:
        InputError: a row is not a mapping of JSON values (with its number).
    """
    (directory / INPUTS).mkdir(exist_ok=True)
    lines = (row_line(i, row) for i, row in enumerate(rows))
    return write_lines(_incoming(directory, name), lines)


def row_line(index: int, row: Row) -> bytes:
    """One row as it is stored: a line of JSON, without its newline.

    Raises:
        InputError: it is not a mapping of JSON values; names `index`.
    """
    try:
        return data_line(_checked(dict(row)))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"row {index} cannot be stored: {error}",
            why="rows are mappings of JSON values: text, numbers, lists, mappings",
            fix="convert other values (dates, arrays, NaN) to text or numbers first",
        ) from error


def adopt_rows(directory: Path, name: str = "rows.jsonl") -> None:
    """Make copied rows the ones that the directory works on.

    Apart from the copying, so that a start that is refused leaves the directory as it was.
    """
    with translated_os_errors(directory / INPUTS / name):
        _incoming(directory, name).replace(directory / INPUTS / name)


def stored_rows(
    directory: Path, name: str = "rows.jsonl", *, adopted: bool = True
) -> Callable[[], Iterator[Row]]:
    """A function that reads the copied rows anew, lazily.

    Args:
        directory: of the run.
        name: of the copy.
        adopted: those that the directory works on; else those that are to be adopted.
    """

    def read() -> Iterator[Row]:
        path = directory / INPUTS / name if adopted else _incoming(directory, name)
        for value in read_lines(path):
            assert isinstance(value, dict)
            yield value

    return read


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a JSONL, JSON (a list of objects) or CSV file (with a header line), lazily.

    Raises:
        InputError: missing, unreadable or malformed, with the line number.
    """
    if not path.exists() or path.is_dir():
        raise InputError(
            f"row file `{path}` {'is a folder' if path.is_dir() else 'does not exist'}",
            why="rows are read from it",
            fix="give a JSONL, JSON or CSV file",
        )
    reader = {".csv": _read_csv, ".json": _read_json}.get(path.suffix.lower(), _read_jsonl)
    try:
        count = 0
        for row in reader(path):
            count += 1
            yield row
    except UnicodeDecodeError as error:
        raise InputError(
            f"row file `{path}` is not UTF-8 (byte {error.start})",
            why="text is read as UTF-8",
            fix=f"iconv -f latin1 -t utf-8 {path} > rows.jsonl  (if it is Latin-1)",
        ) from error
    except OSError as error:
        raise InputError(
            f"row file `{path}` cannot be read: {error.strerror or error}",
            why="rows are read from it",
            fix="make it readable",
        ) from error
    if count == 0:
        raise InputError(
            f"row file `{path}` has no rows",
            why="each row becomes one record",
            fix="give a file with at least one row",
        )


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                raise _malformed(path, number, str(error)) from error
            yield _object(value, path, number)


def _read_json(path: Path) -> Iterator[Row]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise _malformed(path, getattr(error, "lineno", 1), str(error)) from error
    if not isinstance(values, list):
        raise _malformed(path, 1, "the file holds no list")
    for number, value in enumerate(values, 1):
        yield _object(value, path, number)


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise _malformed(path, reader.line_num, "other number of cells than the header")
                yield {str(name): value for name, value in row.items()}
        except csv.Error as error:
            raise _malformed(path, reader.reader.line_num, str(error)) from error


def _object(value: object, path: Path, number: int) -> Row:
    if not isinstance(value, dict):
        raise _malformed(path, number, f"a row is an object, this is {type(value).__name__}")
    return value


def _malformed(path: Path, number: int, what: str) -> InputError:
    return InputError(
        f"row file `{path}` line {number}: {what}",
        why="a row that cannot be read would be missing in silence",
        fix="correct or remove that line",
    )


def _incoming(directory: Path, name: str) -> Path:
    return directory / INPUTS / f".{name}.incoming"


def _checked(row: JSON) -> dict[str, JSON]:
    """The row with clean text; ValueError for numbers that JSON cannot carry."""
    canonical_json(row)
    cleaned = clean_json(row)
    assert isinstance(cleaned, dict)
    return cleaned
