"""A journal in pieces: immutable segments of its rows, and the chain that leads back to the first.

In the folder of a shard, in the store:

    attempts/000003           an attempt has been claimed, by creating this
    bases/000003              the segment that attempt 3 went on from; empty if there was none
    segments/000003-000000000501.gz   rows from number 501 on, by attempt 3

Whoever takes the shard up claims the next number and *then* lists what there is; so a segment of an
earlier attempt either was seen and is part of the chain, or its writer finds the new claim when it
looks *after* writing, and knows that the segment does not count. The chain of the last attempt with
a base is the shard's history.

A segment is gzip over lines of JSON: a header, then one row each as [table, seq, checksum, values];
bytes are hexadecimal in {"x": ...}. Rows are verified by the checksums that the journal gave them.
"""

from __future__ import annotations

import gzip
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.errors import JournalDamaged
from selfsown.core.journal import BATCHES_DDL, TABLES, Journal, Value, checksum
from selfsown.scale.store import Store

SEGMENT_ROWS: Final = 20_000
"""Most rows in one segment, which is made in memory: about 10 MB with short calls."""


@dataclass(frozen=True, slots=True)
class Header:
    """First line of a segment."""

    shard: int
    attempt: int
    first: int
    """Sequence number of its first row."""
    last: int
    whole: bool
    """Whether a commit of the journal ends with it. Segments that end in one are cut off at the
    end of a chain, so that rows that were committed together are restored together."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A shard's history in the store."""

    attempt: int
    """The last attempt that has a base; 0 for none."""
    names: tuple[str, ...]
    """Segments, oldest first."""
    last: int
    """Sequence number of the last row; 0 for none."""

    @property
    def head(self) -> str:
        """Name of the last segment; empty for none."""
        return self.names[-1] if self.names else ""


def claim(store: Store, home: str) -> int:
    """Claim the next attempt at a shard and return its number, from 1."""
    while True:
        taken = store.names(f"{home}/attempts")
        number = int(taken[-1]) + 1 if taken else 1
        if store.create(f"{home}/attempts/{number:06d}", b"\n"):
            return number


def is_overtaken(store: Store, home: str, attempt: int) -> bool:
    """Whether a later attempt has been claimed."""
    return store.names(f"{home}/attempts")[-1] != f"{attempt:06d}"


def read_chain(store: Store, home: str, before: int) -> Chain:
    """The history by attempts below `before`; list it after `before` was claimed."""
    bases = [name for name in store.names(f"{home}/bases") if int(name) < before]
    if not bases:
        return Chain(0, (), 0)
    listed = store.names(f"{home}/segments")
    names: list[str] = []
    attempt, upto = int(bases[-1]), ""
    while True:
        own = [name for name in listed if int(name[:6]) == attempt and (not upto or name <= upto)]
        names = [*own, *names]
        upto = (store.read(f"{home}/bases/{attempt:06d}") or b"").decode().strip()
        if not upto:
            break
        attempt = int(upto[:6])
    last = 0
    while names:
        header = read_header(store, home, names[-1])
        if header.whole:
            last = header.last
            break
        names.pop()
    return Chain(int(bases[-1]), tuple(names), last)


def encode(journal: Journal, shard: int, attempt: int, first: int) -> tuple[Header, bytes] | None:
    """The segment of an open journal's rows from `first` on; None if there are none."""
    tables = [name for name in TABLES if name != "batches" or journal.has_batches]
    union = " UNION ALL ".join(f"SELECT max(seq) AS s FROM {name}" for name in tables)  # noqa: S608
    end = journal.scalar(f"SELECT max(s) FROM ({union})")  # noqa: S608 names of TABLES
    if end < first:
        return None
    last = min(end, first + SEGMENT_ROWS - 1)
    header = Header(shard, attempt, first, last, last == end)
    lines = [orjson.dumps(asdict(header))]
    for table in tables:
        for seq, *values in journal.rows(table, "WHERE seq BETWEEN ? AND ?", (first, last)):
            sum_ = checksum(int(str(seq)), table, values).hex()
            lines.append(orjson.dumps([table, seq, sum_, [_plain(value) for value in values]]))
    return header, gzip.compress(b"\n".join(lines) + b"\n", compresslevel=5, mtime=0)


def segment_name(attempt: int, first: int) -> str:
    """The name of a segment; names of one attempt sort by their rows."""
    return f"{attempt:06d}-{first:012d}.gz"


def read_header(store: Store, home: str, name: str) -> Header:
    """The header of a segment."""
    try:
        return Header(**orjson.loads(_lines(store, home, name)[0]))
    except (ValueError, TypeError, IndexError) as error:
        raise _damaged(f"{home}/segments/{name}", "it has no header") from error


def restore(store: Store, home: str, chain: Chain, path: Path) -> None:
    """Make a journal of a history, with the sequence numbers that its rows had.

    Raises:
        JournalDamaged: a row fails its checksum, or rows are missing.
    """
    Journal(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        expected = 1
        for name in chain.names:
            header = read_header(store, home, name)
            if header.first != expected:
                raise _damaged(f"{home}/segments/{name}", f"rows from {expected} on are missing")
            expected = header.last + 1
            connection.execute("BEGIN")
            _insert(connection, _rows(store, home, name), header)
            connection.execute("COMMIT")
    finally:
        connection.close()


def _insert(
    connection: sqlite3.Connection, rows: Iterator[tuple[str, int, Sequence[Value]]], header: Header
) -> None:
    count = 0
    for table, seq, values in rows:
        if table == "batches":
            connection.execute(BATCHES_DDL)
        row = (seq, *values, checksum(seq, table, values))
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 of TABLES
        count += 1
    if count != header.last - header.first + 1:
        raise _damaged(
            f"shard {header.shard}", f"{count} rows from {header.first} to {header.last}"
        )


def _rows(store: Store, home: str, name: str) -> Iterator[tuple[str, int, Sequence[Value]]]:
    for line in _lines(store, home, name)[1:]:
        try:
            table, seq, sum_, plain = orjson.loads(line)
            values = tuple(bytes.fromhex(v["x"]) if isinstance(v, dict) else v for v in plain)
            holds = table in TABLES and checksum(seq, table, values).hex() == sum_
        except (ValueError, TypeError, KeyError) as error:
            raise _damaged(f"{home}/segments/{name}", "a line is no row") from error
        if not holds:
            raise _damaged(f"{home}/segments/{name}", f"row {seq} fails its checksum")
        yield table, seq, values


def _lines(store: Store, home: str, name: str) -> list[bytes]:
    data = store.read(f"{home}/segments/{name}")
    try:
        return gzip.decompress(data or b"").splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(f"{home}/segments/{name}", str(error)) from error


def _plain(value: Value) -> Any:
    return {"x": value.hex()} if isinstance(value, bytes) else value


def _damaged(place: str, what: str) -> JournalDamaged:
    return JournalDamaged(
        f"`{place}` in the store is damaged: {what}",
        why="each row carries the checksum that the journal gave it",
        fix="take the shard's journal from the node that last worked on it, if it is there",
    )
