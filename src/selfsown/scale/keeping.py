"""One shard's dealings with the store: take it up, send what the journal gains, leave the results.

What may be spent and what is at a provider is sent before it counts: the rows of `grants` that take
from the budget and those of `batches` are in the store when `append` says they are on disk. Of
other rows a lost node loses at most those of the last `SEND_EVERY_S`.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from selfsown.core.errors import EnvironmentFailure, SelfsownError
from selfsown.core.journal import JOURNAL_NAME, Journal, Row
from selfsown.core.rundir import CONFIG, DATA_FILES, INPUTS, MANIFEST, write_text
from selfsown.scale.segments import (
    claim,
    encode,
    is_overtaken,
    read_chain,
    restore,
    segment_name,
)
from selfsown.scale.store import Store

if TYPE_CHECKING:
    from selfsown.core.caller import Caller
    from selfsown.core.run import Run

SEND_EVERY_S: Final = 30.0
_STATE: Final = "attempt.json"
"""Beside the journal: the attempt at the shard that wrote it."""
_RESULTS: Final = (CONFIG, f"{INPUTS}/seeds.jsonl", *DATA_FILES, MANIFEST)


class Overtaken(EnvironmentFailure):
    """Another worker has taken the shard up."""


class Keeping:
    """One attempt at a shard. It is the run's `View`, by which it knows when to send."""

    def __init__(self, store: Store, shard: int, directory: Path) -> None:
        """Claim the next attempt, and make the directory's journal the one to go on from."""
        self._store, self._shard, self._directory = store, shard, directory
        self._home = f"shards/{shard:05d}"
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.attempt = claim(store, self._home)
        self.overtaken: list[Path] = []
        """Directories that another attempt has overtaken; what their journals answer is good."""
        chain = read_chain(store, self._home, self.attempt)
        if chain.attempt and chain.attempt != self._local_attempt():
            self._set_aside()
            directory.mkdir(parents=True)
            restore(store, self._home, chain, directory / JOURNAL_NAME)
        directory.mkdir(parents=True, exist_ok=True)
        self._next = chain.last + 1
        store.create(f"{self._home}/bases/{self.attempt:06d}", chain.head.encode() + b"\n")
        write_text(directory / _STATE, orjson.dumps({"attempt": self.attempt}).decode() + "\n")
        self.overtaken += sorted(directory.parent.glob(f"{directory.name}.overtaken-*"))

    def open_journal(self, path: Path) -> Journal:
        """The run's journal, which sends what must not be lost before it counts."""
        return _KeptJournal(path, self)

    def send(self) -> None:
        """Put all rows that the store does not have into segments.

        Raises:
            Overtaken: a later attempt has been claimed; what was sent does not count.
            EnvironmentFailure: the store cannot be used.
        """
        with self._lock:
            journal = Journal(self._directory / JOURNAL_NAME, read_only=True)
            try:
                while (made := encode(journal, self._shard, self.attempt, self._next)) is not None:
                    header, data = made
                    name = segment_name(self.attempt, header.first)
                    self._store.create(f"{self._home}/segments/{name}", data)
                    self._next = header.last + 1
                    if header.whole:
                        break
            finally:
                journal.close()
            if is_overtaken(self._store, self._home, self.attempt):
                raise Overtaken(
                    f"another worker has taken up shard {self._shard}",
                    why="this one was thought lost; two would pay for the same calls",
                    fix="nothing: the other one goes on",
                )

    def leave_results(self, digest: str, outcome: bytes) -> None:
        """Put the shard's files into the store, and then the mark that it is done."""
        self.send()
        place = f"{self._home}/results/{self.attempt:06d}"
        for name in _RESULTS:
            path = self._directory / name
            if path.exists():
                self._store.create(f"{place}/{name}", path.read_bytes())
        self._store.create(f"{self._home}/done/{digest}-{self.attempt:06d}", outcome)

    # -- the run's view

    def start(self, run: Run, caller: Caller | None) -> None:
        """Send now and then while the run goes on; stop it when it is overtaken."""
        loop = asyncio.get_running_loop()

        def keep() -> None:
            while not self._ended.wait(SEND_EVERY_S):
                try:
                    self.send()
                except Overtaken as error:
                    loop.call_soon_threadsafe(run.suspend, error)
                    return
                except SelfsownError:
                    continue  # the store may come back; the end of the run insists

        self._ended.clear()
        self._thread = threading.Thread(target=keep, name="segments", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The run has ended."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _local_attempt(self) -> int:
        path = self._directory / _STATE
        if not path.exists() or not (self._directory / JOURNAL_NAME).exists():
            return 0
        return int(orjson.loads(path.read_bytes())["attempt"])

    def _set_aside(self) -> None:
        """Move what an attempt left here that another one has overtaken."""
        if (self._directory / JOURNAL_NAME).exists():
            aside = f"{self._directory.name}.overtaken-{self.attempt:06d}"
            self._directory.rename(self._directory.with_name(aside))
        else:
            shutil.rmtree(self._directory, ignore_errors=True)


class _KeptJournal(Journal):
    """A journal whose grants and batches count when they are in the store."""

    def __init__(self, path: Path, keeping: Keeping) -> None:
        super().__init__(path)
        self._keeping = keeping

    def append(self, rows: Sequence[Row]) -> asyncio.Future[None]:
        """Queue rows; the future is done when they are safe."""
        committed = super().append(rows)
        if not any(_must_be_kept(row) for row in rows):
            return committed
        return asyncio.ensure_future(self._kept(committed))

    async def _kept(self, committed: asyncio.Future[None]) -> None:
        await committed
        await asyncio.to_thread(self._keeping.send)


def _must_be_kept(row: Row) -> bool:
    """Whether losing the row could overspend or pay twice: grants that take, all of batches."""
    if row.table == "grants":
        return any(isinstance(value, int) and value > 0 for value in row.values[1:])
    return row.table == "batches"


def fetch_results(store: Store, shard: int, digest: str, directory: Path) -> bytes | None:
    """Copy a finished shard's files here, and return its outcome; None if it has not finished."""
    home = f"shards/{shard:05d}"
    done = [name for name in store.names(f"{home}/done") if name.startswith(f"{digest}-")]
    if not done:
        return None
    place = f"{home}/results/{done[-1][-6:]}"
    (directory / MANIFEST).unlink(missing_ok=True)
    for name in _RESULTS:
        data = store.read(f"{place}/{name}")
        if data is not None:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return store.read(f"{home}/done/{done[-1]}")
