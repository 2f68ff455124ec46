"""How every shard of a job stands and what it may spend, on disk before anybody acts on it.

The cap of the job is split over its shards beforehand. In every state of the file

    what finished shards spent  +  the caps of all others  <=  the cap of the job

and a shard spends at most its cap (`core/budget.py`). A finished shard's cap becomes what it spent;
only what that frees is ever handed on. Everything is asked of SQLite, so the driver's memory does
not grow with the number of shards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from selfsown.core.errors import ConfigError, EnvironmentFailure
from selfsown.scale.tasks import Outcome

_DDL = """
CREATE TABLE IF NOT EXISTS caps(unit TEXT PRIMARY KEY, cap INTEGER);
CREATE TABLE IF NOT EXISTS shards(shard INTEGER PRIMARY KEY, nano INTEGER, tokens INTEGER,
  state TEXT, digest TEXT, what TEXT, accepted INTEGER, rejected INTEGER, failed INTEGER,
  calls INTEGER, spent_nano INTEGER, spent_tokens INTEGER, wall_s REAL, sessions INTEGER);
CREATE INDEX IF NOT EXISTS shards_state ON shards(state);
"""
_UNITS = {"nano": "--budget-usd", "tokens": "--budget-tokens"}


@dataclass(frozen=True, slots=True)
class Totals:
    """A job in numbers."""

    shards: int
    finished: int
    suspended: int
    failed: int
    accepted: int
    """Of all shards that ended or were stopped, before any merge."""
    rejected: int
    failures: int
    calls: int
    nano_usd: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How one shard stands."""

    digest: str
    """Of the task that it has finished; empty if it has not."""
    finished: bool


class Split(NamedTuple):
    """A job's caps, and how they are split over its shards."""

    totals: tuple[int | None, int | None]
    """In nano-USD and tokens; None for no cap."""
    caps: Sequence[tuple[int, int]]
    """Of each shard."""


