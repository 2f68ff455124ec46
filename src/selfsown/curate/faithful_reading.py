"""A text as the faithfulness gate reads it: words with keys and stems, in sentences; read once.

Linear in the length of the text; no word costs more than its length.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache
from typing import Final, Literal, NamedTuple

from selfsown.curate.faithful_words import ABBREVIATIONS, BASES, FUNCTION_WORDS
from selfsown.curate.porter import stem as porter_stem

Kind = Literal["word", "number", "code", "mark"]

LONGEST_WORD: Final = 40
"""Letters of a word that count; no honest word is longer."""

_TOKEN = re.compile(
    r"""(?P<word>[^\W\d_]+(?:(?P<code>\d\w*)|(?:['\u2019][^\W\d_]+)*))
      | (?P<number>\d+(?:[.,:]\d+)*|[\u00bc-\u00be\u2150-\u215e])
      | (?P<mark>[.!?\u2026]+|\n+|[^\w\s])""",
    re.VERBOSE,
)
_OPENING: Final = frozenset("\"\u201c\u00ab\u201e(:[*#>\u2022|-\u2013\u2014'\u2018")


class Token(NamedTuple):
    """A word, a number in digits, a code like B12, or a sign."""

    kind: Kind
    text: str
    key: str
    """Case folded, without accents and without a possessive `'s`; of a sign the sign itself."""
    start: int
    end: int
    sentence: int
    """Number of its sentence, from 0."""
    is_first: bool
    """Whether a capital letter here may be due to the place: after a full stop, colon, quote."""


class Reading:
    """A text in tokens."""

    def __init__(self, text: str) -> None:
        """Read it."""
        self.text = text
        self.tokens: list[Token] = _tokens(text)

    @cached_property
    def keys(self) -> list[str]:
        """Keys of all words, numbers and codes, in order."""
        return [token.key for token in self.tokens if token.kind != "mark"]

    @cached_property
    def content(self) -> list[tuple[str, int]]:
        """Pairs (stem, token index) of the words that carry meaning, numbers among them."""
        return [
            (stem(token.key), index)
            for index, token in enumerate(self.tokens)
            if token.kind != "mark" and token.key not in FUNCTION_WORDS
        ]

    @cached_property
    def sentences(self) -> list[frozenset[str]]:
        """The content stems of each sentence."""
        count = self.tokens[-1].sentence + 1 if self.tokens else 0
        found: list[set[str]] = [set() for _ in range(count)]
        for each, index in self.content:
            found[self.tokens[index].sentence].add(each)
        return [frozenset(stems) for stems in found]

    @cached_property
    def stems(self) -> frozenset[str]:
        """All content stems."""
        return frozenset(each for each, _ in self.content)

    def around(self, first: int, last: int) -> str:
        """The text from one token to another, with up to four tokens before it."""
        start = self.tokens[max(0, first - 4)].start
        return " ".join(self.text[start : self.tokens[last].end].split())[-160:]


@lru_cache(maxsize=1 << 16)
def stem(key: str) -> str:
    """What inflections of a word have in common: irregular forms first, then Porter's stem."""
    return porter_stem(BASES.get(key, key))


@lru_cache(maxsize=1 << 16)
def folded(word: str) -> str:
    """The key of one word: see `Token.key`."""
    key = word[:LONGEST_WORD].casefold().replace("\u2019", "'")
    if not key.isascii():
        parts = unicodedata.normalize("NFKD", key)
        key = "".join(char for char in parts if not unicodedata.combining(char))
    return key[:-2] if key.endswith("'s") and len(key) > 3 else key


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    sentence, ends, is_first = 0, False, True
    for match in _TOKEN.finditer(text):
        group = match.lastgroup
        written = match[0]
        start = match.start()
        if group == "mark":
            if written[0] in ".!?\u2026":
                ends = ends or _ends_sentence(text, match.end(), tokens)
                is_first = is_first or ends
            elif written[0] == "\n":
                is_new = (
                    ends or len(written) > 1 or not text[match.end() : match.end() + 1].islower()
                )
                ends, is_first = is_new, is_first or is_new
            elif written in _OPENING:
                is_first = is_first or written != "-" or ends
            tokens.append(Token("mark", written, written, start, match.end(), sentence, False))
            continue
        if ends:
            sentence += tokens[-1].sentence == sentence
            ends = False
        kind: Kind = "number" if group == "number" else "code" if match["code"] else "word"
        key = written[:LONGEST_WORD] if kind == "number" else folded(written)
        tokens.append(Token(kind, written, key, start, match.end(), sentence, is_first))
        is_first = False
    return tokens


def _ends_sentence(text: str, end: int, before: list[Token]) -> bool:
    """Whether the signs before `end` end a sentence: no initial, abbreviation or decimal point."""
    if text[end : end + 1].isalnum():
        return False
    last = before[-1] if before else None
    if last is None or last.end != end - 1 or text[end - 1] != "." or last.kind != "word":
        return True
    return len(last.text) > 1 and last.key not in ABBREVIATIONS
