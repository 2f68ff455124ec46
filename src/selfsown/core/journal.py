"""The run's memory: an append-only SQLite file that holds every outcome once.

One writer thread owns the writing connection. It takes whatever has been queued, writes it in one
transaction and commits (WAL, `synchronous=FULL`), so a thousand answers that arrive together cost
a few commits. An idle journal commits at once; a busy one waits 50 ms for company. Whoever waits
for rows is woken once per commit.

Every row has a sequence number, unique and increasing over all tables, and a checksum over its
values; a row is verified whenever it is read. Rows are never changed or deleted: a failure that
is to be asked again gets a row in `voids`. The file is created with mode 0600.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from selfsown.core.errors import EnvironmentFailure
from selfsown.core.journal_file import connect, damaged, one_state, translated
from selfsown.core.journal_log import enter, leave
from selfsown.core.known_keys import KnownKeys

SCHEMA_VERSION: Final = 1
JOURNAL_NAME: Final = "journal.sqlite"
PAGE_ROWS: Final = 256
"""Rows read at a time."""
BUSY_PER_S: Final = 200.0
"""Appends a second from which on a commit waits for company."""
LINGER_S: Final = 0.05
"""How long it waits; below that rate the journal commits at once."""

Value: TypeAlias = "int | float | str | bytes | None"

TABLES: Final[dict[str, tuple[str, ...]]] = {
    "sessions": ("started", "note"),
    "epochs": ("epoch", "config", "reason", "created"),
    "outcomes": ("key", "kind", "model", "request", "outcome", "ok", "source", "created"),
    "attempts": (
        *("key", "session", "number", "kind", "status", "duration_s", "input_tokens"),
        *("output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_nano_usd"),
        *("billed_tokens", "detail", "created"),
    ),
    "deliveries": ("epoch", "flow", "ordinal", "draw", "ok", "asks"),
    "voids": ("outcome_seq", "reason"),
    "grants": ("session", "nano_usd", "tokens"),
    "batches": ("batch", "event", "session", "model", "remote", "keys", "detail", "created"),
}
"""Columns of each table between `seq` and `checksum`, in order. Salvage relies on this order."""

_DDL: Final = """
CREATE TABLE sessions(seq INTEGER PRIMARY KEY, started TEXT, note TEXT, checksum BLOB);
CREATE TABLE epochs(seq INTEGER PRIMARY KEY, epoch INTEGER, config TEXT, reason TEXT, created TEXT,
  checksum BLOB);
CREATE TABLE outcomes(seq INTEGER PRIMARY KEY, key BLOB, kind TEXT, model TEXT, request TEXT,
  outcome TEXT, ok INTEGER, source TEXT, created TEXT, checksum BLOB);
CREATE INDEX outcomes_key ON outcomes(key);
CREATE TABLE attempts(seq INTEGER PRIMARY KEY, key BLOB, session INTEGER, number INTEGER, kind TEXT,
  status INTEGER, duration_s REAL, input_tokens INTEGER, output_tokens INTEGER,
  cached_input_tokens INTEGER, reasoning_tokens INTEGER, cost_nano_usd INTEGER,
  billed_tokens INTEGER, detail TEXT, created TEXT, checksum BLOB);
CREATE TABLE deliveries(seq INTEGER PRIMARY KEY, epoch INTEGER, flow TEXT, ordinal INTEGER,
  draw INTEGER, ok INTEGER, asks BLOB, checksum BLOB);
CREATE UNIQUE INDEX deliveries_order ON deliveries(epoch, flow, ordinal);
CREATE INDEX deliveries_draw ON deliveries(epoch, flow, draw);
CREATE TABLE voids(seq INTEGER PRIMARY KEY, outcome_seq INTEGER, reason TEXT, checksum BLOB);
CREATE TABLE grants(seq INTEGER PRIMARY KEY, session INTEGER, nano_usd INTEGER, tokens INTEGER,
  checksum BLOB);
"""
BATCHES_DDL: Final = """
CREATE TABLE IF NOT EXISTS batches(seq INTEGER PRIMARY KEY, batch TEXT, event TEXT, session INTEGER,
  model TEXT, remote TEXT, keys BLOB, detail TEXT, created TEXT, checksum BLOB)
