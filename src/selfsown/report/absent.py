"""A section of the report that this run cannot have, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NOT_WRITTEN: Final = "the data files are written when a run ends or is stopped, not before"


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands in for a section's numbers."""

    absent: str
    """The reason, a sentence for people."""
