"""A section of the report that this run cannot have, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands in for a section's numbers."""

    absent: str
    """The reason, a sentence for people."""
