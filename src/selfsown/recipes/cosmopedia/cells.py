"""Which style and audience comes next for a topic: whichever is furthest behind its share.

Every cell (style x audience) of a topic has a clock that each text moves on by 1 / share, and the
cell whose clock is behind all others is next (stride scheduling). Clocks start at random phases of
the topic, so that topics with few documents do not all begin with the same cells.

A text that was rejected or failed moves the clock half as far: later documents make up for some of
the loss, and a cell of which no text can be used gets at most twice its share of the documents.
Memory: three counts per topic, style and audience.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from selfsown.core.request import JSON
from selfsown.recipes.cosmopedia.registry import Cell

_LOSS: Final = 0.5
"""What a text counts that was not kept."""
_LISTED: Final = 200
"""Cells of a note, those with most missing first."""


@dataclass(slots=True)
class _Topic:
    """What was made of one topic so far, by number of the cell."""

    kept: array[int]
    under_way: array[int]
    asked: array[int]

    def moved(self, number: int) -> float:
        """How far the clock of a cell was moved on, before its share is taken into account."""
        present = self.kept[number] + self.under_way[number]
        return present + _LOSS * (self.asked[number] - present)


class Cells:
    """The texts of each topic x style x audience, kept in balance."""

    def __init__(
        self, cells: Sequence[Cell], quota: int | None, phases: Callable[[str], Random]
    ) -> None:
        """Begin without texts.

        Args:
            cells: what may be asked for.
            quota: most texts of a topic in each cell, where all shares are equal; where they are
                not, a cell has its share of what that would be in all.
            phases: topic → the generator of its phases, the same whenever it is asked for.
        """
        self._cells = cells
        self._phases = phases
        self._most = [
            None if quota is None else math.ceil(quota * len(cells) * cell.share - 1e-9)
            for cell in cells
        ]
        self._topics: dict[str, _Topic] = {}

    def choose(self, topic: str, count: int) -> list[int]:
        """Numbers of the next cells of a topic, each once; fewer than `count` if it is full."""
        state, rng = self._of(topic), self._phases(topic)
        clocks = [
            (rng.random() + state.moved(number)) / cell.share
            for number, cell in enumerate(self._cells)
        ]
        free = [number for number in range(len(clocks)) if not self._is_full(state, number)]
        return sorted(free, key=clocks.__getitem__)[:count]

    def cell(self, number: int) -> Cell:
        """Style and audience of a number."""
        return self._cells[number]

    def may_open(self, topic: str) -> bool:
        """Whether a topic that is full now may have room when what is under way has ended."""
        return any(self._of(topic).under_way)

    def begin(self, topic: str, number: int) -> None:
        """A text is under way."""
        state = self._of(topic)
        state.under_way[number] += 1
        state.asked[number] += 1

    def end(self, topic: str, number: int, *, is_kept: bool) -> None:
        """It has ended."""
        state = self._of(topic)
        state.under_way[number] -= 1
        state.kept[number] += is_kept

    def note(self) -> dict[str, JSON]:
        """What came out: kept texts by style and audience, and what is missing where.

        Without a quota nothing is missing. With one, a cell is short by quota - kept; cells of
        topics that no document has are not known here.
        """
        kept: Counter[str] = Counter()
        short: list[tuple[int, str, int]] = []
        for topic, state in self._topics.items():
            for number, cell in enumerate(self._cells):
                kept[f"{cell.style}/{cell.audience}"] += state.kept[number]
                missing = (self._most[number] or 0) - state.kept[number]
                if missing > 0:
                    short.append((missing, topic, number))
        short.sort(key=lambda one: (-one[0], one[1], one[2]))
        return {
            "topics": len(self._topics),
            "kept": dict(sorted(kept.items())),
            "short_cells": len(short),
            "short_texts": sum(missing for missing, _, _ in short),
            "short": [self._missing(*one) for one in short[:_LISTED]],
        }

    def _missing(self, missing: int, topic: str, number: int) -> JSON:
        cell, state = self._cells[number], self._topics[topic]
        return {
            "topic": topic,
            "style": cell.style,
            "audience": cell.audience,
            "wanted": self._most[number],
            "asked": state.asked[number],
            "kept": state.kept[number],
            "missing": missing,
        }

    def _is_full(self, state: _Topic, number: int) -> bool:
        most = self._most[number]
        return most is not None and state.kept[number] + state.under_way[number] >= most

    def _of(self, topic: str) -> _Topic:
        if topic not in self._topics:
            kept, under_way, asked = (array("I", [0]) * len(self._cells) for _ in range(3))
            self._topics[topic] = _Topic(kept, under_way, asked)
        return self._topics[topic]
