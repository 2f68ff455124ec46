"""Sort more records than memory holds: sorted runs on disk, merged when they are read.

Equal keys stay in the order in which they were added, so the result is a function of what was added
and nothing else. Disk: the records once, twice while many runs are merged into fewer.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from struct import Struct
from typing import Final

FAN_IN: Final = 64
"""Runs that are open at once."""
MEMORY_BYTES: Final = 64 * 2**20
_OVERHEAD_BYTES: Final = 160
"""Of a record in memory, beside its key and value: a tuple and two byte strings."""
_LEAST_BUFFER, _MOST_BUFFER = 1 << 10, 1 << 20
_HEAD: Final = Struct("<II")
_KEY: Final = itemgetter(0)

Entry = tuple[bytes, bytes]
"""Key and value."""


class ExternalSort:
    """Takes records in any order; gives them back by key, as often as wanted."""

    def __init__(self, folder: Path, memory_bytes: int = MEMORY_BYTES) -> None:
        """Start empty.

        Args:
            folder: where runs are written, if there are any; made then, and of this sort alone.
            memory_bytes: about how much is held in memory; one record may be more.
        """
        self._folder, self._memory = folder, memory_bytes
        self._held: list[Entry] = []
        self._held_bytes = 0
        self._runs: list[Path] = []
        self._made = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        value = bytes(memoryview(value))  # a copy: what orjson makes keeps up to ten times its size
        self._held.append((key, value))
        self._held_bytes += len(key) + len(value) + _OVERHEAD_BYTES
        if self._held_bytes >= self._memory:
            self._spill()

    def __iter__(self) -> Iterator[Entry]:
        """All records in the order of their keys."""
        if not self._runs:
            self._held.sort(key=_KEY)
            yield from self._held
            return
        if self._held:
            self._spill()
        while len(self._runs) > FAN_IN:
            groups = [self._runs[at : at + FAN_IN] for at in range(0, len(self._runs), FAN_IN)]
            self._runs = [self._merged(group) for group in groups]
        yield from self._merge(self._runs)

    def _spill(self) -> None:
        self._held.sort(key=_KEY)
        self._runs.append(self._write(self._held))
        self._held, self._held_bytes = [], 0

    def _merged(self, runs: list[Path]) -> Path:
        """One run of several neighbours, which go."""
        if len(runs) == 1:
            return runs[0]
        whole = self._write(self._merge(runs))
        for run in runs:
            run.unlink()
        return whole

    def _merge(self, runs: Sequence[Path]) -> Iterator[Entry]:
        """The records of several runs; their buffers share the memory."""
        share = max(_LEAST_BUFFER, min(_MOST_BUFFER, self._memory // len(runs)))
        return heapq.merge(*(_read(run, share) for run in runs), key=_KEY)

    def _write(self, entries: Iterable[Entry]) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._made:06d}.run"
        self._made += 1
        with path.open("wb") as file:
            for key, value in entries:
                file.write(_HEAD.pack(len(key), len(value)) + key + value)
        return path


def _read(path: Path, buffer_bytes: int) -> Iterator[Entry]:
    with path.open("rb", buffering=buffer_bytes) as file:
        while head := file.read(_HEAD.size):
            key_size, value_size = _HEAD.unpack(head)
            whole = file.read(key_size + value_size)
            yield whole[:key_size], whole[key_size:]
