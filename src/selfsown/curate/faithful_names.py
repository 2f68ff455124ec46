"""Capitalised names of a text that its source does not have in any case, form or as initials.

Covered: names within a sentence, names of several words at its start, acronyms ("WHO" for the words
it stands for, and those words for "WHO"), possessives, nationalities ("Spain", "Spanish"). Not
covered: one unknown word at the start of a sentence (any word is capitalised there), names written
small, headings in title case, languages that capitalise nouns or have no capitals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Final

from selfsown.curate.faithful_reading import Reading, Token, stem
from selfsown.curate.faithful_words import FUNCTION_WORDS, words
from selfsown.curate.number_words import CALENDAR

_SUFFIXES: Final = (
    *("ians", "ian", "eans", "ean", "ans", "an", "ese", "ish", "ites", "ite", "ics", "ic", "ers"),
    *("er", "ists", "ist", "ism", "i", "is", "s", "es", "n", "ns"),
)
_RELATED: Final = {
    word: group
    for group in (
        "france french frenchman frenchmen frenchwoman",
        "netherlands dutch holland hollanders",
        "britain british uk english england",
        "america american americans us usa states",
        "greece greek greeks hellenic",
        "denmark danish dane danes",
        "switzerland swiss",
        "germany german germans",
        "wales welsh",
        "ireland irish irishman",
        "scotland scottish scot scots scotsman",
        "spain spanish spaniard spaniards",
        "poland polish pole poles",
        "turkey turkish turk turks",
        "finland finnish finn finns",
        "sweden swedish swede swedes",
        "norway norwegian norwegians",
        "iceland icelandic icelander icelanders",
        "portugal portuguese",
        "peru peruvian peruvians",
        "europe european europeans eu",
        "egypt egyptian egyptians",
        "thailand thai thais",
        "christ christian christians christianity",
        "islam islamic muslim muslims",
        "jew jews jewish judaism",
        "netherlandish flemish flanders",
        "new york ny nyc",
    )
    for word in group.split()
}
_NEVER_NAMES: Final = words("""
    i i'm i've i'll i'd mr mrs ms miss dr prof sir madam lord lady st saint ok okay yes earth moon
    sun god internet web bible am pm ad bc bce ce question answer questions answers q a note
    example step table figure north south east west northern southern eastern western
    tv dna dear hello hi king queen president
    """)
_GENERIC: Final = words("""
    games river lake city town ocean sea mount mountain mountains island islands peninsula war
    century museum university institute company church cathedral temple street road school prize
    act law republic kingdom empire state states union society party movement canal bridge tower
    palace day age ages era period revolution battle treaty king's queen's peninsula desert
    """)
"""What may stand beside a name that the source has: "the Sahara Desert"."""
_INNER: Final = words("of the and de von van der la le di du al el bin ibn for in")


@dataclass(frozen=True, slots=True)
class Name:
    """A run of capitalised words."""

    first: int
    """Index of its first token."""
    last: int
    """Index of its last token."""


def names(reading: Reading) -> list[Name]:
    """The names of a text, in order; see the module for what is taken for one."""
    return [name for name in _runs(reading.tokens) if not _is_heading(reading, name)]


class Names:
    """What the words of a source bear out."""

    def __init__(self, source: Reading) -> None:
        """Collect them."""
        self._keys = set(source.keys)
        self._source = source
        self._letters = {key for key in self._keys if 2 <= len(key) <= 6}

    def unborne(self, text: Reading) -> list[Name]:
        """The names of which a word is not in the source, in order."""
        found: list[Name] = []
        for name in names(text):
            tokens = [token for token in text.tokens[name.first : name.last + 1] if _counts(token)]
            if len(tokens) > 1 and tokens[0].is_first and all(map(self._bears, tokens[1:])):
                continue  # "Nowadays Sweden"
            borne = [self._bears(token) for token in tokens]
            if all(borne) or (any(borne) and self._rest_is_generic(tokens, borne)):
                continue
            initials = "".join(token.key[0] for token in tokens)
            if len(initials) > 1 and initials in self._letters:
                continue
            found.append(name)
        return found

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(map(stem, self._keys))

    @cached_property
    def _roots(self) -> frozenset[str]:
        return frozenset(root for key in self._keys for root in _roots(key))

    @cached_property
    def _related(self) -> frozenset[str]:
        return frozenset(_RELATED[key] for key in self._keys if key in _RELATED)

    @cached_property
    def _initials(self) -> str:
        return _initials(self._source.tokens)

    @cached_property
    def _pairs(self) -> frozenset[str]:
        """Initials of two capitalised words side by side."""
        tokens = self._source.tokens
        return frozenset(
            one.key[0] + other.key[0]
            for one, other in pairwise(tokens)
            if _is_capital(one) and _is_capital(other)
        )

    @staticmethod
    def _rest_is_generic(tokens: Sequence[Token], borne: Sequence[bool]) -> bool:
        pairs = zip(tokens, borne, strict=True)
        return all(is_borne or token.key in _GENERIC for token, is_borne in pairs)

    def _bears(self, token: Token) -> bool:
        key = token.key
        if key in self._keys or stem(key) in self._stems or _RELATED.get(key) in self._related:
            return True
        if token.text.isupper() and (key in self._initials if len(key) > 2 else key in self._pairs):
            return True
        if not self._roots.isdisjoint(_roots(key)):
            return True
        return "'" in key and key.partition("'")[0] in self._keys


def _runs(tokens: Sequence[Token]) -> Iterator[Name]:
    """Runs of capitalised words; at the start of a sentence only runs of two or more."""
    index = 0
    while index < len(tokens):
        if not _is_capital(tokens[index]):
            index += 1
            continue
        first = last = index
        while True:
            following = last + 1
            while following < len(tokens) and (
                tokens[following].key in _INNER or tokens[following].key == "-"
            ):
                following += 1
            is_next = following < len(tokens) and _is_capital(tokens[following])
            if not is_next or tokens[following].is_first or following - last > 3:
                break
            last = following
        index = last + 1
        if tokens[first].is_first:
            if first == last and not _is_shouted(tokens[first]):
                continue
            if tokens[first].key in FUNCTION_WORDS or tokens[first].key.endswith(
                ("ing", "ly", "ed")
            ):
                first = _next_capital(tokens, first, last)
        if any(_counts(token) for token in tokens[first : last + 1]):
            yield Name(first, last)


def _next_capital(tokens: Sequence[Token], first: int, last: int) -> int:
    at = first + 1
    while at < last and not _is_capital(tokens[at]):
        at += 1
    return at


def _is_capital(token: Token) -> bool:
    return token.kind in ("word", "code") and token.text[0].isupper()


def _is_shouted(token: Token) -> bool:
    return len(token.text) > 1 and token.text.isupper()


def _counts(token: Token) -> bool:
    """Whether a word of a run can be new: capitalised, no title, no function word, no date."""
    return (
        _is_capital(token)
        and len(token.key) > 1
        and token.key not in _NEVER_NAMES
        and token.key not in FUNCTION_WORDS
        and token.key not in CALENDAR
    )


def _is_heading(reading: Reading, name: Name) -> bool:
    """Whether the name stands in a line in title case or in capitals, which shows no names."""
    tokens = reading.tokens
    low, high = name.first, name.last
    while low > 0 and name.first - low < 12 and not tokens[low - 1].text.startswith("\n"):
        low -= 1
    while high + 1 < len(tokens) and high - name.last < 12 and tokens[high + 1].text[0] != "\n":
        high += 1
    line = [token for token in tokens[low : high + 1] if token.kind == "word"]
    if len(line) > 12 or (high + 1 < len(tokens) and tokens[high].key in (".", ",")):
        return False
    if tokens[high].text[0] in ".!?" or len(line) < 3:
        return False
    long = [token for token in line if token.key not in FUNCTION_WORDS]
    return len(long) >= 3 and all(token.text[0].isupper() for token in long)


@lru_cache(maxsize=1 << 16)
def _roots(key: str) -> tuple[str, ...]:
    """A word, and what is left of it without the endings of peoples and languages."""
    if len(key) < 4:
        return (key,)
    found = {key, key.rstrip("aeiouy") if len(key.rstrip("aeiouy")) > 2 else key}
    for suffix in _SUFFIXES:
        if key.endswith(suffix) and len(key) - len(suffix) >= 3:
            rest = key[: -len(suffix)]
            found.add(rest)
            bare = rest.rstrip("aeiouy")
            if len(bare) > 2:
                found.add(bare)
    return tuple(found)


def _initials(tokens: Sequence[Token]) -> str:
    """First letters of all words; then, after a blank, of the words that carry meaning."""
    words = [token for token in tokens if token.kind == "word"]
    content = [token.key[0] for token in words if token.key not in FUNCTION_WORDS]
    return "".join(token.key[0] for token in words) + " " + "".join(content)
