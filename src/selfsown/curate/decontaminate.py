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

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from selfsown.core.errors import CheckFailed, ConfigError
from selfsown.curate.tokens import tokenize_unicode
from selfsown.curate.verdict import Verdict, drop, keep

REASON: Final = "benchmark_overlap"
"""The reason under which contaminated records are rejected."""

NGRAM: Final = 10
THRESHOLD: Final = 0.5
CONTAINED_FROM: Final = 5
"""Fewest words of an item that is looked for inside a text; shorter ones must be a whole field."""

_LEAST_BLOCK: Final = 6
"""Characters of the shortest matching block that counts."""

How = Literal["equal", "contained", "similar"]


class MissingIndex(CheckFailed):
    """A benchmark that was named has no items in the index."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a benchmark that must not occur in training data."""

    benchmark: str
    id: str
    part: str
    """What of the benchmark's instance it is, for example `question`."""
    text: str
    is_whole: bool = False
    """Only a text with all of its words in a row repeats it, however long it is."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A text repeats an item."""

    benchmark: str
    item: str
    part: str
    how: How
    ratio: float
    """Share of the item's characters that the text repeats, in (0.5, 1]."""


class _Indexed:
    """An item as it is compared."""

    __slots__ = ("item", "joined")

    def __init__(self, item: Item, tokens: Sequence[str]) -> None:
        self.item = item
        self.joined = " ".join(tokens)


