"""Rare labels: the categories, skills or languages that a collapsing model forgets first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selfsown.guard.intervals import Mask

RARE_MASS: Final = 0.2


class HumanLabels:
    """The labels of the human reference and which of them are rare.

    Rare are the least frequent labels that together hold at most a fifth of the labelled rows, and
    always the least frequent one.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        """Count labels; empty ones are not counted."""
        self.counts = Counter(label for label in labels if label)
        self.total = self.counts.total()
        self.rare: list[str] = []
        mass = 0
        for label, count in sorted(self.counts.items(), key=lambda item: (item[1], item[0])):
            mass += count
            if self.rare and mass > RARE_MASS * self.total:
                break
            self.rare.append(label)

    def recall(self, labels: Sequence[str], mask: Mask) -> float:
        """Share of the rare labels that occur in the rows of the mask, in [0, 1]."""
        seen = {label for label, inside in zip(labels, mask, strict=True) if inside}
        return sum(label in seen for label in self.rare) / max(1, len(self.rare))
