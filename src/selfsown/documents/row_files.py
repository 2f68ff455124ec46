"""Rows of JSONL, JSON, CSV and Parquet files, one at a time; each with its place in the file.

A row that cannot be read is refused alone.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from selfsown.core.errors import MissingExtra
from selfsown.documents.decoding import decoded, encoding_of, marked
from selfsown.documents.opening import opened, too_large, translated, whole
from selfsown.documents.options import ReadOptions
from selfsown.documents.refusal import Refused

Row = Mapping[str, object]
Place = tuple[str, Row | Refused]
"""Where in the file (`12` is a line or row, from 1), and what is there."""
_BATCH_ROWS: Final = 64


def jsonl_rows(path: Path, options: ReadOptions) -> Iterator[Place]:
    """A JSON object per line, in UTF-8 (or UTF-16 with its mark); blank lines are none."""
    with opened(path, options.max_bytes) as handle, closing(_as_utf8(handle)) as utf8:
        for number, line in enumerate(_lines(utf8, options.max_bytes), 1):
            if isinstance(line, Refused):
                yield str(number), line
            elif line.strip():
                yield str(number), _parsed_line(line)


def json_rows(path: Path, options: ReadOptions) -> Iterator[Place]:
    """One object, or a list of objects."""
    text, guess = decoded(whole(path, options.max_bytes))
    value = _loaded(text)
    values = value if isinstance(value, list) else [value]
    for number, one in enumerate(values, 1):
        yield str(number) if isinstance(value, list) else "", _object(one, guess)


def csv_rows(path: Path, options: ReadOptions) -> Iterator[Place]:
    """A row per record below a header; tabs instead of commas in `.tsv`."""
    with opened(path, options.max_bytes) as handle:
        encoding = encoding_of(handle)
    csv.field_size_limit(max(csv.field_size_limit(), options.max_bytes))
    separator = "\t" if ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:]) else ","
    with opened(path, options.max_bytes) as handle:
        text = io.TextIOWrapper(handle, encoding=encoding.codec, newline="")
        reader = csv.DictReader(
            _text_lines(text, options.max_bytes), delimiter=separator, strict=True
        )
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise Refused(
                    "encoding", f"it seems to be {encoding.codec}, but {error}"
                ) from error
            except csv.Error as error:
                if "field larger" in str(error):
                    raise too_large("a cell", csv.field_size_limit()) from error
                what = f"no CSV: {error}; the rest is not read"
                yield str(reader.line_num), Refused("damaged", what)
                return
            yield str(reader.line_num), _record(row, encoding.guess)


def parquet_rows(path: Path, options: ReadOptions) -> Iterator[Place]:
    """A row per record, read batch by batch."""
    parquet, arrow = _pyarrow()
    number = 0
    with translated():
        try:
            with parquet.ParquetFile(
                path, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True
            ) as file:
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                    for row in batch.to_pylist():
                        number += 1
                        yield str(number), row
        except (arrow.ArrowException, ValueError) as error:
            raise Refused("damaged", f"no Parquet behind row {number:,}: {error}"[:200]) from error


def _as_utf8(handle: io.BufferedReader) -> io.BufferedReader | _Recoded:
    """The stream as it is; one that begins with the mark of UTF-16 is read by it.

    Raises:
        Refused: `binary`.
    """
    head = handle.peek(4)
    codec = marked(head)
    if codec and codec != "utf-8-sig":
        return _Recoded(handle, codec)
    if b"\0" in head:
        raise Refused("binary", f"it has a zero byte at {head.index(0):,}")
    return handle


class _Recoded:
    """Lines of another encoding as lines in UTF-8."""

    def __init__(self, handle: io.BufferedReader, codec: str) -> None:
        self._text = io.TextIOWrapper(handle, encoding=codec, newline="\n")

    def close(self) -> None:
        """Close the stream below, too."""
        self._text.close()

    def readline(self, size: int) -> bytes:
        """The next line, or its first `size` characters."""
        try:
            return self._text.readline(size).encode()
        except UnicodeError as error:
            raise Refused("encoding", str(error)[:200]) from error


def _lines(handle: io.BufferedReader | _Recoded, max_bytes: int) -> Iterator[bytes | Refused]:
    """Lines of at most so many bytes; the rest of a longer one is skipped, not kept."""
    while line := handle.readline(max_bytes + 1):
        if len(line) <= max_bytes or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = handle.readline(1 << 16)
        yield too_large("the line", max_bytes)


def _parsed_line(line: bytes) -> Row | Refused:
    try:
        try:
            text, guess = line.decode("utf-8-sig"), ""
        except UnicodeDecodeError:
            text, guess = decoded(line)
        return _object(_loaded(text), guess)
    except Refused as error:
        return error


def _loaded(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise Refused("damaged", "it is nested too deep") from None
    except ValueError as error:
        raise Refused("damaged", f"no JSON: {error}"[:200]) from error


def _object(value: object, guess: str) -> Row | Refused:
    if not isinstance(value, dict):
        return Refused("damaged", f"a row is an object, this is {type(value).__name__}")
    return value | {"encoding": guess} if guess else value


def _record(row: dict[str | None, object], guess: str) -> Row | Refused:
    if None in row or None in row.values():
        return Refused("damaged", "other number of cells than the header")
    known = {str(name): value for name, value in row.items()}
    return known | {"encoding": guess} if guess else known


def _text_lines(text: io.TextIOWrapper, most: int) -> Iterator[str]:
    """Lines of text, none longer than so many characters.

    Raises:
        Refused: `binary` or `too_large`; the rest is not read.
    """
    while line := text.readline(most + 1):
        if len(line) > most:
            raise too_large("a line", most)
        if "\0" in line:
            raise Refused("binary", "it has a zero byte")
        yield line


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra(
            "Parquet needs the package `pyarrow`, which is not installed",
            why="it reads the columns",
            fix="pip install 'selfsown[parquet]'",
        ) from error
    return pyarrow.parquet, pyarrow
