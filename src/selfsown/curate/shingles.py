"""A text as the set of its word n-grams, and how much of their sets two texts share."""

from __future__ import annotations

from collections.abc import Sequence, Set
from fractions import Fraction
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.curate.tokens import tokenize_unicode

Shingles = Set[str]

SHINGLE: Final = 3
"""Words of a shingle."""
LIKENESS: Final = 0.8
"""Jaccard likeness from which on two texts are near-duplicates."""


def shingles(text: str, words: int = SHINGLE) -> frozenset[str]:
    """The distinct runs of `words` words, as `tokenize_unicode` reads them, joined by spaces.

    A shorter text is one shingle, all of it; one without any word is one shingle as it stands, and
    a blank one has none.
    """
    stripped = text.strip()
    return shingles_of(tokenize_unicode(text), words) or frozenset((stripped,) if stripped else ())


def shingles_of(tokens: Sequence[str], words: int = SHINGLE) -> frozenset[str]:
    """The same of a text in tokens that have no spaces; without any there are none."""
    if len(tokens) > words:
        runs = zip(*(tokens[start:] for start in range(words)), strict=False)
        return frozenset(map(" ".join, runs))
    return frozenset((" ".join(tokens),) if tokens else ())


class Likeness:
    """From which share of common shingles on two texts are alike; exact, in integers."""

    def __init__(self, threshold: float) -> None:
        """A Jaccard likeness in (0, 1]: shared shingles / distinct shingles of both.

        Raises:
            ConfigError: it is outside.
        """
        if not 0 < threshold <= 1:
            raise ConfigError(
                f"a likeness of {threshold} makes no sense",
                why="the Jaccard likeness of two different texts lies in [0, 1)",
                fix=f"use a number like {LIKENESS}",
            )
        exact = Fraction(str(threshold))  # 0.55 of 20 shingles are 11, not 11.000000000000002
        self._part, self._whole = exact.numerator, exact.denominator

    def is_reached(self, shared: int, one: int, other: int) -> bool:
        """Whether sets of these sizes with so many common members are alike."""
        return shared * self._whole >= self._part * (one + other - shared)

    def is_exceeded(self, shared: int, one: int, other: int) -> bool:
        """Whether they are more than just alike."""
        return shared * self._whole > self._part * (one + other - shared)

    def least_shared(self, size: int) -> int:
        """Shingles that any text must share with one of `size` shingles to be like it."""
        return -(-self._part * size // self._whole)

    def fits(self, one: int, other: int) -> bool:
        """Whether sets of these sizes can be alike at all."""
        return min(one, other) * self._whole >= self._part * max(one, other)

    def largest(self, size: int) -> int:
        """Most shingles of a text that can be like one of `size` shingles."""
        return size * self._whole // self._part
