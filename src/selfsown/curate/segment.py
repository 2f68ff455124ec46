"""One block of at most 65,536 pool texts, indexed so that all of them are bounded at once.

A *key* is a token together with its occurrence number (first "the", second "the", ...), so that the
keys two texts share are their common multiset of tokens: never fewer than their LCS. Per key the
block holds the set of its texts, as a list while the key is rare and as a big integer afterwards;
per length the set of texts of that length.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from selfsown.curate.bitsets import at_least, by_count, count_planes, from_hits
from selfsown.curate.lcs import f_measure

SEGMENT_TEXTS = 65_536
"""Texts per block: positions fit 16 bits, and a set of 8 kB stays in the processor's cache."""

_RARE_TEXTS = 64
_Group = tuple[int, tuple[int, ...]]


class Similarity:
    """Which F-measures count as too similar, and the least LCS that reaches them."""

    def __init__(self, threshold: float, keep_equal: bool) -> None:
        self.threshold = threshold
        self.keep_equal = keep_equal
        self._needed: dict[tuple[int, int], int] = {}

    def is_reached(self, score: float) -> bool:
        """Whether `score` is too similar: above the threshold, or at it unless equal is kept."""
        return score > self.threshold or (score == self.threshold and not self.keep_equal)

    def needed(self, a_length: int, b_length: int) -> int:
        """The least LCS >= 1 that makes texts of these lengths too similar.

        It may exceed both lengths: then they never are.
        """
        pair = (a_length, b_length)
        found = self._needed.get(pair)
        if found is None:
            found = max(1, int(self.threshold * (a_length + b_length) / 2))
            while found > 1 and self.is_reached(f_measure(found - 1, a_length, b_length)):
                found -= 1
            while not self.is_reached(f_measure(found, a_length, b_length)):
                found += 1
            self._needed[pair] = found
        return found

    def needed_in_range(self, length: int, low: int, high: int) -> int | None:
        """The least LCS any text of `low` to `high` tokens needs; None when none can be."""
        closest = min(max(length, low), high)
        if self.needed(length, closest) > min(length, closest):
            return None
        return self.needed(length, low)


class Segment:
    """A growing block of texts, each a list of keys, numbered from 0 in order of `add`."""

    def __init__(self, limit: Similarity) -> None:
        self.size = 0
        self._limit = limit
        self._rare: dict[int, array[int]] = {}
        self._common: dict[int, int] = {}
        self._of_length: dict[int, int] = {}
        self._lengths: list[int] = []
        self._groups: dict[int, tuple[_Group, ...]] = {}

    def add(self, keys: Sequence[int]) -> None:
        """Append the text with these keys; without any it takes a number, matching nothing."""
        bit = 1 << self.size
        for key in keys:
            if key in self._common:
                self._common[key] |= bit
                continue
            texts = self._rare.setdefault(key, array("H"))
            texts.append(self.size)
            if len(texts) > _RARE_TEXTS:
                (self._common[key],) = from_hits([self._rare.pop(key)], self.size + 1)
        length = length_class(len(keys))
        if length not in self._of_length:
            insort(self._lengths, length)
            self._groups.clear()
        self._of_length[length] = self._of_length.get(length, 0) | bit
        self.size += 1

    def too_similar(self, keys: Sequence[int], length: int) -> int:
        """The set of texts that share enough keys to be too similar; a superset of those that are.

        `keys` are those of the candidate's keys that the pool knows, `length` all its tokens.
        """
        if not keys:
            return 0
        groups = self._groups.get(length)
        if groups is None:
            groups = self._groups[length] = tuple(self._needed_groups(length))
        if not groups or groups[0][0] > len(keys):
            return 0
        planes = self._planes(keys)
        enough = at_least(planes, groups[0][0], (1 << self.size) - 1)
        found = 0
        for needed, lengths in groups:
            if not enough:
                break
            among = 0
            for of_length in lengths:
                among |= self._of_length[of_length]
            enough = at_least(planes, needed, enough)
            found |= enough & among
        return found

    def by_bound(self, keys: Sequence[int], length: int) -> Iterator[tuple[float, int]]:
        """Pairs (upper bound of the F-measure, set of texts), highest bound first.

        All texts that share a key occur once; the bound takes the shared keys as the LCS.
        """
        sharing = {
            count: texts
            for count, texts in by_count(self._planes(keys), (1 << self.size) - 1)
            if count
        }
        heap: list[tuple[float, int, int]] = []
        for count in sharing:
            self._push(heap, length, count, bisect_left(self._lengths, length_class(count)))
        while heap:
            negative, count, position = heapq.heappop(heap)
            self._push(heap, length, count, position + 1)
            texts = sharing[count] & self._of_length[self._lengths[position]]
            if texts:
                yield -negative, texts

    def _push(
        self, heap: list[tuple[float, int, int]], length: int, count: int, position: int
    ) -> None:
        if position < len(self._lengths):
            other = max(count, self._lengths[position])
            heapq.heappush(heap, (-f_measure(count, length, other), count, position))

    def _planes(self, keys: Sequence[int]) -> list[int]:
        common, rare = self._common, self._rare
        sets = [common[key] for key in keys if key in common]
        hits = [rare[key] for key in keys if key in rare]
        return count_planes(sets + from_hits(hits, self.size))

    def _needed_groups(self, length: int) -> Iterator[_Group]:
        """Pairs (least LCS, length classes that need it), ascending."""
        groups: dict[int, list[int]] = {}
        for low in self._lengths:
            needed = self._limit.needed_in_range(length, low, last_of_class(low)) if low else None
            if needed is not None:
                groups.setdefault(needed, []).append(low)
        for needed, lows in sorted(groups.items()):
            yield needed, tuple(lows)


def length_class(length: int) -> int:
    """The class of a text length, named by its least member: exact below 64, then 32 per octave."""
    shift = max(0, length.bit_length() - 6)
    return length >> shift << shift


def last_of_class(low: int) -> int:
    """The greatest length in the class that `low` names."""
    return low + (1 << max(0, low.bit_length() - 6)) - 1
