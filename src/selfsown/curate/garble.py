"""Text that is no language: damaged characters, endless repetition, noise. Needs no model, no data.

Every test is a count with a bound that honest text in any script keeps far away from; what is
measured is documented at each. It does not tell one language from another: see `language`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from selfsown.curate.steps import Check, filter_step, require
from selfsown.curate.tokens import tokenize_unicode
from selfsown.curate.verdict import Verdict, drop, keep

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufffe\uffff\U000f0000-\U0010ffff]"
)
_NON_ASCII_RUN = re.compile(r"[^\x00-\x7f]{2,}")
_LONG_RUN = re.compile(r"([^\W\d_])\1{9,}|(\S)\2{59,}")
_STUTTER = re.compile(r"\b([^\W\d_]+)(?:\W+\1\b){6,}", re.IGNORECASE)
_ASCII_WORD = re.compile(r"\b[a-z]{5,}\b")
_UNSAYABLE = re.compile(r"[^aeiouy]{6,}|^[^aeiouy]+$")
_QUOTES = frozenset("\u201c\u201d\u2018\u2019\u00ab\u00bb\u2039\u203a")


@filter_step("garbled")
def garbled(
    *, least_distinct: float = 0.4, most_symbols: float = 0.5, least_entropy_bits: float = 2.0
) -> Check:
    """Drop damaged, repetitive or noisy text, each with its own reason.

    `least_distinct`: least share of distinct word pairs in texts of 12 words or more (English prose
    stays above 0.9). `most_symbols`: largest share of visible characters that are neither letter,
    mark nor number. `least_entropy_bits`: least entropy per character from 20 characters on
    (English: about 4 bits, other scripts more). Shares lie in [0, 1]. Scores are these numbers.
    """
    for name, share in (("least_distinct", least_distinct), ("most_symbols", most_symbols)):
        require(0 <= share <= 1, f"`{name}` is {share}", "a share lies between 0 and 1")
    require(least_entropy_bits >= 0, f"`least_entropy_bits` is {least_entropy_bits}", "bits >= 0")

    def check(text: str) -> Verdict:
        reason = damage(text) or repetition(text) or ("noise" if _is_noise(text) else None)
        if reason:
            return drop(reason)
        if (distinct := distinct_pair_share(tokenize_unicode(text))) < least_distinct:
            return drop("repetitive", distinct)
        if (symbols := symbol_share(text)) > most_symbols:
            return drop("mostly_symbols", symbols)
        if (bits := entropy_bits(text)) < least_entropy_bits:
            return drop("low_entropy", bits)
        return keep()

    return check


def damage(text: str) -> str | None:
    """The reason if characters of `text` are broken: control, replacement or twice-decoded ones.

    Tab, line feed and carriage return are fine; lone surrogates and private-use characters are not.
    """
    if _CONTROL.search(text):
        return "control_characters"
    if "\ufffd" in text:
        return "replacement_characters"
    return "mojibake" if any(map(_is_mojibake, _NON_ASCII_RUN.findall(text))) else None


def repetition(text: str) -> str | None:
    """The reason if one letter repeats 10 times, any character 60 times, or one word 7 times."""
    if _LONG_RUN.search(text):
        return "long_run"
    return "repetitive" if _STUTTER.search(text) else None


def distinct_pair_share(tokens: Sequence[str]) -> float:
    """Share of distinct neighbouring pairs of words, numbers left out; 1.0 below 12 words."""
    words = [token for token in tokens if not token.isdecimal()]
    if len(words) < 12:
        return 1.0
    return len(set(pairwise(words))) / (len(words) - 1)


def symbol_share(text: str) -> float:
    """Share of visible characters that are no letter, mark or number; 0.0 below 8 of them."""
    visible = [char for char in text if not char.isspace()]
    if len(visible) < 8:
        return 0.0
    return sum(unicodedata.category(char)[0] not in "LMN" for char in visible) / len(visible)


def entropy_bits(text: str) -> float:
    """Shannon entropy per visible character in bits, case folded; infinite below 20 characters."""
    counts = Counter("".join(text.split()).casefold())
    total = counts.total()
    if total < 20:
        return math.inf
    return -sum(n / total * math.log2(n / total) for n in counts.values())


def _is_mojibake(run: str) -> bool:
    """Whether a run of non-ASCII characters is UTF-8 that was read as Windows-1252."""
    if len(run) == 2 and run[1] in _QUOTES:
        return False  # a capital letter before a closing quotation mark
    try:
        decoded = run.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return len(decoded) < len(run)


def _is_noise(text: str) -> bool:
    """Whether two words and 30 per cent of the longer lower-case ASCII words cannot be said."""
    words = _ASCII_WORD.findall(text)
    unsayable = sum(_UNSAYABLE.search(word) is not None for word in words)
    return unsayable >= 2 and unsayable >= 0.3 * len(words)
