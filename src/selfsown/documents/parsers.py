"""Several processes that parse HTML and PDF, ahead of where their texts are asked for.

How many there are changes no document and no order, only the time.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final

from selfsown.core.request import JSON
from selfsown.documents.apart import Apart
from selfsown.documents.options import ReadOptions

_MOST: Final = 16
Known = dict[str, JSON]


class Parsers:
    """A pool of `Apart`, each driven by a thread; both begin when there is work for them."""

    def __init__(self, options: ReadOptions, processes: int | None = None) -> None:
        """Start nothing yet.

        Args:
            options: how files are read.
            processes: at most so many; None: one per processor, 16 at most.
        """
        count = processes or min(_MOST, os.cpu_count() or 1)
        self.ahead = 2 * count
        """How many files may be begun before the first of them is asked for."""
        self._all = [Apart(options) for _ in range(count)]
        self._free: SimpleQueue[Apart] = SimpleQueue()
        for one in reversed(self._all):
            self._free.put(one)
        self._threads = ThreadPoolExecutor(count)

    def __enter__(self) -> Parsers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._all:
            one.stop()
        self._threads.shutdown(cancel_futures=True)
        for one in self._all:
            one.close()

    def begin(self, path: Path, form: str) -> Future[Known]:
        """Parse a file; the result is what `Apart.read` gives or raises."""
        return self._threads.submit(self._read, path, form)

    def _read(self, path: Path, form: str) -> Known:
        one = self._free.get()
        try:
            return one.read(path, form)
        finally:
            self._free.put(one)
