"""Whether a text repeats an item of an evaluation set: n-gram index over all items, exact verdicts.

Source: the decontamination of Cosmopedia (Hugging Face blog and code, 2024): a text that shares a
run of 10 words with an item is compared with it character by character, and is contaminated if
matching blocks longer than 5 characters cover more than half of the item.

Differs from the released code, which keeps one item per 10-gram, compares with one item found
through an unordered set, and leaves items of fewer than 10 words unprotected:
1. every item that shares a 10-gram is compared, so verdicts do not depend on order or run;
2. a shorter item is found where its words stand in a row in the text (5 to 9 words), or where a
   field of the text is the item and nothing else (fewer);
3. words are Unicode words, single characters in scripts without spaces; an item without any word
   is compared as it is;
4. asking about a benchmark that has no index is an error, never a pass;
5. an item may ask to be found as a whole only (`Item.is_whole`): where all texts of a domain share
   most of their characters, more than half of an item says nothing.

Not covered: paraphrases, translations, and items that a text repeats in less than half.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.errors import CheckFailed
from selfsown.curate.block_match import BlockMatcher, matched_ratio
from selfsown.curate.item_store import (
    CONTAINED_FROM,
    NGRAM,
    THRESHOLD,
    Item,
    MemoryStore,
    Settings,
    Store,
    Words,
    code_of,
    encoded,
    normal_tokens,
)
from selfsown.curate.verdict import Verdict, drop, keep

__all__ = [
    "CONTAINED_FROM",
    "NGRAM",
    "REASON",
    "THRESHOLD",
    "DecontaminationIndex",
    "Item",
    "MissingIndex",
    "Overlap",
    "matched_ratio",
    "normal_tokens",
]

REASON: Final = "benchmark_overlap"
"""The reason under which contaminated records are rejected."""

How = Literal["equal", "contained", "similar"]


class MissingIndex(CheckFailed):
    """A benchmark that was named has no items in the index."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A text repeats an item."""

    benchmark: str
    item: str
    part: str
    how: How
    ratio: float
    """Share of the item's characters that the text repeats, in (0.5, 1]."""


class DecontaminationIndex:
    """All items of all benchmarks, and exact answers to "does this text repeat one?".

    Items are those that `add` puts into memory and those of index files (`index_file`); answers do
    not depend on which. A text costs about half a microsecond per word and one character comparison
    per item with which it shares enough 6-character pieces to matter.
    """

    def __init__(
        self, *, ngram: int = NGRAM, threshold: float = THRESHOLD, stores: Sequence[Store] = ()
    ) -> None:
        """An index of what other stores hold, and of what is added.

        Args:
            ngram: words in a row that make a text a candidate; at least 5.
            threshold: a text is contaminated above this share of an item, in [0, 1).
            stores: further items, each with settings of its own.

        Raises:
            ConfigError: a value is out of range.
        """
        self.own = MemoryStore(Settings(ngram, threshold))
        """What was added."""
        self._stores: tuple[Store, ...] = (*stores, self.own)

    def add(self, item: Item) -> None:
        """Add one item; a blank text protects nothing and is left out."""
        self.own.add(item)

    @property
    def benchmarks(self) -> dict[str, int]:
        """Benchmark → how many items it has here."""
        counts: dict[str, int] = {}
        for store in self._stores:
            for name, count in store.counts.items():
                counts[name] = counts.get(name, 0) + count
        return counts

    def require(self, names: Iterable[str]) -> None:
        """Make sure that every named benchmark is protected.

        Raises:
            MissingIndex: one of them has no items.
        """
        missing = [name for name in names if not self.benchmarks.get(name)]
        if missing:
            raise MissingIndex(
                f"there is no index of {', '.join(f'`{name}`' for name in missing)}",
                why="data would count as clean without having been compared",
                fix="selfsown decontaminate index FILE --name NAME, or leave them out by name",
            )

    def overlaps(self, text: str, fields: Sequence[str] = ()) -> list[Overlap]:
        """Every item that the text repeats, most of it first, then in order of `add`.

        An item that was added in several wordings is named once, by its best match.

        Args:
            text: the whole text.
            fields: pieces of it that may be a short item as a whole; the text itself is one.
        """
        words = Words(text)
        wholes = {" ".join(normal_tokens(field)) for field in fields} | {words.joined}
        raws = {field.strip() for field in (text, *fields)}
        found = [
            overlap
            for store in self._stores
            for overlap in sorted(_matches(store, words, wholes, raws), key=lambda one: one[0])
        ]
        best: dict[tuple[str, str, str], Overlap] = {}
        for _, overlap in sorted(found, key=lambda pair: -pair[1].ratio):
            best.setdefault((overlap.benchmark, overlap.item, overlap.part), overlap)
        return list(best.values())

    def admit(self, text: str, fields: Sequence[str] = ()) -> Verdict:
        """Whether a text may be trained on; a rejection carries the share that decided."""
        found = self.overlaps(text, fields)
        return drop(REASON, found[0].ratio) if found else keep()


