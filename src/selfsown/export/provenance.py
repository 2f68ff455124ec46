"""The provenance rows of a run, found by record id in any order.

The first few are looked for in the file itself, where a line of ours begins with its id. For more,
an index from id to file offset lies in a temporary SQLite database that spills to disk, so memory
stays flat whatever the size of the run.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import orjson

from selfsown.core.request import JSON
from selfsown.export.run_files import read_jsonl_places, string

_BLOCK_BYTES: Final = 1 << 16
_FEW: Final = 16
"""Rows that are looked for without an index; each may cost a pass over the file at memory speed."""


class ProvenanceIndex:
    """Looks provenance rows up by id."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._file = stack.enter_context(path.open("rb")) if path.is_file() else None
        self._looked_for = 0
        self._index: sqlite3.Connection | None = None

    def find(self, record_id: str) -> dict[str, JSON] | None:
        """The provenance row of a record; None if the run has none of that id.

        Raises:
            InputError: a line of the file is not a JSON object.
        """
        if self._file is None:
            return None
        self._looked_for += 1
        place = self._place(self._file, record_id) if self._looked_for <= _FEW else None
        if place is None:
            self._index = self._index or self._indexed()
            sql = "SELECT offset FROM rows WHERE id=?"
            found = self._index.execute(sql, (record_id,)).fetchone()
            if found is None:
                return None
            place = found[0]
        self._file.seek(place)
        row = orjson.loads(self._file.readline())
        return row if isinstance(row, dict) else None

    def _place(self, file: IO[bytes], record_id: str) -> int | None:
        """Where the line of a record begins, if it begins as `core/stages.py` writes it."""
        begin = b'\n{"id":' + orjson.dumps(record_id) + b","
        file.seek(0)
        block, start = b"\n", -1  # as if a line ended before the file
        while more := file.read(_BLOCK_BYTES):
            block += more
            found = block.find(begin)
            if found >= 0:
                return start + found + 1
            kept = min(len(begin) - 1, len(block))
            start += len(block) - kept
            block = block[len(block) - kept :]
        return None

    def _indexed(self) -> sqlite3.Connection:
        index = self._stack.enter_context(contextlib.closing(sqlite3.connect("")))
        index.execute("CREATE TABLE rows(id TEXT PRIMARY KEY, offset INTEGER) WITHOUT ROWID")
        places = ((string(row.get("id")), at) for at, row in read_jsonl_places(self._path))
        index.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", places)
        return index


@contextlib.contextmanager
def open_provenance(run_dir: Path) -> Iterator[ProvenanceIndex]:
    """The rows of `provenance.jsonl` of a run directory; none where the file is missing."""
    with contextlib.ExitStack() as stack:
        yield ProvenanceIndex(run_dir / "provenance.jsonl", stack)
