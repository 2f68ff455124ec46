"""What a finished run hands back: its manifest, and its records read from disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsown.core.rundir import read_lines


class Records(Iterable[dict[str, Any]]):
    """The records of one data file, read anew at each iteration; `len` without reading."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path, self._rows = path, rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for value in read_lines(self._path):
            assert isinstance(value, dict)
            yield value

    def __len__(self) -> int:
        return self._rows


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run."""

    directory: Path
    manifest: Mapping[str, Any]

    @property
    def stop(self) -> str:
        """Why it ended: `target`, `saturated`, `rows`, ..."""
        return str(self.manifest["data"]["stop"])

    @property
    def accepted(self) -> Records:
        """Accepted records: the payload (for row recipes: the row and what was added) and `id`."""
        return self._records("accepted.jsonl")

    @property
    def rejected(self) -> Records:
        """Rejected candidates with `reason`, `score` and `record`."""
        return self._records("rejected.jsonl")

    @property
    def failed(self) -> Records:
        """Failed candidates with `error` and `record`."""
        return self._records("failed.jsonl")

    def _records(self, name: str) -> Records:
        return Records(self.directory / name, self.manifest["data"]["files"][name]["rows"])
