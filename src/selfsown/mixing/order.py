"""The order of a mixture: every source shuffled as a whole, all sources mixed in their ratio.

Within a source, a pass is in the order of hashes of (seed, source, pass, id): a uniform shuffle
that depends neither on the order in which texts were read nor on what other texts there are.
Sources are then merged by how much of its tokens each has given, so every stretch of the mixture
has the shares of the whole, and a pass over a source is spread over its part of the mixture. A part
of a pass is its beginning: a uniform sample.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from pathlib import Path

from selfsown.mixing.external_sort import MEMORY_BYTES, ExternalSort
from selfsown.mixing.units import Unit


@dataclass(frozen=True, slots=True)
class Drawn:
    """A text at its place in the mixture."""

    source: str
    copy: int
    """Which pass over its source it belongs to, from 0."""
    unit: Unit


class Shelf:
    """The texts of one source, on disk as far as they do not fit in memory."""

    def __init__(
        self, name: str, seed: int, folder: Path, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """Start empty.

        Args:
            name: of the source.
            seed: of the shuffle.
            folder: for scratch files.
            memory_bytes: about how much is held in memory.
        """
        self.name = name
        self.text_count = self.tokens = self.real_tokens = 0
        self._seed, self._folder, self._memory = seed, folder, memory_bytes
        self._first = ExternalSort(folder / "0", memory_bytes)

    def add(self, unit: Unit) -> None:
        """Take a text."""
        self.text_count += 1
        self.tokens += unit.tokens
        self.real_tokens += unit.tokens * (unit.kind == "real")
        self._first.add(self._key(0, unit.id), unit.pack())

    def passes(self) -> Iterator[Drawn]:
        """Pass after pass over the texts, each in an order of its own; ends only if it is empty."""
        for copy in count() if self.text_count else ():
            for packed in self._one_pass(copy):
                yield Drawn(self.name, copy, Unit.unpack(packed))

    def once(self) -> Iterator[Drawn]:
        """The first of these passes."""
        return (Drawn(self.name, 0, Unit.unpack(packed)) for packed in self._one_pass(0))

    def _one_pass(self, copy: int) -> Iterator[bytes]:
        if copy == 0:
            yield from (packed for _, packed in self._first)
            return
        folder = self._folder / str(copy)
        again = ExternalSort(folder, self._memory)
        for _, packed in self._first:
            again.add(self._key(copy, Unit.unpack(packed).id), packed)
        yield from (packed for _, packed in again)
        shutil.rmtree(folder, ignore_errors=True)

    def _key(self, copy: int, name: str) -> bytes:
        whole = f"{self._seed}\0{self.name}\0{copy}\0{name}".encode()
        return blake2b(whole, digest_size=8).digest()


def interleave(shelves: Sequence[Shelf], targets: Sequence[float]) -> Iterator[Drawn]:
    """The mixture: texts of all sources until each has given its tokens, to within half a text.

    Args:
        shelves: the sources.
        targets: tokens of each; a source with 0 gives nothing, any other one text at least.
    """
    streams = [shelf.passes() for shelf in shelves]
    given = [0] * len(shelves)
    due = [(0.0, number) for number, target in enumerate(targets) if target]
    while due:
        _, number = heapq.heappop(due)
        drawn = next(streams[number], None)
        if drawn is None:
            continue
        tokens = drawn.unit.tokens
        if given[number] and given[number] + tokens / 2 > targets[number]:
            continue
        yield drawn
        given[number] += tokens
        if given[number] < targets[number]:
            heapq.heappush(due, (given[number] / targets[number], number))
