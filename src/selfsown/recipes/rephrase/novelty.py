"""How much of the rephrases is new: against their chunks, across styles, and in all.

Texts are compared as sets of runs of 3 words, exactly, within a chunk; runs of all kept texts are
counted as distinct by a sketch of fixed size.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from selfsown.core.request import JSON
from selfsown.curate.shingles import LIKENESS, Likeness, Shingles, shingles

_SKETCH: Final = 1024
"""Smallest hashes kept; the estimate is off by 3 % (one standard error, 1 / sqrt(1022))."""
_SPACE: Final = 2**64


@dataclass(slots=True)
class Distinct:
    """How many different things were seen, by the k-th smallest of their hashes.

    Exact while there are fewer than 1,024. Source: Bar-Yossef et al., "Counting distinct elements
    in a data stream" (RANDOM 2002), algorithm 1.
    """

    seen: int = 0
    """All of them, repeated ones again."""
    _smallest: list[int] = field(default_factory=list)
    """Negated, as a heap: the largest of them is first."""
    _held: set[int] = field(default_factory=set)

    def add(self, things: Shingles) -> None:
        """Count things."""
        self.seen += len(things)
        for thing in things:
            digest = hashlib.blake2b(thing.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            value = int.from_bytes(digest)
            if value in self._held:
                continue
            if len(self._smallest) < _SKETCH:
                heapq.heappush(self._smallest, -value)
                self._held.add(value)
            elif value < -self._smallest[0]:
                self._held.discard(-heapq.heapreplace(self._smallest, -value))
                self._held.add(value)

    @property
    def distinct(self) -> int:
        """The estimate."""
        if len(self._smallest) < _SKETCH:
            return len(self._smallest)
        return round((_SKETCH - 1) * _SPACE / -self._smallest[0])


@dataclass(slots=True)
class Novelty:
    """Near-duplicates among a chunk and its rephrases, and distinct runs over all."""

    _likeness: Likeness = field(default_factory=lambda: Likeness(LIKENESS))
    _compared: Counter[str] = field(default_factory=Counter)
    _alike: Counter[str] = field(default_factory=Counter)
    _originals: Distinct = field(default_factory=Distinct)
    _all: Distinct = field(default_factory=Distinct)

    def add(self, source: str, kept: Mapping[str, str]) -> None:
        """Count the kept rephrases of a chunk, by style."""
        if not kept:
            return
        original = shingles(source)
        of = {name: shingles(text) for name, text in sorted(kept.items())}
        self._originals.add(original)
        for found in (original, *of.values()):
            self._all.add(found)
        for name, found in of.items():
            self._compare(name, original, found)
        for (one, first), (other, second) in combinations(of.items(), 2):
            self._compare(f"{one} | {other}", first, second)

    def form(self) -> dict[str, JSON]:
        """For the manifest: rates of near-duplicates (Jaccard likeness from 0.8 on).

        A style alone is compared with the chunks, `ONE | OTHER` are two styles of one chunk;
        `runs` are those of 3 words of chunks and rephrases together, `distinct` is estimated.
        """
        return {
            "near_duplicates": {
                name: round(self._alike[name] / count, 4)
                for name, count in sorted(self._compared.items())
            },
            "runs": self._all.seen,
            "distinct_runs": self._all.distinct,
            "distinct_runs_of_chunks": self._originals.distinct,
        }

    def _compare(self, name: str, one: Shingles, other: Shingles) -> None:
        self._compared[name] += 1
        self._alike[name] += self._likeness.is_reached(len(one & other), len(one), len(other))
