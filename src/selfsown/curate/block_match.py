"""How much of an item stands in a text, in matching blocks of more than 5 characters, by `difflib`.

`difflib` compares every character with every other of its kind, tens of milliseconds for a page and
a question. Two upper bounds come first, so that it is asked only about texts that may repeat an
item; neither changes an answer.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

LEAST_BLOCK: Final = 6
"""Characters of the shortest matching block that counts."""

_MOST_POINTS: Final = 4
"""Common pieces per character of the text beyond which `difflib` is asked at once."""


class BlockMatcher:
    """A text that items are compared with."""

    def __init__(self, text: str) -> None:
        """Note where each piece of 6 characters stands."""
        self._text = text
        self._places: dict[str, list[int]] = {}
        for place in range(len(text) - LEAST_BLOCK + 1):
            self._places.setdefault(text[place : place + LEAST_BLOCK], []).append(place)

    def ratio_above(self, item: str, threshold: float) -> float | None:
        """`matched_ratio` of an item if it is above the threshold, else None."""
        if self._covered(item) <= threshold or self._chained(item) <= threshold:
            return None
        ratio = matched_ratio(self._text, item)
        return ratio if ratio > threshold else None

    def _covered(self, item: str) -> float:
        """Upper bound: share of the item in 6-character pieces that the text has anywhere."""
        covered, reached = 0, 0
        for start in range(len(item) - LEAST_BLOCK + 1):
            if item[start : start + LEAST_BLOCK] in self._places:
                covered += start + LEAST_BLOCK - max(reached, start)
                reached = start + LEAST_BLOCK
        return covered / len(item)

    def _chained(self, item: str) -> float:
        """Upper bound: the most that blocks in the same order in both can cover.

        `difflib` finds such blocks, though not always the best. A point is a piece at one place of
        each; a chain goes on with the next point of its diagonal, which covers one character more,
        or with a point behind the whole block, which covers 6.
        """
        rows = [
            self._places.get(item[start : start + LEAST_BLOCK], ())
            for start in range(len(item) - LEAST_BLOCK + 1)
        ]
        if sum(map(len, rows)) > _MOST_POINTS * len(self._text):
            return 1.0
        best = _PrefixMaximum(len(self._text))
        chains: list[dict[int, int]] = []
        for number, places in enumerate(rows):
            if number >= LEAST_BLOCK:
                for place, length in chains[number - LEAST_BLOCK].items():
                    best.raise_to(place + LEAST_BLOCK, length)
            before = chains[-1] if chains else {}
            chains.append(
                {
                    place: max(best.up_to(place) + LEAST_BLOCK, before.get(place - 1, -1) + 1)
                    for place in places
                }
            )
        return max((length for row in chains for length in row.values()), default=0) / len(item)


def matched_ratio(text: str, item: str) -> float:
    """Share of the item in matching blocks longer than 5 characters, by `difflib`; in [0, 1]."""
    blocks = SequenceMatcher(None, text, item, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= LEAST_BLOCK) / len(item)


class _PrefixMaximum:
    """The largest value at places up to one (a Fenwick tree); 0 where nothing is."""

    def __init__(self, size: int) -> None:
        self._tree = [0] * (size + 2)

    def raise_to(self, place: int, value: int) -> None:
        """Let the value at a place be at least this."""
        tree, place = self._tree, place + 1
        while place < len(tree):
            if tree[place] < value:
                tree[place] = value
            place += place & -place

    def up_to(self, place: int) -> int:
        """The largest value at this place and all before it."""
        tree, place, best = self._tree, place + 1, 0
        while place:
            if tree[place] > best:
                best = tree[place]
            place &= place - 1
        return best
