"""How much of a sample is copied from the rows that the model was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from selfsown.curate.exact_join import ExactJoin
from selfsown.curate.shingles import LIKENESS, Likeness, shingles_of
from selfsown.guard.ngrams import ngrams_of

RUN: Final = 50
"""Tokens of an exact run that makes a copy."""


class NearCopies:
    """An index of training rows that says which new rows are near copies of one of them.

    A row is a near copy if it shares a run of 50 tokens with a training row, or if more than 0.8 of
    the shingles (3 tokens; the whole row if it is shorter) of both are shared. Tokens are those of
    `curate.tokens.tokenize_unicode`.

    The likeness is exact: an exact join finds the rows to compare with, and misses none.
    """

    def __init__(self, rows: Iterable[Sequence[str]]) -> None:
        """Index tokenised training rows; memory grows with their text."""
        self._runs: set[int] = set()
        self._likeness = Likeness(LIKENESS)
        self._join = ExactJoin(self._likeness)
        self._rows: list[str] = []
        for row in rows:
            self._runs.update(hash(run) for run in ngrams_of(row, RUN))
            self._join.add(len(self._rows), shingles_of(row))
            self._rows.append(" ".join(row))

    def is_copy(self, row: Sequence[str]) -> bool:
        """Whether the row is a near copy; an empty row is none."""
        if not row:
            return False
        if any(hash(run) in self._runs for run in ngrams_of(row, RUN)):
            return True
        own = shingles_of(row)
        others = (shingles_of(self._rows[number].split()) for number in self._join.candidates(own))
        return any(
            self._likeness.is_exceeded(len(own & other), len(own), len(other)) for other in others
        )
