"""How much chaos, from which seed, and the tables that come of it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What a section is given."""

    seed: int = 0
    share: float = 1.0
    """Of the full number of cases: 1 for `make chaos`, less for the tests."""
    documents: tuple[Path, ...] = ()
    """Folders of documents for the section of that name; empty: the guides of this repository."""

    def count(self, full: int, *, least: int = 1) -> int:
        """So many of `full` cases."""
        return max(least, round(full * self.share))

    def rng(self, purpose: str) -> random.Random:
        """A generator of this purpose's own."""
        return random.Random(f"{self.seed} {purpose}")


@dataclass
class Table:
    """One printed table. What must be zero is counted in `wrong`, with words for each."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    note: str = ""
    began: float = field(default_factory=time.monotonic)

    def add(self, *cells: object) -> None:
        """One row."""
        self.rows.append([str(cell) for cell in cells])

    def check(self, holds: bool, words: str) -> bool:
        """Remember what does not hold."""
        if not holds:
            self.wrong.append(words)
        return holds

    def __str__(self) -> str:
        """Columns as wide as they need; the first is set to the left."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.columns))]
        said = [f"{self.title} ({time.monotonic() - self.began:.0f} s)"]
        for line in lines:
            cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            said.append("  ".join(["", line[0].ljust(widths[0]), *cells]))
        if self.note:
            said.append(f"  {self.note}")
        said += [f"  WRONG: {words}" for words in self.wrong]
        return "\n".join(said)
