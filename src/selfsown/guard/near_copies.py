"""How much of a sample is copied from the rows that the model was trained on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from selfsown.guard.ngrams import Ngram, ngrams_of

RUN: Final = 50
"""Tokens of an exact run that makes a copy."""
LIKENESS: Final = 0.8
"""Jaccard likeness of shingles above which a row is a copy."""
SHINGLE: Final = 3


class NearCopies:
    """An index of training rows that says which new rows are near copies of one of them.

    A row is a near copy if it shares a run of 50 tokens with a training row, or if more than 0.8 of
    the shingles (3 tokens; the whole row if it is shorter) of both are shared.

    The likeness is exact, from an inverted index, not estimated
    by MinHash.
    """

    def __init__(self, rows: Iterable[Sequence[str]]) -> None:
        """Index tokenised training rows; memory grows with their distinct shingles."""
        self._runs: set[int] = set()
        self._sizes: list[int] = []
        self._holders: defaultdict[Ngram, list[int]] = defaultdict(list)
        for row in rows:
            self._runs.update(hash(run) for run in ngrams_of(row, RUN))
            shingles = _shingles(row)
            for shingle in shingles:
                self._holders[shingle].append(len(self._sizes))
            self._sizes.append(len(shingles))

    def is_copy(self, row: Sequence[str]) -> bool:
        """Whether the row is a near copy; an empty row is none."""
        if not row:
            return False
        if any(hash(run) in self._runs for run in ngrams_of(row, RUN)):
            return True
        shingles = _shingles(row)
        shared = Counter(
            holder for shingle in shingles for holder in self._holders.get(shingle, ())
        )
        return any(
            count > LIKENESS * (len(shingles) + self._sizes[holder] - count)
            for holder, count in shared.items()
        )


def _shingles(row: Sequence[str]) -> set[Ngram]:
    return set(ngrams_of(row, min(SHINGLE, max(1, len(row)))))
