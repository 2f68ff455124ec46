"""Chunks of one document as one text again, in their order; what is missing is told.

A chunk that a filter rejected leaves a hole: the text goes on behind it, and the hole is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.request import JSON
from selfsown.core.token_counts import Counter
from selfsown.mixing.external_sort import MEMORY_BYTES, ExternalSort
from selfsown.mixing.units import Passage, Unit

_JOINT: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Hole:
    """A text that lacks chunks of its document."""

    source: str
    id: str
    doc_id: str
    style: str
    chunks: int
    """That the document has."""
    missing: tuple[int, ...]
    """Their numbers, from 0."""

    def row(self) -> dict[str, JSON]:
        """As a line of the list."""
        return {
            "source": self.source,
            "id": self.id,
            "doc_id": self.doc_id,
            "style": self.style,
            "chunks": self.chunks,
            "missing": list(self.missing),
        }


class Joiner:
    """Takes passages in any order; gives one text per document and style."""

    def __init__(
        self, source: str, count: Counter, folder: Path, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """Start empty.

        Args:
            source: name of the source, for the list of holes.
            count: tokens of a text.
            folder: for scratch files.
            memory_bytes: about how much is held in memory; the text of one document may be more.
        """
        self._source, self._count = source, count
        self._sort = ExternalSort(folder, memory_bytes)

    def add(self, passage: Passage) -> None:
        """Take a passage."""
        unit = passage.unit
        key = orjson.dumps(unit.doc_id) + f"\0{passage.index:010d}\0{passage.style}".encode()
        place = orjson.dumps([passage.style, passage.index, passage.count])
        self._sort.add(key, place + b"\n" + unit.pack())

    def __iter__(self) -> Iterator[tuple[Unit, Hole | None]]:
        """The joined texts by id of the document, each with what it lacks.

        Chunks that people wrote, such as code that a run passed on as it stands, belong to the text
        of every style. Where a chunk came more than once, its second occurrence is in a second
        text, and so on.
        """
        passages = (_unpacked(value) for _, value in self._sort)
        for doc_id, group in groupby(passages, key=lambda one: one.unit.doc_id):
            for style, texts in _by_style(group).items():
                for variant, found in enumerate(texts):
                    name = ":".join(filter(None, (doc_id, style, str(variant or ""))))
                    yield self._joined(name, found), self._hole(name, style, found)

    def _joined(self, name: str, passages: list[Passage]) -> Unit:
        units = [passage.unit for passage in passages]
        text = _joined_text([unit.text for unit in units])
        records = [unit.id for unit in units]
        parents = [parent for unit in units for parent in unit.parents]
        return replace(
            units[0],
            id=name,
            kind="real" if all(unit.kind == "real" for unit in units) else "synthetic",
            text=text,
            tokens=self._count(text),
            model_depth=max(unit.model_depth for unit in units),
            parents=tuple(dict.fromkeys([*records, *parents])),
        )

    def _hole(self, name: str, style: str, passages: list[Passage]) -> Hole | None:
        there = {passage.index for passage in passages}
        chunks = max(max(there) + 1, *(passage.count for passage in passages))
        missing = tuple(index for index in range(chunks) if index not in there)
        if not missing:
            return None
        return Hole(self._source, name, passages[0].unit.doc_id, style, chunks, missing)


def _by_style(passages: Iterator[Passage]) -> dict[str, list[list[Passage]]]:
    """The passages of one document, in order, as its texts by style."""
    written: dict[str, list[Passage]] = {}
    unchanged: list[Passage] = []
    for passage in passages:
        if passage.unit.kind == "real":
            unchanged.append(passage)
        else:
            written.setdefault(passage.style, []).append(passage)
    if not written:
        return {unchanged[0].style: _variants(unchanged)}
    return {
        style: [_filled(text, unchanged) for text in _variants(own)]
        for style, own in sorted(written.items())
    }


def _variants(passages: list[Passage]) -> list[list[Passage]]:
    """Passages in order as texts that have every chunk once at most."""
    found: list[list[Passage]] = []
    for _, same in groupby(passages, key=lambda one: one.index):
        for variant, passage in enumerate(same):
            if variant == len(found):
                found.append([])
            found[variant].append(passage)
    return found


def _filled(passages: list[Passage], unchanged: list[Passage]) -> list[Passage]:
    """A text with the chunks that have no other style, where it lacks them."""
    there = {passage.index: passage for passage in reversed(unchanged)}
    there |= {passage.index: passage for passage in passages}
    return [there[index] for index in sorted(there)]


def _joined_text(texts: list[str]) -> str:
    """Texts with a blank line between them, where they do not bring one."""
    parts = texts[:1]
    for before, text in pairwise(texts):
        lines = len(before) - len(before.rstrip("\n")) + len(text) - len(text.lstrip("\n"))
        parts += [_JOINT[min(lines, len(_JOINT)) :], text]
    return "".join(parts)


def _unpacked(value: bytes) -> Passage:
    place, _, packed = value.partition(b"\n")
    style, index, count = orjson.loads(place)
    return Passage(Unit.unpack(packed), style, index, count)