class DecontaminationIndex:
    """All items of all benchmarks, and exact answers to "does this text repeat one?".

    Memory is about 100 bytes per word of the items; a text costs about 2 microseconds per word and
    one character comparison per item with which it shares enough 6-character pieces to matter.
    """

    def __init__(self, *, ngram: int = NGRAM, threshold: float = THRESHOLD) -> None:
        """An empty index.

        Args:
            ngram: words in a row that make a text a candidate; at least 5.
            threshold: a text is contaminated above this share of an item, in [0, 1).

        Raises:
            ConfigError: a value is out of range.
        """
        if ngram < CONTAINED_FROM or not 0 <= threshold < 1:
            raise ConfigError(
                f"decontamination with {ngram}-grams above {threshold} makes no sense",
                why=f"n-grams have at least {CONTAINED_FROM} words, and shares lie in [0, 1)",
                fix=f"use {NGRAM} and {THRESHOLD}",
            )
        self._ngram, self._threshold = ngram, threshold
        self._items: list[_Indexed] = []
        self._counts: dict[str, int] = {}
        self._grams: dict[int, list[int]] = {}
        self._short: dict[int, dict[str, list[int]]] = {}
        self._raw: dict[str, list[int]] = {}

    def add(self, item: Item) -> None:
        """Add one item; a blank text protects nothing and is left out."""
        if not item.text.strip():
            return
        tokens = normal_tokens(item.text)
        number = len(self._items)
        entry = _Indexed(item, tokens)
        self._items.append(entry)
        self._counts[item.benchmark] = self._counts.get(item.benchmark, 0) + 1
        if not tokens:
            self._raw.setdefault(item.text.strip(), []).append(number)
        elif len(tokens) < self._ngram:
            self._short.setdefault(len(tokens), {}).setdefault(entry.joined, []).append(number)
        else:
            for gram in set(_grams(tokens, self._ngram)):
                self._grams.setdefault(gram, []).append(number)

    @property
    def benchmarks(self) -> dict[str, int]:
        """Benchmark → how many items it has here."""
        return dict(self._counts)

    def require(self, names: Iterable[str]) -> None:
        """Make sure that every named benchmark is protected.

        Raises:
            MissingIndex: one of them has no items.
        """
        missing = [name for name in names if not self._counts.get(name)]
        if missing:
            raise MissingIndex(
                f"there is no index of {', '.join(f'`{name}`' for name in missing)}",
                why="data would count as clean without having been compared",
                fix="give these benchmarks as suites, or leave them out by name",
            )

    def overlaps(self, text: str, fields: Sequence[str] = ()) -> list[Overlap]:
        """Every item that the text repeats, most of it first, then in order of `add`.

        An item that was added in several wordings is named once, by its best match.

        Args:
            text: the whole text.
            fields: pieces of it that may be a short item as a whole; the text itself is one.
        """
        found = list(self._matches(text, fields))
        found.sort(key=lambda pair: (-pair[1].ratio, pair[0]))
        best: dict[tuple[str, str, str], Overlap] = {}
        for _, overlap in found:
            best.setdefault((overlap.benchmark, overlap.item, overlap.part), overlap)
        return list(best.values())

    def admit(self, text: str, fields: Sequence[str] = ()) -> Verdict:
        """Whether a text may be trained on; a rejection carries the share that decided."""
        found = self.overlaps(text, fields)
        return drop(REASON, found[0].ratio) if found else keep()

    def _matches(self, text: str, fields: Sequence[str]) -> Iterator[tuple[int, Overlap]]:
        tokens = normal_tokens(text)
        whole = {" ".join(normal_tokens(field)) for field in fields} | {" ".join(tokens)}
        raw = {field.strip() for field in (text, *fields)}
        for number in sorted({n for key in raw for n in self._raw.get(key, ())}):
            yield number, self._overlap(number, "equal", 1.0)
        for number, how in sorted(self._short_matches(tokens, whole).items()):
            yield number, self._overlap(number, how, 1.0)
        yield from self._long_matches(tokens)

    def _short_matches(self, tokens: Sequence[str], whole: set[str]) -> dict[int, How]:
        """Numbers of items below the n-gram length that the text has, and how."""
        found: dict[int, How] = {}
        for length, items in self._short.items():
            if length >= CONTAINED_FROM:
                for start in range(len(tokens) - length + 1):
                    for number in items.get(" ".join(tokens[start : start + length]), ()):
                        found[number] = "contained"
            for key in whole:
                for number in items.get(key, ()):
                    found[number] = "equal"
        return found

    def _long_matches(self, tokens: Sequence[str]) -> Iterator[tuple[int, Overlap]]:
        grams = set(_grams(tokens, self._ngram))
        candidates = sorted({n for gram in grams for n in self._grams.get(gram, ())})
        if not candidates:
            return
        joined = " ".join(tokens)
        bounded = f" {joined} "  # or `3, 5, 1` would stand in `3, 5, 12`
        pieces = {joined[i : i + _LEAST_BLOCK] for i in range(len(joined) - _LEAST_BLOCK + 1)}
        for number in candidates:
            item = self._items[number].joined
            if f" {item} " in bounded:
                how: How = "equal" if len(item) == len(joined) else "contained"
                yield number, self._overlap(number, how, 1.0)
            elif self._items[number].item.is_whole:
                continue
            elif _covered(item, pieces) > self._threshold:
                ratio = matched_ratio(joined, item)
                if ratio > self._threshold:
                    yield number, self._overlap(number, "similar", ratio)

    def _overlap(self, number: int, how: How, ratio: float) -> Overlap:
        item = self._items[number].item
        return Overlap(item.benchmark, item.id, item.part, how, ratio)


def normal_tokens(text: str) -> list[str]:
    """The words that are compared: decomposed, without combining marks, case folded."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return tokenize_unicode(text)


def matched_ratio(text: str, item: str) -> float:
    """Share of the item in matching blocks longer than 5 characters, by `difflib`; in [0, 1]."""
    blocks = SequenceMatcher(None, text, item, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= _LEAST_BLOCK) / len(item)


def _covered(item: str, pieces: set[str]) -> float:
    """Upper bound of `matched_ratio`: share of the item in 6-character pieces that the text has."""
    covered, reached = 0, 0
    for start in range(len(item) - _LEAST_BLOCK + 1):
        if item[start : start + _LEAST_BLOCK] in pieces:
            covered += start + _LEAST_BLOCK - max(reached, start)
            reached = start + _LEAST_BLOCK
    return covered / len(item)


def _grams(tokens: Sequence[str], length: int) -> Iterator[int]:
    """64-bit hashes of the runs of `length` tokens; equal hashes only make candidates."""
    for start in range(len(tokens) - length + 1):
        run = " ".join(tokens[start : start + length]).encode("utf-8", "surrogatepass")
        yield int.from_bytes(hashlib.blake2b(run, digest_size=8).digest())
