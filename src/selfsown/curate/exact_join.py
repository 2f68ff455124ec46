"""Which kept texts may be like a new one: a superset that misses none, for short texts.

Source: prefix filtering for set joins (Chaudhuri et al. 2006; Bayardo et al. 2007), in its
asymmetric form. A text of k shingles shares at least ceil(t k) of them with any text that is like
it by Jaccard t, so of any k - ceil(t k) + 1 of its shingles it shares one. A kept text is therefore
indexed under that many, those which the fewest kept texts are indexed under, and a new text asks
for all of its own. No order of shingles has to be fixed beforehand, so the index grows with the
texts, and what is common in them is not indexed.

Shingles are compared by their hashes, which differ between processes. Equal hashes of different
shingles only add candidates, so no decision depends on them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from selfsown.curate.shingles import Likeness, Shingles


class ExactJoin:
    """Kept texts by number, found through shared shingles.

    Memory is 8 bytes per shingle of a text and about 130 per indexed one: for t = 0.8, a fifth of
    them and one more. Where most shingles of most texts are common, as single words are, it
    compares many texts; shingles of 2 words or more are what it is for.
    """

    def __init__(self, likeness: Likeness) -> None:
        """An empty index."""
        self._likeness = likeness
        self._holders: dict[int, int | list[int]] = {}
        self._codes: dict[int, array[int]] = {}

    def candidates(self, of: Shingles) -> list[int]:
        """Numbers of the kept texts whose hashed shingles are enough like those of a text."""
        codes = set(map(hash, of))
        likeness, size = self._likeness, len(of)
        low, high = likeness.least_shared(size), likeness.largest(size)
        enough: list[int] = []
        for number in self._sharing(codes):
            other = self._codes[number]
            if low <= len(other) <= high:
                shared = sum(map(codes.__contains__, other))  # never fewer than are shared
                if likeness.is_reached(shared, size, len(other)):
                    enough.append(number)
        return enough

    def add(self, number: int, of: Shingles) -> None:
        """Index a text under its rarest shingles; one without any is never found."""
        if not of:
            return
        known = self._holders
        codes = array("q", map(hash, of))
        self._codes[number] = codes
        count = len(codes) - self._likeness.least_shared(len(codes)) + 1
        rare = [code for code in codes if code not in known]
        if len(rare) < count:
            rare = sorted(codes, key=self._crowd)
        for code in rare[:count]:
            holders = known.setdefault(code, number)
            if isinstance(holders, list):
                holders.append(number)
            elif holders != number:
                known[code] = [holders, number]

    def _sharing(self, codes: Iterable[int]) -> set[int]:
        """Kept texts that are indexed under one of these."""
        found: set[int] = set()
        get = self._holders.get
        for code in codes:
            holders = get(code)
            if holders is None:
                continue
            if isinstance(holders, int):
                found.add(holders)
            else:
                found.update(holders)
        return found

    def _crowd(self, code: int) -> int:
        """How many texts are indexed under a shingle."""
        holders = self._holders.get(code, ())
        return 1 if isinstance(holders, int) else len(holders)
