"""The Porter stemmer in the variant that `rouge_score` uses, so that stemmed ROUGE-L can agree.

M. Porter, "An algorithm for suffix stripping", Program 14.3 (1980), 130-137. Differs from the
paper, as NLTK's default mode does (which `rouge_score` takes): a table of irregular words; words of
one or two letters are left alone; `ies` and `ied` of four-letter words become `ie`; `y` becomes `i`
only after a consonant that is not the whole stem; `bli`, `alli`, `fulli` and `logi` in step 2; a
vowel and a consonant alone count as `*o`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

_VOWELS: Final = frozenset("aeiou")

_IRREGULAR: Final = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}

_STEP_2: Final = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
)
_STEP_3: Final = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP_4: Final = tuple(
    (suffix, "")
    for suffix in (
        *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"),
        *("ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize"),
    )
)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of one lower-case word; any string is accepted, whatever its letters."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    for step in (_plural, _past, _final_y, _step_2, _step_3, _step_4, _final_e, _final_l):
        word = step(word)
    return word


def _consonants(word: str) -> list[bool]:
    """For each letter, whether it is a consonant; a `y` is one unless a consonant precedes it."""
    flags: list[bool] = []
    for letter in word:
        if letter == "y":
            flags.append(not flags or not flags[-1])
        else:
            flags.append(letter not in _VOWELS)
    return flags


def _measure(word: str) -> int:
    """Porter's m: how often a consonant follows a vowel."""
    flags = _consonants(word)
    return sum(not before and after for before, after in pairwise(flags))


def _ends_cvc(word: str) -> bool:
    """Porter's `*o`: consonant, vowel, consonant other than w, x, y; or vowel, consonant alone."""
    flags = _consonants(word)
    if len(word) == 2:
        return flags == [False, True]
    return flags[-3:] == [True, False, True] and word[-1] not in "wxy"


def _replaced(word: str, rules: Sequence[tuple[str, str]], allowed: Callable[[str], bool]) -> str:
    """The word after the first rule whose suffix it has; unchanged if its stem is not allowed."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            rest = word[: len(word) - len(suffix)]
            return rest + replacement if allowed(rest) else word
    return word


def _plural(word: str) -> str:
    """Step 1a."""
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    rules = (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", ""))
    return _replaced(word, rules, lambda _: True)


def _past(word: str) -> str:
    """Step 1b."""
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        rest = word[: -len(suffix)]
        if word.endswith(suffix) and not all(_consonants(rest)):
            return _mended(rest)
    return word


def _mended(word: str) -> str:
    """What step 1b gives back to a word that lost `ed` or `ing`."""
    if word.endswith(("at", "bl", "iz")):
        return f"{word}e"
    if len(word) >= 2 and word[-1] == word[-2] and _consonants(word)[-1]:
        return word if word[-1] in "lsz" else word[:-1]
    return f"{word}e" if _measure(word) == 1 and _ends_cvc(word) else word


def _final_y(word: str) -> str:
    """Step 1c."""
    return _replaced(word, (("y", "i"),), lambda rest: len(rest) > 1 and _consonants(rest)[-1])


def _step_2(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _step_2(word[:-2])
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replaced(word, _STEP_2, lambda rest: _measure(rest) > 0)


def _step_3(word: str) -> str:
    return _replaced(word, _STEP_3, lambda rest: _measure(rest) > 0)


def _step_4(word: str) -> str:
    after_s_or_t = not word.endswith("ion") or word[-4:-3] in ("s", "t")
    return _replaced(word, _STEP_4, lambda rest: after_s_or_t and _measure(rest) > 1)


def _final_e(word: str) -> str:
    """Step 5a."""
    if not word.endswith("e"):
        return word
    rest = word[:-1]
    size = _measure(rest)
    return rest if size > 1 or (size == 1 and not _ends_cvc(rest)) else word


def _final_l(word: str) -> str:
    """Step 5b."""
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
