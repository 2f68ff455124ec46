"""What a judge said of a sample of the texts, summed up for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfsown.core.request import JSON


class Audits:
    """Judgements so far; those that are missing are counted apart, never as low."""

    def __init__(self) -> None:
        """None so far."""
        self._values = 0
        self._sum = 0.0
        self._missing = 0

    def add(self, audit: JSON) -> None:
        """One judgement as a record has it; None if the text was not judged."""
        if not isinstance(audit, Mapping):
            return
        value = audit.get("value")
        if isinstance(value, int | float):
            self._values += 1
            self._sum += value
        else:
            self._missing += 1

    def note(self) -> dict[str, JSON]:
        """How many texts were judged, how many judgements are missing, and the mean of the rest."""
        mean = round(self._sum / self._values, 4) if self._values else None
        return {"judged": self._values, "missing": self._missing, "mean": mean}
