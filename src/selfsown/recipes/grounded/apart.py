"""What no training record may repeat: held-out documents and the items that were made of them.

In a run, held-out passages come first, so all of it is known before the first training record. A
run knows its own documents alone; `Across` is the same over all runs of a merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from selfsown.core.request import JSON
from selfsown.core.rundir import INPUTS, read_lines
from selfsown.curate.decontaminate import DecontaminationIndex
from selfsown.curate.decontaminate import Item as Protected
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.documents.document import Document, document_rows
from selfsown.evaluate.overlap import row_overlaps
from selfsown.export.run_files import mapping, string
from selfsown.recipes.grounded.guard import Guard
from selfsown.recipes.grounded.options import Options
from selfsown.recipes.grounded.reader import DOCUMENTS, HELD_OUT, NEAR

TOUCHES: Final = "repeats_held_out"
"""Why a record is rejected that repeats an item or a sentence of a held-out document."""

_COPIED: Final = 0.8
"""Share of a quotation's runs of words above which it is a held-out document's, too: sentences of
one pattern about different things share half of theirs."""
_LONG_WORDS: Final = 10
"""Words from which on an answer or a quotation is protected by itself."""


class Apart:
    """The held-out items so far, and the words of held-out documents."""

    def __init__(self, guard: Guard) -> None:
        """Start without items; `guard` has the words of the documents."""
        self._guard, self._items = guard, DecontaminationIndex()

    def protect(self, name: str, item: Mapping[str, JSON]) -> None:
        """Remember a held-out item by the id and the fields of its record."""
        asked, given = str(item["instruction"]), str(item["input"])
        question = f"{asked}\n{given}" if given else asked
        self._items.add(Protected(HELD_OUT, name, "question", question))
        for part in ("evidence", "output"):
            text = str(item[part])
            if len(text.split()) >= _LONG_WORDS:
                self._items.add(Protected(HELD_OUT, name, part, text))

    def touches(self, record: Mapping[str, JSON]) -> float:
        """How much of a held-out item it repeats, or of its proof a held-out document has.

        0.0 if that is not too much. A passage may have a sentence of a held-out document and yet
        be near none.
        """
        if found := row_overlaps(texts(record), self._items):
            return found[0].ratio
        share = self._guard.share(str(record["evidence"]))
        return share if share > _COPIED else 0.0


class Across:
    """What no record of merged runs may repeat: what any of them holds out."""

    name = "apart from what any of the runs holds out"

    def __init__(self, options: Options, directories: Sequence[Path]) -> None:
        """Read what the runs hold out.

        Args:
            options: of the first of them.
            directories: of all.
        """
        found = [(directory, *_held_out(directory)) for directory in directories]
        self._near = options.held_out.near
        self._guard = Guard(_texts(found))
        self._apart = Apart(self._guard)
        for _, _, items in found:
            for name, item in items.items():
                self._apart.protect(name, item)

    def judge(self, record: Mapping[str, JSON]) -> Verdict:
        """Whether a training record is far enough from all of it."""
        share = self._guard.share(str(record["passage"]))
        if share > self._near:
            return drop(NEAR, share)
        touched = self._apart.touches(record)
        return drop(TOUCHES, touched) if touched else keep()


def texts(record: Mapping[str, JSON]) -> dict[str, JSON]:
    """What a trainer or a reader of a record sees."""
    return {name: record[name] for name in ("instruction", "input", "output", "evidence")}


def _held_out(directory: Path) -> tuple[set[str], dict[str, Mapping[str, JSON]]]:
    """The ids of a run's held-out documents, and the kept items that were made of them."""
    documents: set[str] = set()
    items: dict[str, Mapping[str, JSON]] = {}
    for line in map(mapping, read_lines(directory / "provenance.jsonl")):
        record = mapping(line.get("record"))
        if line.get("stage") == DOCUMENTS and record.get("side") == HELD_OUT:
            documents.add(string(record.get("id")))
        elif line.get("stage") == HELD_OUT and line.get("end") == "passed":
            items[string(line.get("id"))] = record
    return documents, items


def _texts(
    found: Iterable[tuple[Path, set[str], Mapping[str, Mapping[str, JSON]]]],
) -> Iterator[str]:
    """The held-out documents of the runs; of merges, which keep none, the passages of items."""
    for directory, documents, items in found:
        yield from (string(item.get("passage")) for item in items.values())
        rows = map(mapping, read_lines(directory / INPUTS / "rows.jsonl"))
        for one in document_rows(rows):
            if isinstance(one, Document) and one.id in documents:
                yield one.text
