"""Documents that were there before, by text or by id of their own, with flat memory.

Per document one hash of 8 bytes for its text and one for its own id is kept, each with the place
where the first one's name stands in a temporary file: 24 to 48 bytes per hash, 5 to 10 MB for
100,000 documents with ids. Two different texts of a million have the same hash with a chance of
3e-8; the second one would be reported as `duplicate`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from selfsown.documents.document import Document, Unread, content_id

_FIRST_SLOTS: Final = 1 << 12
_LONGEST_NAME: Final = 300


def without_repeats(items: Iterable[Document | Unread]) -> Iterator[Document | Unread]:
    """The same items, but documents with a text or own id of an earlier one are `Unread`."""
    with _Seen() as texts, _Seen() as ids:
        for item in items:
            yield item if isinstance(item, Unread) else _checked(item, texts, ids)


def _checked(item: Document, texts: _Seen, ids: _Seen) -> Document | Unread:
    name = f"`{item.source}`" if item.source else f"document `{item.id}`"
    source = item.source or item.id
    if first := texts.first(item.text, name):
        return Unread(source, "duplicate", f"its text is that of {first}")
    if item.id != content_id(item.text) and (first := ids.first(item.id, name)):
        return Unread(source, "duplicate_id", f"its id `{item.id[:80]}` is that of {first}")
    return item


class Hashes:
    """Texts that were seen, by their hashes in an open table: 24 to 48 bytes each."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._slots = array("Q", bytes(16 * _FIRST_SLOTS))
        """Hash and number by turns; the hash 0 marks a free slot."""
        self._count = 0

    def first(self, text: str, number: int = 0) -> int | None:
        """The number that came with an equal text before; None if this is the first.

        Args:
            text: is remembered if it is the first.
            number: comes with it, from 0 to 2^64 - 1.
        """
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        key = int.from_bytes(digest) or 1
        slot = _slot(self._slots, key)
        if self._slots[slot]:
            return self._slots[slot + 1]
        self._slots[slot], self._slots[slot + 1] = key, number
        self._count += 1
        if 3 * self._count > len(self._slots):  # two thirds of len / 2 slots are taken
            self._grow()
        return None

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._slots)))
        for at in range(0, len(self._slots), 2):
            if self._slots[at]:
                slot = _slot(larger, self._slots[at])
                larger[slot : slot + 2] = self._slots[at : at + 2]
        self._slots = larger


class _Seen:
    """Texts, each with the name of who had it first."""

    def __init__(self) -> None:
        self._places = Hashes()
        """With the place of the first one's name."""
        self._names = tempfile.TemporaryFile()  # noqa: SIM115 closed by `__exit__`

    def __enter__(self) -> _Seen:
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()

    def first(self, text: str, name: str) -> str:
        """The name of the first with this text; empty if this is the first, which is kept."""
        end = self._names.seek(0, 2)
        place = self._places.first(text, end)
        if place is None:
            self._names.write(json.dumps(name[:_LONGEST_NAME]).encode() + b"\n")
            return ""
        self._names.seek(place)
        return str(json.loads(self._names.readline()))


def _slot(slots: array[int], key: int) -> int:
    """Where a key is, or the free slot where it belongs."""
    size = len(slots) // 2
    at = key % size
    while slots[2 * at] not in (0, key):
        at = (at + 1) % size
    return 2 * at
