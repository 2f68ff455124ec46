"""The provenance rows of a run, found by record id in any order.

An index from id to file offset lies in a temporary SQLite database that spills to disk, so memory
stays flat whatever the size of the run.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import orjson

from selfsown.core.request import JSON
from selfsown.export.run_files import read_jsonl_places, string


class ProvenanceIndex:
    """Looks provenance rows up by id."""

    def __init__(self, file: IO[bytes] | None, index: sqlite3.Connection) -> None:
        self._file = file
        self._index = index

    def find(self, record_id: str) -> dict[str, JSON] | None:
        """The provenance row of a record; None if the run has none of that id."""
        found = self._index.execute("SELECT offset FROM rows WHERE id=?", (record_id,)).fetchone()
        if found is None or self._file is None:
            return None
        self._file.seek(found[0])
        row = orjson.loads(self._file.readline())
        return row if isinstance(row, dict) else None


@contextlib.contextmanager
def open_provenance(run_dir: Path) -> Iterator[ProvenanceIndex]:
    """Index `provenance.jsonl` of a run directory; empty where the file is missing.

    Raises:
        InputError: a line is not a JSON object.
    """
    path = run_dir / "provenance.jsonl"
    with contextlib.ExitStack() as stack:
        index = stack.enter_context(contextlib.closing(sqlite3.connect("")))
        index.execute("CREATE TABLE rows(id TEXT PRIMARY KEY, offset INTEGER) WITHOUT ROWID")
        file = stack.enter_context(path.open("rb")) if path.is_file() else None
        if file is not None:
            places = ((string(row.get("id")), at) for at, row in read_jsonl_places(path))
            index.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", places)
        yield ProvenanceIndex(file, index)
