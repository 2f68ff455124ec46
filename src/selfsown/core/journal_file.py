"""Opening the journal's SQLite file, and what SQLite says of it in our words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from selfsown.core.errors import EnvironmentFailure, JournalDamaged

PAGE_BYTES: Final = 4096
BUSY_TIMEOUT_S: Final = 30.0
"""How long to wait for SQLite's own short locks (recovery, the last connection's close)."""


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection; the file is made if it is absent and may be written."""
    with translated(path):
        if read_only:
            # A journal without a WAL beside it may lie on a read-only disk.
            quiet = not path.with_name(path.name + "-wal").exists()
            query = (
                "mode=ro&immutable=1"
                if quiet and not os.access(path.parent, os.W_OK)
                else "mode=ro"
            )
            uri = f"{path.absolute().as_uri()}?{query}"
            return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
        with contextlib.ExitStack() as undone:
            undone.callback(connection.close)
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            undone.pop_all()
        return connection


@contextlib.contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything that is read inside is of one moment, whoever writes meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors in our words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _environment(path, error) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite's own words may be broken
        raise damaged(path, str(error)) from error
    except OSError as error:
        raise _environment(path, error) from error


def _environment(path: Path, error: Exception) -> EnvironmentFailure | JournalDamaged:
    text = str(error)
    if "malformed" in text or "decode" in text:
        return damaged(path, text[:200])
    if "full" in text or "I/O" in text or "No space" in text:
        fix = "free space on that disk, then run the same command again: it resumes"
    elif "readonly" in text or "Permission" in text or "unable to open" in text:
        fix = "make the directory writable, then run the same command again"
    else:
        fix = "run the same command again; `selfsown doctor DIR` looks at the journal"
    return EnvironmentFailure(
        f"`{path}` cannot be used: {text}",
        why="an answer counts only when it is on disk",
        fix=fix,
    )


def damaged(path: Path, text: str) -> JournalDamaged:
    """The error for a journal that cannot be trusted."""
    return JournalDamaged(
        f"`{path}` is damaged: {text}",
        why="each row carries a checksum, and a journal that cannot be trusted is not used",
        fix=f"selfsown doctor {path.parent} --recover NEW_DIR  (copies every intact row)",
    )
