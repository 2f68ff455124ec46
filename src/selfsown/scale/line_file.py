"""A file of lines that is written line by line and appears as a whole, with its facts."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

from selfsown.core.rundir import FileFacts, whole_file


class LineFile:
    """A file that is there, under its name, when the block ends well."""

    def __init__(self, path: Path) -> None:
        self._whole: AbstractContextManager[IO[bytes]] = whole_file(path)
        self._digest, self._rows, self._bytes = hashlib.sha256(), 0, 0

    def put(self, line: bytes) -> None:
        """Write a line; the newline is added."""
        whole = line + b"\n"
        self._handle.write(whole)
        self._digest.update(whole)
        self._rows += 1
        self._bytes += len(whole)

    @property
    def facts(self) -> FileFacts:
        """What has been written so far."""
        return FileFacts(self._digest.hexdigest(), self._rows, self._bytes)

    def __enter__(self) -> LineFile:
        self._handle = self._whole.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._whole.__exit__(kind, error, trace)