class Ledger:
    """An open ledger. One process writes it: the driver, which holds the job's lock."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open it, made if absent and not `read_only`."""
        self._path = path
        with self._translated():
            uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None)
            if not read_only:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_DDL)

    def enter(self, shards: int) -> bool:
        """Enter the shards if none is there; whether that was so."""
        with self._transaction():
            is_new = self._one("SELECT count(*) FROM shards") == 0
            if is_new:
                rows = ((shard,) for shard in range(shards))
                self._db.executemany(
                    "INSERT INTO shards VALUES (?,0,0,'open','','',0,0,0,0,0,0,0,0)", rows
                )
        return is_new

    def set_caps(self, nano: int | None, tokens: int | None) -> None:
        """Split caps over the shards that have not finished, if there were none before.

        A cap that was raised since the last start is freed for shards that run out.

        Raises:
            ConfigError: a cap is lower than what was split already.
        """
        with self._transaction():
            for unit, cap in (("nano", nano), ("tokens", tokens)):
                self._set_cap(unit, cap)

    def cap(self, shard: int) -> tuple[int, int]:
        """What a shard may spend in its life, in nano-USD and tokens; meaningless without a cap."""
        row = self._db.execute("SELECT nano, tokens FROM shards WHERE shard=?", (shard,)).fetchone()
        return int(row[0]), int(row[1])

    def standing(self, shard: int) -> Standing:
        """How a shard stands."""
        sql = "SELECT digest, state='finished' FROM shards WHERE shard=?"
        row = self._db.execute(sql, (shard,)).fetchone()
        return Standing(str(row[0]), bool(row[1]))

    def record(self, outcome: Outcome, digest: str) -> None:
        """Keep what came of a task; a finished shard's cap becomes what it spent."""
        is_done = outcome.status == "finished"
        with self._transaction():
            self._db.execute(
                "UPDATE shards SET state=?, digest=?, what=?, accepted=?, rejected=?, failed=?,"
                " calls=?, spent_nano=?, spent_tokens=?, wall_s=wall_s+?, sessions=sessions+1"
                " WHERE shard=?",
                (
                    "exhausted" if outcome.kind == "BudgetExhausted" else outcome.status,
                    digest if is_done else "",
                    outcome.what,
                    *(outcome.accepted, outcome.rejected, outcome.failed, outcome.calls),
                    *(outcome.nano_usd, outcome.tokens, outcome.wall_s, outcome.shard),
                ),
            )
            if is_done:
                for unit, spent in (("nano", outcome.nano_usd), ("tokens", outcome.tokens)):
                    if self._cap(unit) is not None:
                        self._db.execute(
                            f"UPDATE shards SET {unit}=min({unit}, ?) WHERE shard=?",  # noqa: S608
                            (spent, outcome.shard),
                        )

    def hand_on(self, keep: Callable[[Split], None]) -> bool:
        """Split what is free over the shards that ran out, evenly; whether any got something.

        `keep` is given the new caps before they count.
        """
        with self._transaction():
            short = "FROM shards WHERE state='exhausted'"
            count = self._one(f"SELECT count(*) {short}")
            given = False
            for unit in _UNITS:
                cap = self._cap(unit)
                if cap is None or not count:
                    continue
                more = (cap - self._one(f"SELECT sum({unit}) FROM shards")) // count  # noqa: S608
                if more > 0:
                    given = True
                    self._db.execute(
                        f"UPDATE shards SET {unit}={unit}+? WHERE state='exhausted'",  # noqa: S608
                        (more,),
                    )
            if given:
                keep(self._current())
            return given

    def adopt(self, split: Split) -> None:
        """Go on from caps that were kept elsewhere, in a ledger that has just been made."""
        with self._transaction():
            for unit, cap in zip(_UNITS, split.totals, strict=True):
                self._db.execute("INSERT OR REPLACE INTO caps VALUES (?,?)", (unit, cap))
            rows = ((*caps, shard) for shard, caps in enumerate(split.caps))
            self._db.executemany("UPDATE shards SET nano=?, tokens=? WHERE shard=?", rows)

    def _current(self) -> Split:
        rows = self._db.execute("SELECT nano, tokens FROM shards ORDER BY shard").fetchall()
        return Split((self._cap("nano"), self._cap("tokens")), rows)

    def has_exhausted(self) -> bool:
        """Whether some shard's cap did not cover its next call."""
        return self._one("SELECT count(*) FROM shards WHERE state='exhausted'") > 0

    def stopped(self, most: int) -> list[tuple[int, str]]:
        """The first shards that were stopped, by number, and why."""
        sql = (
            "SELECT shard, what FROM shards WHERE state IN ('suspended','failed','exhausted')"
            " ORDER BY shard LIMIT ?"
        )
        return self._db.execute(sql, (most,)).fetchall()

    def totals(self) -> Totals:
        """The job in numbers."""
        row = self._db.execute(
            "SELECT count(*), sum(state='finished'), sum(state IN ('suspended','exhausted')),"
            " sum(state='failed'), sum(accepted), sum(rejected), sum(failed), sum(calls),"
            " sum(spent_nano), sum(spent_tokens) FROM shards"
        ).fetchone()
        return Totals(*(int(value or 0) for value in row))

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _set_cap(self, unit: str, cap: int | None) -> None:
        before = self._cap(unit)
        if cap is not None and before is not None and cap < before:
            raise ConfigError(
                f"`{_UNITS[unit]}` is lower than at the job's last start",
                why="it was split over the shards, which may have spent their shares",
                fix="give what it was before, or more",
            )
        if cap is not None and before is None:
            self._split(unit, cap)
        self._db.execute("INSERT OR REPLACE INTO caps VALUES (?,?)", (unit, cap))

    def _split(self, unit: str, cap: int) -> None:
        """Give finished shards what they spent, and split the rest over the others."""
        self._db.execute(f"UPDATE shards SET {unit}=spent_{unit} WHERE state='finished'")  # noqa: S608
        left = max(0, cap - self._frozen(unit))
        others = self._one("SELECT count(*) FROM shards WHERE state<>'finished'")
        if others:
            self._db.execute(
                f"UPDATE shards SET {unit}=? WHERE state<>'finished'",  # noqa: S608 of `_UNITS`
                (left // others,),
            )
            sql = (
                f"UPDATE shards SET {unit}={unit}+1 WHERE shard IN"  # noqa: S608
                " (SELECT shard FROM shards WHERE state<>'finished' ORDER BY shard LIMIT ?)"
            )
            self._db.execute(sql, (left % others,))

    def _frozen(self, unit: str) -> int:
        return self._one(f"SELECT sum({unit}) FROM shards WHERE state='finished'")  # noqa: S608

    def _cap(self, unit: str) -> int | None:
        row = self._db.execute("SELECT cap FROM caps WHERE unit=?", (unit,)).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def _one(self, sql: str, *args: object) -> int:
        row = self._db.execute(sql, args).fetchone()
        return int(row[0] or 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                for unit in _UNITS:
                    if (cap := self._cap(unit)) is not None:
                        whole = self._one(f"SELECT sum({unit}) FROM shards")  # noqa: S608
                        assert whole <= max(cap, self._frozen(unit))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise EnvironmentFailure(
                f"`{self._path}` cannot be used: {error}",
                why="it says what each shard may spend, on disk before it is spent",
                fix="free space on that disk or make it writable, then run the same command again",
            ) from error
