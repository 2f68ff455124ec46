"""Recover a damaged journal: every row on an undamaged page, into a copy, the original untouched.

SQLite's own reader gives up at the first broken page, so the pages are read directly: each leaf
page of a table is decoded cell by cell (file format: https://sqlite.org/fileformat2.html, sections
1.5, 1.6 and 2.1), from the database file and from the write-ahead log beside it. A row is taken
only if its checksum holds for one of our tables: what a broken page decodes to cannot get in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.journal import (
    BATCHES_DDL,
    TABLES,
    Journal,
    Row,
    Value,
    checksum,
)
from selfsown.core.journal_file import PAGE_BYTES
from selfsown.core.journal_log import committed

_TABLE_LEAF: Final = 0x0D
_FILE_HEADER: Final = 100


@dataclass(frozen=True, slots=True)
class Salvage:
    """What came out of a damaged journal."""

    pages: int
    """Pages read, those of the write-ahead log included."""
    rows: dict[str, int]
    """Table → rows recovered, each with a checksum that holds."""
    refused: int
    """Cells that decoded but belong to no table by checksum."""


def salvage(source: Path, target: Path) -> Salvage:
    """Copy every intact row of a journal into a new one.

    Sequence numbers are kept, so order and references hold.

    Raises:
        InputError: `target` exists.
        OSError: `source` cannot be read.
    """
    if target.exists():
        raise InputError(
            f"`{target}` exists",
            why="recovery never overwrites",
            fix="give a directory that does not exist yet",
        )
    rows: dict[int, Row] = {}
    pages = refused = 0
    for image in _images(source):
        pages += 1
        for seq, values in image.rows():
            row = _recognised(seq, values)
            if row is None:
                refused += 1
            else:
                rows[seq] = row
    Journal(target).close()
    _write(target, rows)
    counts = {table: sum(row.table == table for row in rows.values()) for table in TABLES}
    return Salvage(pages, counts, refused)


@dataclass(frozen=True, slots=True)
class _Image:
    """One page and the means to follow its overflow chains."""

    data: bytes
    offset: int
    pages: dict[int, bytes]

    def rows(self) -> Iterator[tuple[int, list[Value]]]:
        """Rowid and values of each cell of a table leaf page that decodes."""
        data, start = self.data, self.offset
        if len(data) < start + 8 or data[start] != _TABLE_LEAF:
            return
        count = int.from_bytes(data[start + 3 : start + 5])
        for index in range(min(count, (len(data) - start - 8) // 2)):
            at = int.from_bytes(data[start + 8 + 2 * index : start + 10 + 2 * index])
            try:
                yield self._cell(at)
            except (IndexError, ValueError, struct.error):
                continue

    def _cell(self, at: int) -> tuple[int, list[Value]]:
        size, at = _varint(self.data, at)
        rowid, at = _varint(self.data, at)
        if size > 1 << 30:
            raise ValueError("a payload of over 1 GiB")
        return rowid, _record(self._payload(size, at))

    def _payload(self, size: int, at: int) -> bytes:
        """The record's bytes, those on overflow pages included (format section 1.6)."""
        most = PAGE_BYTES - 35
        if size <= most:
            return self._slice(at, size)
        least = (PAGE_BYTES - 12) * 32 // 255 - 23
        local = least + (size - least) % (PAGE_BYTES - 4)
        local = local if local <= most else least
        payload = bytearray(self._slice(at, local))
        following = int.from_bytes(self._slice(at + local, 4))
        while len(payload) < size:
            page = self.pages.get(following)
            if page is None:
                raise ValueError("an overflow page is missing")
            payload += page[4 : 4 + min(size - len(payload), PAGE_BYTES - 4)]
            following = int.from_bytes(page[:4])
        return bytes(payload)

    def _slice(self, at: int, size: int) -> bytes:
        piece = self.data[at : at + size]
        if len(piece) != size:
            raise ValueError("a cell points outside its page")
        return piece


def _images(source: Path) -> Iterator[_Image]:
    """Every page of the file, then of the log; overflow chains are tried over several states.

    That of the page's own time, the newest, and the newest without frames whose checksum does not
    fit: a damaged one may name a page that is another's, a sound one behind it cannot be told.
    """
    data, size = source.read_bytes(), PAGE_BYTES
    old = {n + 1: data[n * size : (n + 1) * size] for n in range(len(data) // size)}
    log = list(committed(source))
    newest = old | {frame.page: frame.data for frame in log}
    sound = old | {frame.page: frame.data for frame in log if frame.fits}
    for number, page in old.items():
        offset = _FILE_HEADER if number == 1 else 0
        for pages in (old, newest, sound) if log else (old,):
            yield _Image(page, offset, pages)
    seen = dict(old)
    for frame in log:
        seen[frame.page] = frame.data
        offset = _FILE_HEADER if frame.page == 1 else 0
        for pages in (seen, newest, sound):
            yield _Image(frame.data, offset, pages)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _record(payload: bytes) -> list[Value]:
    """The values of a record (format section 2.1)."""
    end, at = _varint(payload, 0)
    values: list[Value] = []
    body = end
    while at < end:
        kind, at = _varint(payload, at)
        value, body = _value(payload, kind, body)
        values.append(value)
    return values


def _value(payload: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    width = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8}.get(kind)
    if width is None:
        width = (kind - 12) // 2
    piece = payload[at : at + width]
    if len(piece) != width or kind in (10, 11):
        raise ValueError("a value is cut off")
    if kind == 7:
        return struct.unpack(">d", piece)[0], at + width
    if kind < 7:
        return int.from_bytes(piece, signed=True), at + width
    return (piece.decode() if kind % 2 else piece), at + width


def _recognised(seq: int, values: list[Value]) -> Row | None:
    """The row if its checksum holds for a table of ours. The first column stands for the rowid."""
    if len(values) < 3:
        return None
    stored, inner = values[-1], tuple(values[1:-1])
    for table, columns in TABLES.items():
        if len(columns) == len(inner):
            inner_ = _typed(table, inner)
            if checksum(seq, table, inner_) == stored:
                return Row(table, inner_)
    return None


def _typed(table: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """SQLite stores a whole REAL as an integer; give it back as the float it was."""
    if table != "attempts":
        return values
    at = TABLES[table].index("duration_s")
    value = values[at]
    return (*values[:at], float(value), *values[at + 1 :]) if isinstance(value, int) else values


def _write(target: Path, rows: dict[int, Row]) -> None:
    import sqlite3

    connection = sqlite3.connect(target)
    with connection:
        if any(row.table == "batches" for row in rows.values()):
            connection.execute(BATCHES_DDL)
        for seq, (table, values) in sorted(rows.items()):
            marks = ", ".join("?" * (len(values) + 2))
            row = (seq, *values, checksum(seq, table, values))
            connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608
    connection.close()