"""
"""The one table that is made with its first row, so that journals of runs that never used a batch
are, byte for byte, what they were before there were any."""


class Row(NamedTuple):
    """One row to append: the table and the values of `TABLES[table]`, in that order."""

    table: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome as the journal holds it."""

    seq: int
    key: bytes
    kind: str
    """`call` or `effect`."""
    model: str
    """Identity of the model; name and version of an effect."""
    request: str
    """Canonical JSON of the effective request, for people and diffs."""
    outcome: str
    """JSON: a completion, an effect's value, or `{"error": [kind, text]}`."""
    ok: bool
    source: str
    """Empty, or the run directory the outcome was copied from with `--reuse`."""


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One hand-over of a flow as the journal holds it."""

    ordinal: int
    draw: int
    ok: bool
    asks: bytes
    """First 8 bytes of every key that the work asked for, sorted, concatenated."""


def checksum(seq: int, table: str, values: Sequence[Value]) -> bytes:
    """The 8-byte checksum of a row."""
    text = repr((seq, table, *values))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Journal:
    """An open journal. Reads and `append` are for the thread (and event loop) that opened it.

    Raises:
        JournalDamaged: a row's checksum or the file's structure does not hold.
        EnvironmentFailure: the disk is full, read-only, or the file cannot be opened.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, max_pages: int | None = None
    ) -> None:
        """Open a journal, made if absent.

        Args:
            path: the file.
            read_only: never write, not even to create it.
            max_pages: a quota in pages of 4,096 bytes; beyond it the disk counts as full.
        """
        self.path = path
        self.read_only = read_only
        self._max_pages = max_pages
        if read_only and not path.exists():
            raise EnvironmentFailure(
                f"`{path}` does not exist",
                why="a run directory is read through its journal",
                fix="give the directory of a run that has been started",
            )
        enter(path)
        with contextlib.ExitStack() as undone:
            undone.callback(leave, path)
            self._reader = connect(path, read_only=read_only)
            undone.callback(self._reader.close)
            self._check_version()
            undone.pop_all()
        self._lookup_sql = (
            "SELECT seq, key, kind, model, request, outcome, ok, source, created, checksum"
            " FROM outcomes WHERE key=? AND seq NOT IN (SELECT outcome_seq FROM voids)"
            " ORDER BY seq LIMIT 1"
        )
        self._keys: KnownKeys | None = None
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self.commits = 0
        """Transactions committed since opening."""

    def lookup(self, key: bytes) -> StoredOutcome | None:
        """The outcome that counts for a key: the first committed one that is not void."""
        if self._keys is None:
            self._keys = self._known_keys()
        return self.glance(key) if self._keys.may_hold(key) else None

    def glance(self, key: bytes) -> StoredOutcome | None:
        """The same for a reader of a few: the index is trusted, not held against its table first.

        A row that a damaged index misses would not be found; what decides whether to ask looks it
        up with `lookup`.
        """
        with translated(self.path):
            row = self._reader.execute(self._lookup_sql, (key,)).fetchone()
        if row is None:
            return None
        self._verify("outcomes", row)
        return StoredOutcome(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]), row[7])

    def rows(
        self, table: str, where: str = "", args: Sequence[Value] = ()
    ) -> Iterator[tuple[Value, ...]]:
        """All rows of a table as (seq, *values), in order of `seq`, each verified, lazily."""
        if table == "batches" and not self.has_batches:
            return
        columns = ", ".join(("seq", *TABLES[table], "checksum"))
        sql = (
            f"SELECT * FROM (SELECT {columns} FROM {table} {where})"  # noqa: S608 names of TABLES
            " WHERE seq>? ORDER BY seq LIMIT ?"
        )
        for row in self._paged(sql, args, 0, lambda row: int(row[0] or 0)):
            self._verify(table, row)
            yield row[:-1]

    @property
    def has_batches(self) -> bool:
        """Whether the table `batches` is there, which is made with its first row."""
        with translated(self.path):
            return _has_batches(self._reader)

    def query(self, sql: str, args: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """All rows of a query of the caller's, without a look at checksums: for sums and counts."""
        with translated(self.path):
            return self._reader.execute(sql, tuple(args)).fetchall()

    def scalar(self, sql: str, args: Sequence[Value] = ()) -> int:
        """One integer from a query of the caller's; 0 for NULL."""
        with translated(self.path):
            row = self._reader.execute(sql, tuple(args)).fetchone()
        return int(row[0] or 0) if row else 0

    def deliveries(
        self, epoch: int, flow: str, *, draw: int | None = None
    ) -> Iterator[StoredDelivery]:
        """Recorded hand-overs of a flow in one epoch, by ordinal, lazily; of one draw if given."""
        one = "" if draw is None else " AND draw=?"
        sql = (
            "SELECT seq, epoch, flow, ordinal, draw, ok, asks, checksum FROM deliveries"  # noqa: S608
            f" WHERE epoch=? AND flow=?{one} AND ordinal>? ORDER BY ordinal LIMIT ?"
        )  # `one` is one of two literals
        args: tuple[Value, ...] = (epoch, flow) if draw is None else (epoch, flow, draw)
        for row in self._paged(sql, args, -1, lambda row: int(row[3])):
            self._verify("deliveries", row)
            yield StoredDelivery(row[3], row[4], bool(row[5]), row[6])

    def _paged(
        self, sql: str, args: Sequence[Value], start: int, place: Callable[[Any], int]
    ) -> Iterator[Any]:
        """Rows of a query that ends in `> ? ... LIMIT ?`, page by page.

        A cursor left open would keep the connection at the state of its first row: answers
        committed since would not be found, and would be asked again.
        """
        while True:
            with translated(self.path):
                page = self._reader.execute(sql, (*args, start, PAGE_ROWS)).fetchall()
            yield from page
            if len(page) < PAGE_ROWS:
                return
            start = place(page[-1])

    def reported_name(self, identity: str) -> str:
        """The name that the endpoint of a model reported with its newest answer; empty for none."""
        sql = (
            "SELECT json_extract(outcome, '$.model') FROM outcomes"
            " WHERE kind='call' AND ok=1 AND source='' AND model=? ORDER BY seq DESC LIMIT 1"
        )
        with translated(self.path):
            row = self._reader.execute(sql, (identity,)).fetchone()
        return str(row[0] or "") if row else ""

    def find_prefix(self, prefix: bytes) -> StoredOutcome | None:
        """An outcome whose key begins with these bytes, for error messages."""
        with translated(self.path):
            row = self._reader.execute(
                "SELECT key FROM outcomes WHERE key>=? AND key<? LIMIT 1",
                (prefix, prefix + b"\xff" * 32),
            ).fetchone()
        return self.lookup(row[0]) if row else None

    def append(self, rows: Sequence[Row]) -> asyncio.Future[None]:
        """Queue rows; the future is done when they are committed.

        Rows of one call are committed together, and calls are committed in their order.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        for table, values in rows:
            if table == "outcomes" and self._keys is not None:
                self._keys.add(values[0])
        self._put(_Job(tuple(rows), future, loop))
        return future

    def post(self, rows: Sequence[Row]) -> None:
        """Queue rows that nobody waits for."""
        self._put(_Job(tuple(rows), None, None))

    def append_now(self, rows: Sequence[Row]) -> None:
        """Write rows and return when they are committed; blocks the thread."""
        done = threading.Event()
        self._put(_Job(tuple(rows), None, None, done))
        done.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Commit what is queued and close. May be called twice."""
        if not self._closed:
            leave(self.path)
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._reader.close()

    def _put(self, job: _Job) -> None:
        if self._failure is not None:
            raise self._failure
        if self._thread is None:
            if self.read_only or self._closed:
                raise RuntimeError("the journal is closed, or was opened for reading")
            self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
            self._thread.start()
        self._queue.put(job)

    def _write(self) -> None:
        connection, seq = None, 0
        try:
            with translated(self.path):
                connection = connect(self.path, read_only=False)
                if self._max_pages is not None:
                    connection.execute(f"PRAGMA max_page_count={int(self._max_pages)}")
                seq = _last_seq(connection)
        except BaseException as error:  # raised in the thread that asks for a commit
            self._failure = error
        try:
            ended, rate = time.monotonic(), 0.0
            while (job := self._queue.get()) is not None:
                if rate > BUSY_PER_S:
                    time.sleep(LINGER_S)
                jobs = [job]
                with contextlib.suppress(queue.Empty):
                    while len(jobs) < 1024 and (more := self._queue.get_nowait()) is not None:
                        jobs.append(more)
                    if len(jobs) < 1024:
                        self._queue.put(None)  # the end mark was among them: handle it next
                seq = self._commit(connection, jobs, seq)
                began, ended = ended, time.monotonic()
                rate = len(jobs) / (ended - began)
        finally:
            if connection is not None:
                connection.close()

    def _commit(self, connection: sqlite3.Connection | None, jobs: list[_Job], seq: int) -> int:
        try:
            if self._failure is None and connection is not None:
                with translated(self.path):
                    connection.execute("BEGIN IMMEDIATE")
                    batches: dict[str, list[tuple[Value, ...]]] = {}
                    for job in jobs:
                        for table, values in job.rows:
                            seq += 1
                            row = (seq, *values, checksum(seq, table, values))
                            batches.setdefault(table, []).append(row)
                    if "batches" in batches:
                        connection.execute(BATCHES_DDL)
                    for table, rows in batches.items():
                        connection.executemany(_INSERT[table], rows)
                    connection.execute("COMMIT")
                self.commits += 1
        except BaseException as error:  # kept and raised in the thread that asked
            self._failure = error
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
        _wake(jobs, self._failure)
        return seq

    def _known_keys(self) -> KnownKeys:
        """Every key, once it is certain that what the indexes find is all there is."""
        keys = KnownKeys()
        with translated(self.path), one_state(self._reader):
            for table, index, columns in _INDEXES:
                one, other = (
                    self._reader.execute(f"SELECT seq, {columns} FROM {table} {way}")  # noqa: S608
                    for way in ("NOT INDEXED", f"INDEXED BY {index}")
                )
                # A row that an index misses would be asked again, or handed over out of order.
                if sum(map(hash, one)) != sum(map(hash, other)):
                    raise damaged(self.path, f"index `{index}` does not fit table `{table}`")
            for (key,) in self._reader.execute("SELECT key FROM outcomes"):
                keys.add(key)
        return keys

    def _verify(self, table: str, row: tuple[Value, ...]) -> None:
        if row[-1] != checksum(int(row[0] or 0), table, row[1:-1]):
            raise damaged(self.path, f"row {row[0]!r} of table `{table}` fails its checksum")

    def _check_version(self) -> None:
        with translated(self.path):
            version = self._reader.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self.read_only:
            with translated(self.path):
                self._reader.executescript(
                    f"BEGIN; {_DDL} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
                )
        elif version != SCHEMA_VERSION:
            raise EnvironmentFailure(
                f"`{self.path}` has journal format {version}, this selfsown reads {SCHEMA_VERSION}",
                why="a journal is never rewritten in place",
                fix="use the selfsown version that made it, or copy it with `--reuse`",
            )


class _Job(NamedTuple):
    rows: tuple[Row, ...]
    future: asyncio.Future[None] | None
    loop: asyncio.AbstractEventLoop | None
    done: threading.Event | None = None


_INDEXES: Final = (
    ("outcomes", "outcomes_key", "key"),
    ("deliveries", "deliveries_order", "epoch, flow, ordinal"),
    ("deliveries", "deliveries_draw", "epoch, flow, draw"),
)
"""Table, index, and what the index holds beside the sequence number. Entries of an index carry no
checksum, so they are held against the rows."""

_INSERT: Final = {
    table: f"INSERT INTO {table} VALUES ({', '.join('?' * (len(columns) + 2))})"  # noqa: S608
    for table, columns in TABLES.items()
}


def _last_seq(connection: sqlite3.Connection) -> int:
    """The largest sequence number of all tables."""
    return max(
        int(connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])  # noqa: S608
        for table in TABLES
        if table != "batches" or _has_batches(connection)
    )


def _has_batches(connection: sqlite3.Connection) -> bool:
    sql = "SELECT count(*) FROM sqlite_master WHERE type='table' AND name='batches'"
    return bool(connection.execute(sql).fetchone()[0])


def _wake(jobs: Sequence[_Job], failure: BaseException | None) -> None:
    """Resolve the futures of a commit with one call into each loop (there is one)."""
    waiting = [job for job in jobs if job.future is not None]
    if waiting and waiting[0].loop is not None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            waiting[0].loop.call_soon_threadsafe(_resolve, waiting, failure)
    for job in jobs:
        if job.done is not None:
            job.done.set()


def _resolve(jobs: Sequence[_Job], failure: BaseException | None) -> None:
    for job in jobs:
        if job.future is None or job.future.done():
            continue
        if failure is None:
            job.future.set_result(None)
        else:
            job.future.set_exception(failure)
