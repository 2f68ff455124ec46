"""Whether a text nearly repeats an earlier one: candidates from an index, then exact Jaccard.

Texts are compared as sets of word n-grams (`shingles`), and every candidate is verified, so that no
text is ever dropped for one that it is not like. What finds the candidates decides what is missed:

- `exact` misses nothing (`exact_join`);
- `minhash` finds a pair with the probability of its S-curve (`minhash`);
- `auto` takes `exact` for every pair whose smaller text has at most 64 shingles, and `minhash` for
  the others and where a shingle is one word.

The first text is kept and what repeats it goes, so the same texts in the same order give the same
decisions, in any process and under any hash seed. A text is compared with *kept* ones: of a chain
in which each is like the next, the first and what is not like it stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import maxsize
from typing import Final, Literal, NamedTuple

from selfsown.core.errors import ConfigError
from selfsown.curate.exact_join import ExactJoin
from selfsown.curate.minhash import BANDS, ROWS, Banding, MinHashIndex
from selfsown.curate.shingles import LIKENESS, SHINGLE, Likeness, Shingles, shingles
from selfsown.curate.steps import Check, filter_step
from selfsown.curate.verdict import Verdict, drop, keep

Method = Literal["auto", "exact", "minhash"]

REASON: Final = "near_duplicate"
EXACT_UP_TO: Final = 64
"""Shingles of the texts that `auto` joins exactly: at that length the join holds 14 of them in
1.8 kB, where signatures in 20 bands take 1.1 kB, and takes 1.5 times the CPU."""


class Repeat(NamedTuple):
    """The kept text that a text is most like."""

    number: int
    """Of the kept text, from 0 in order of `add`."""
    likeness: float
    """Here the Jaccard likeness: shared shingles / distinct shingles of both; at most 1."""


class NearDuplicates:
    """A growing set of kept texts that knows which new texts nearly repeat one of them.

    Keeps the texts themselves, to verify against; a long list of texts in memory costs no more.
    """

    def __init__(
        self,
        threshold: float = LIKENESS,
        *,
        words: int = SHINGLE,
        method: Method = "exact",
        banding: Banding | None = None,
    ) -> None:
        """An empty set.

        Args:
            threshold: Jaccard likeness from which on a text repeats another, in (0, 1].
            words: words of a shingle, at least 1.
            method: what finds candidates.
            banding: of `minhash` and `auto`; 20 bands of 7 rows if None.

        Raises:
            ConfigError: a value is out of range.
            MissingExtra: `method` needs a package that is not installed.
        """
        if words < 1 or method not in ("auto", "exact", "minhash"):
            raise ConfigError(
                f"near-duplicates by shingles of {words} words, found by `{method}`, make no sense",
                why="a shingle has at least 1 word, and candidates are found by auto, exact or"
                " minhash",
                fix=f"use {SHINGLE} and `exact`",
            )
        self._words = words
        self._likeness = Likeness(threshold)
        if method == "auto" and words == 1:
            method = "minhash"
        self._ranges: list[tuple[ExactJoin | MinHashIndex, int, int]] = []
        if method != "minhash":
            most = maxsize if method == "exact" else self._likeness.largest(EXACT_UP_TO)
            self._ranges.append((ExactJoin(self._likeness), 0, most))
        if method != "exact":
            least = 0 if method == "minhash" else EXACT_UP_TO + 1
            self._ranges.append((MinHashIndex(banding or Banding()), least, maxsize))
        self._texts: list[str] = []
        self._sizes: list[int] = []
        self._last: tuple[str, Shingles] = ("", frozenset())

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Keep a text and return its number."""
        of, number = self._shingles(text), len(self._texts)
        self._texts.append(text)
        self._sizes.append(len(of))
        for index in self._indexes(len(of)):
            index.add(number, of)
        return number

    def nearest(self, text: str) -> Repeat | None:
        """The kept text that it is most like, the first of equals; None if it is like none."""
        of = self._shingles(text)
        numbers = {number for index in self._indexes(len(of)) for number in index.candidates(of)}
        best: Repeat | None = None
        for number in sorted(numbers):
            if not self._likeness.fits(len(of), self._sizes[number]):
                continue
            other = shingles(self._texts[number], self._words)
            shared = len(of & other)
            if self._likeness.is_reached(shared, len(of), len(other)):
                jaccard = shared / (len(of) + len(other) - shared)
                if best is None or jaccard > best.likeness:
                    best = Repeat(number, jaccard)
        return best

    def text(self, number: int) -> str:
        """The kept text of a number."""
        return self._texts[number]

    def admit(self, text: str) -> Verdict:
        """Whether a text may be kept; a rejection carries the likeness."""
        found = self.nearest(text)
        return drop(REASON, found.likeness) if found else keep()

    def _indexes(self, size: int) -> Sequence[ExactJoin | MinHashIndex]:
        """Where a text of so many shingles is looked for and kept.

        With `auto`, of two texts that are alike and not both in the bands, the smaller has at most
        64 shingles and the other at most 64 / threshold: both are in the join.
        """
        return [index for index, low, high in self._ranges if low <= size <= high]

    def _shingles(self, text: str) -> Shingles:
        """The shingles of a text; the last ones are remembered, since `add` follows `nearest`."""
        if self._last[0] is not text:
            self._last = (text, shingles(text, self._words))
        return self._last[1]


class _Memory:
    """The check of `near_duplicate`: what was accepted before is remembered."""

    def __init__(self, kept: NearDuplicates) -> None:
        self._kept = kept

    def __call__(self, text: str) -> Verdict:
        return self._kept.admit(text)

    def add(self, text: str) -> None:
        """A text was accepted."""
        self._kept.add(text)


@filter_step("near_duplicate")
def near_duplicate(
    *,
    threshold: float = LIKENESS,
    words: int = SHINGLE,
    method: Method = "exact",
    bands: int = BANDS,
    rows: int = ROWS,
) -> Check:
    """Drop a text that nearly repeats an accepted one; the score is their Jaccard likeness.

    With `words=1` words in another order repeat each other, and `minhash` needs the extra `curate`.
    """
    banding = Banding(bands, rows)
    return _Memory(NearDuplicates(threshold, words=words, method=method, banding=banding))
