"""Where the items of benchmarks are kept, and how a text finds those it may repeat.

Four tables lead from a 32-bit code to the numbers of items: every run of words of a long item
(`gram`), the first five words of a short one (`head`), all words of a short one (`whole`), and the
text of an item without words (`raw`). Codes are CRC-32, which is the same everywhere and cheap;
what has an equal code is compared, so codes never decide.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal, NamedTuple, Protocol
from zlib import crc32

from selfsown.core.errors import ConfigError
from selfsown.curate.tokens import tokenize_unicode

NGRAM: Final = 10
THRESHOLD: Final = 0.5
CONTAINED_FROM: Final = 5
"""Fewest words of an item that is looked for inside a text; shorter ones must be a whole field."""

Table = Literal["gram", "head", "whole", "raw"]
TABLES: Final[tuple[Table, ...]] = ("gram", "head", "whole", "raw")


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


class Settings(NamedTuple):
    """When a text repeats an item."""

    ngram: int = NGRAM
    """Words in a row that make a text a candidate; at least 5."""
    threshold: float = THRESHOLD
    """A text is contaminated above this share of an item, in [0, 1)."""

    def checked(self) -> Settings:
        """The settings themselves.

        Raises:
            ConfigError: a value is out of range.
        """
        if self.ngram < CONTAINED_FROM or not 0 <= self.threshold < 1:
            raise ConfigError(
                f"decontamination with {self.ngram}-grams above {self.threshold} makes no sense",
                why=f"n-grams have at least {CONTAINED_FROM} words, and shares lie in [0, 1)",
                fix=f"use {NGRAM} and {THRESHOLD}",
            )
        return self


class Words:
    """The words of a text, as they are compared, and where each stands."""

    __slots__ = ("_ends", "_starts", "bytes", "joined")

    def __init__(self, text: str) -> None:
        """Read a text."""
        self.joined = " ".join(normal_tokens(text))
        """All words with one space between them."""
        self.bytes = encoded(self.joined)
        sizes = [len(word) for word in self.bytes.split(b" ")] if self.joined else []
        self._starts = list(accumulate((size + 1 for size in sizes), initial=0))
        self._ends = [start + size for start, size in zip(self._starts, sizes, strict=False)]

    def __len__(self) -> int:
        return len(self._ends)

    def codes(self, length: int) -> list[int]:
        """The code of each run of `length` words, by its first word."""
        data = self.bytes
        ends = self._ends[length - 1 :]
        return [crc32(data[start:end]) for start, end in zip(self._starts, ends, strict=False)]

    def run(self, first: int, length: int) -> str:
        """The words of a run."""
        run = self.bytes[self._starts[first] : self._ends[first + length - 1]]
        return run.decode("utf-8", "surrogatepass")

    def goes_on(self, first: int, words: bytes) -> bool:
        """Whether these words stand in the text from a word on, and end where a word ends."""
        start = self._starts[first]
        end = start + len(words)
        return self.bytes.startswith(words, start) and self.bytes[end : end + 1] in (b"", b" ")


class Store(Protocol):
    """Items by number, in the order in which they were added."""

    settings: Settings

    @property
    def counts(self) -> Mapping[str, int]:
        """Benchmark → how many items it has here."""

    def item(self, number: int) -> Item:
        """An item; its text may be the compared form."""

    def compared(self, number: int) -> str:
        """Its words joined by spaces, or without words its text without space around it."""

    def is_empty(self, table: Table) -> bool:
        """Whether no item is in a table."""

    def hits(self, table: Table, codes: Iterable[int]) -> Iterator[tuple[int, Sequence[int]]]:
        """Of the codes that items have: their positions and the numbers of these items."""


class MemoryStore:
    """Items in dictionaries, about 130 bytes per word."""

    def __init__(self, settings: Settings) -> None:
        """No items."""
        self.settings = settings.checked()
        self.counts: dict[str, int] = {}
        self.tables: dict[Table, dict[int, list[int]]] = {name: {} for name in TABLES}
        self.items: list[tuple[Item, str]] = []
        """Each with its compared form."""

    def add(self, item: Item) -> None:
        """Add one item; a blank text protects nothing and is left out."""
        if not item.text.strip():
            return
        number, words = len(self.items), Words(item.text)
        self.items.append((item, words.joined or item.text.strip()))
        self.counts[item.benchmark] = self.counts.get(item.benchmark, 0) + 1
        for table, code in _codes_of(item, words, self.settings.ngram):
            self.tables[table].setdefault(code, []).append(number)

    def item(self, number: int) -> Item:
        """An item."""
        return self.items[number][0]

    def compared(self, number: int) -> str:
        """Its compared form."""
        return self.items[number][1]

    def is_empty(self, table: Table) -> bool:
        """Whether no item is in a table."""
        return not self.tables[table]

    def hits(self, table: Table, codes: Iterable[int]) -> Iterator[tuple[int, Sequence[int]]]:
        """Positions and numbers of items."""
        known = self.tables[table]
        for position, code in enumerate(codes):
            if code in known:
                yield position, known[code]

    def pairs(self, table: Table) -> tuple[array[int], array[int]]:
        """All codes of a table, sorted, and the number that each leads to."""
        known = self.tables[table]
        codes, numbers = array("I"), array("I")
        for code in sorted(known):
            codes.extend([code] * len(known[code]))
            numbers.extend(known[code])
        return codes, numbers


def normal_tokens(text: str) -> list[str]:
    """The words that are compared: decomposed, without combining marks, case folded."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return tokenize_unicode(text)


def encoded(text: str) -> bytes:
    """The bytes by which texts are coded and compared; also of lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def code_of(text: str) -> int:
    """The code of a whole text."""
    return crc32(encoded(text))


def _codes_of(item: Item, words: Words, ngram: int) -> list[tuple[Table, int]]:
    """Under which codes an item is found."""
    if not words.joined:
        return [("raw", code_of(item.text.strip()))]
    if len(words) >= ngram:
        return [("gram", code) for code in sorted(set(words.codes(ngram)))]
    codes: list[tuple[Table, int]] = [("whole", code_of(words.joined))]
    if len(words) >= CONTAINED_FROM:
        codes.append(("head", words.codes(CONTAINED_FROM)[0]))
    return codes
