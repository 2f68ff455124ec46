"""The most frequent phrases of a stream in fixed memory: Space-Saving, with its error per phrase.

Exact while no more than `capacity` distinct phrases were seen. Beyond that the least frequent one
makes room, and the newcomer inherits its count: a count is never too low, and too high by at most
`added / capacity`. Every phrase more frequent than that is in the table.
Source: Metwally, Agrawal and El Abbadi 2005, "Efficient computation of frequent and top-k elements
in data streams". Differs from the paper: a heap whose entries are corrected when they come up
replaces the list of buckets; ties go to the phrase that came first, so equal streams give equal
tables.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple


class Hits(NamedTuple):
    """How often a phrase was seen."""

    most: int
    """At least the true count."""
    error: int
    """By how much it may be too high; 0: the count is exact."""

    @property
    def least(self) -> int:
        """At most the true count."""
        return self.most - self.error


class HeavyHitters:
    """Counts of the most frequent phrases, about 300 bytes each."""

    def __init__(self, capacity: int) -> None:
        """An empty table for at most `capacity` phrases, at least 1."""
        self.capacity = capacity
        self.added = 0
        """Phrases seen, repeats included."""
        self._hits: dict[str, Hits] = {}
        self._heap: list[tuple[int, int, str]] = []
        """A count that may be out of date (too low), the phrase's turn, the phrase."""

    def add(self, phrase: str) -> Hits:
        """Count a phrase, and say how often it was seen."""
        self.added += 1
        known = self._hits.get(phrase)
        if known is not None:
            hits = Hits(known.most + 1, known.error)
        else:
            inherited = self._make_room()
            hits = Hits(inherited + 1, inherited)
            heapq.heappush(self._heap, (hits.most, self.added, phrase))
        self._hits[phrase] = hits
        return hits

    def hits(self, phrase: str) -> Hits:
        """What is known of a phrase; of one that is not in the table, at most `max_error`."""
        return self._hits.get(phrase, Hits(0, 0))

    @property
    def max_error(self) -> int:
        """No count is further off than this, and no phrase that was seen more often is missing."""
        full = len(self._hits) >= self.capacity
        return self.added // self.capacity if full else 0

    def top(self, number: int) -> list[tuple[str, Hits]]:
        """The most frequent phrases; equally frequent ones by name."""
        return heapq.nsmallest(number, self._hits.items(), key=lambda hit: (-hit[1].most, hit[0]))

    def __len__(self) -> int:
        """Distinct phrases in the table."""
        return len(self._hits)

    def _make_room(self) -> int:
        """Drop the least frequent phrase if the table is full; its count, else 0."""
        if len(self._hits) < self.capacity:
            return 0
        while True:
            count, turn, phrase = self._heap[0]
            now = self._hits[phrase].most
            if now == count:
                heapq.heappop(self._heap)
                del self._hits[phrase]
                return count
            heapq.heapreplace(self._heap, (now, turn, phrase))