def _matches(
    store: Store, words: Words, wholes: set[str], raws: set[str]
) -> Iterator[tuple[int, Overlap]]:
    """Every item of a store that a text repeats, by number, in any order.

    Args:
        store: what to look into.
        words: of the text.
        wholes: words of the text and of its fields, joined.
        raws: the text and its fields as they are, without space around them.
    """
    equal = dict.fromkeys(_equal(store, "raw", raws)) | dict.fromkeys(
        _equal(store, "whole", wholes)
    )
    for number in equal:
        yield number, _overlap(store, number, "equal", 1.0)
    for number in _contained(store, words) - equal.keys():
        yield number, _overlap(store, number, "contained", 1.0)
    yield from _long_matches(store, words)


def _equal(store: Store, table: Literal["raw", "whole"], texts: set[str]) -> Iterator[int]:
    """Items of a table that are one of these texts."""
    if store.is_empty(table):
        return
    asked = sorted(texts)
    for position, numbers in store.hits(table, map(code_of, asked)):
        for number in numbers:
            if store.compared(number) == asked[position]:
                yield number


def _contained(store: Store, words: Words) -> set[int]:
    """Items below the n-gram length whose words stand in a row in a text."""
    found: set[int] = set()
    if not store.is_empty("head"):
        for first, numbers in store.hits("head", words.codes(CONTAINED_FROM)):
            found.update(n for n in numbers if words.goes_on(first, encoded(store.compared(n))))
    return found


def _long_matches(store: Store, words: Words) -> Iterator[tuple[int, Overlap]]:
    """Items that share an n-gram with a text and are repeated by it."""
    candidates = sorted(_sharing(store, words))
    if not candidates:
        return
    joined = words.joined
    bounded = f" {joined} "  # or `3, 5, 1` would stand in `3, 5, 12`
    text: BlockMatcher | None = None
    for number in candidates:
        item = store.compared(number)
        if f" {item} " in bounded:
            how: How = "equal" if len(item) == len(joined) else "contained"
            yield number, _overlap(store, number, how, 1.0)
        elif store.item(number).is_whole:
            continue
        else:
            text = text or BlockMatcher(joined)
            if ratio := text.ratio_above(item, store.settings.threshold):
                yield number, _overlap(store, number, "similar", ratio)


def _sharing(store: Store, words: Words) -> set[int]:
    """Items that share a run of n-gram length with a text, word by word."""
    length = store.settings.ngram
    found: set[int] = set()
    if len(words) < length or store.is_empty("gram"):
        return found
    for first, numbers in store.hits("gram", words.codes(length)):
        run = f" {words.run(first, length)} "
        found.update(n for n in numbers if n not in found and run in f" {store.compared(n)} ")
    return found


def _overlap(store: Store, number: int, how: How, ratio: float) -> Overlap:
    item = store.item(number)
    return Overlap(item.benchmark, item.id, item.part, how, ratio)
