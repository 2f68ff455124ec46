"""The provenance rows of a run, found by record id in any order.

The first few are looked for in the file itself, where a line of ours begins with its id. For more,
an index from id to file offset lies in a temporary SQLite database that spills to disk, so memory
stays flat whatever the size of the run.
"""

from __future__ import annotations

import contextlib
import mmap
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.request import JSON
from selfsown.export.run_files import read_jsonl_places, string

_FEW: Final = 16
"""Rows that are looked for without an index; each may cost a pass over the file at memory speed."""


class ProvenanceIndex:
    """Looks provenance rows up by id."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._file = stack.enter_context(path.open("rb")) if path.is_file() else None
        self._text: mmap.mmap | None = None
        if self._file is not None and path.stat().st_size:
            mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            self._text = stack.enter_context(mapped)
        self._looked_for = 0
        self._index: sqlite3.Connection | None = None

    def find(self, record_id: str) -> dict[str, JSON] | None:
        """The provenance row of a record; None if the run has none of that id.

        Raises:
            InputError: a line of the file is not a JSON object.
        """
        if self._file is None or self._text is None:
            return None
        self._looked_for += 1
        place = self._place(record_id) if self._looked_for <= _FEW else None
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

    def _place(self, record_id: str) -> int | None:
        """Where the line of a record begins, if it begins as `core/stages.py` writes it."""
        assert self._text is not None
        begin = b'{"id":' + orjson.dumps(record_id) + b","
        if self._text[: len(begin)] == begin:
            return 0
        found = self._text.find(b"\n" + begin)
        return None if found < 0 else found + 1

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
