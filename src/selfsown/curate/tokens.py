"""Two comparison keys for a text: the tokens of `rouge_score`, and a Unicode-aware variant.

The texts themselves are never rewritten; tokens exist only to be compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from selfsown.core.errors import ConfigError

TokenizerName = Literal["paper", "unicode"]
Tokenizer = Callable[[str], list[str]]

_ASCII_WORDS = re.compile(r"[a-z0-9]+")

_SPACED_WORDS = re.compile(r"[^\W_]+")
# Letters, digits and signs of Latin, Greek and Cyrillic and typographic signs: no mark, no format
# character (soft hyphen, Greek number signs apart), no script without spaces.
_SPACED = re.compile(
    "[\0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20c0]*"
)

# Scripts written without spaces between words, each character a token of its own.
_UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic iteration mark and zero
    (0x3041, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana extensions
    (0x3400, 0x4DBF),  # Han extension A
    (0x4E00, 0x9FFF),  # Han
    (0xAA60, 0xAADF),  # Myanmar extended, Tai Viet
    (0xF900, 0xFAFF),  # Han compatibility
    (0x1B000, 0x1B16F),  # kana supplements
    (0x20000, 0x323AF),  # Han extensions B to H
)
_ZERO_WIDTH_SPACE = "\u200b"

_Kind = Literal["separator", "word", "unspaced", "mark", "ignored"]


def tokenize_paper(text: str) -> list[str]:
    """The tokens of `rouge_score` 0.1.2 without stemming: lower-case runs of a-z and 0-9.

    Accents split words and other scripts vanish, so a Chinese or Russian text has no token and is
    unlike everything. Kept because preset `paper` decides with it.
    """
    return _ASCII_WORDS.findall(text.lower())


def tokenize_unicode(text: str) -> list[str]:
    """Our comparison key: Unicode words after NFKC and case folding.

    - A token is a run of letters, marks and numbers (categories L*, M*, N*) of any script, so that
      "café" in one or two code points, "CAFÉ" and full-width forms are the same token.
    - In scripts written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar, ...) every base
      character with its combining marks is a token of its own.
    - Invisible format characters (soft hyphen, joiners, direction marks) are skipped and cannot
      make two equal texts look different; the zero-width space separates.
    - Everything else, the underscore and emoji included, separates. On ASCII text the result equals
      `tokenize_paper`.
    """
    if text.isascii():
        return _ASCII_WORDS.findall(text.lower())
    is_spaced = _SPACED.fullmatch(text) is not None
    visible = text if is_spaced else "".join([char for char in text if _KINDS[char] != "ignored"])
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    if is_spaced and _SPACED.fullmatch(folded):
        return _SPACED_WORDS.findall(folded)
    return _tokenize_by_character(folded)


def _tokenize_by_character(folded: str) -> list[str]:
    """`tokenize_unicode` of any visible, folded text."""
    tokens: list[str] = []
    previous: _Kind = "separator"
    for char in folded:
        kind = _KINDS[char]
        if previous != "separator" and (kind == "mark" or (kind == previous == "word")):
            tokens[-1] += char
        elif kind == "separator":
            previous = kind
        else:
            tokens.append(char)
            previous = "word" if kind == "mark" else kind
    return tokens


def is_unspaced(char: str) -> bool:
    """Whether one character belongs to a script that is written without spaces between words."""
    code = ord(char)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _UNSPACED_RANGES)


def tokenizer_named(name: TokenizerName) -> Tokenizer:
    """The tokeniser called `paper` or `unicode`; any other name is a `ConfigError`."""
    if name == "paper":
        return tokenize_paper
    if name == "unicode":
        return tokenize_unicode
    raise ConfigError(
        f"unknown tokenizer `{name}`",
        why="texts are compared by the tokens of `paper` (rouge_score) or `unicode` (all scripts)",
        fix="use `paper` or `unicode`",
    )


def _kind_of(char: str) -> _Kind:
    category = unicodedata.category(char)
    if category[0] == "M":
        return "mark"
    if category[0] in "LN":
        return "unspaced" if is_unspaced(char) else "word"
    return "ignored" if category == "Cf" and char != _ZERO_WIDTH_SPACE else "separator"


class _KindCache(dict[str, _Kind]):
    """Character classes, looked up once per distinct character."""

    def __missing__(self, char: str) -> _Kind:
        kind = _kind_of(char)
        self[char] = kind
        return kind


_KINDS = _KindCache()
