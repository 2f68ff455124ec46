"""The rule filters of Self-Instruct on instructions, and what each preset makes of them.

Source: Self-Instruct (arXiv:2212.10560, section 2.2 and appendix A) and its released code. Preset
`paper` is the code's four rules; preset `default` drops the rules that throw away good tasks (any
"file", any "map", every "Write a program", every accent at the start) and adds the ones that the
original lacks: context-aware media, refusals, leaked prompt text, garble, empty conditionals.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

from selfsown.curate.boilerplate import boilerplate, leaked_markup
from selfsown.curate.conditionals import degenerate_conditional
from selfsown.curate.garble import garbled
from selfsown.curate.media import needs_other_medium
from selfsown.curate.steps import Check, InstructionFilter, filter_step, first_drop, require
from selfsown.curate.tokens import is_unspaced
from selfsown.curate.verdict import Verdict, drop, keep

__all__ = [
    "PAPER_KEYWORDS",
    "Preset",
    "bad_first_character",
    "first_drop",
    "instruction_rules",
    "keyword",
    "length",
    "non_ascii_start",
    "write_a_program",
]

Preset = Literal["default", "paper"]

PAPER_KEYWORDS: Final = (
    *("image", "images", "graph", "graphs", "picture", "pictures", "file", "files"),
    *("map", "maps", "draw", "plot", "go to"),
)
"""What the released code takes as a sign of a task that text alone cannot solve."""

# Opening quotes and brackets of several scripts, and the Spanish inverted marks.
_OPENING_MARKS = frozenset(
    "\"'([\u00bf\u00a1\u00ab\u2039\u201e\u201a\u201c\u2018\u300c\u300e\u300a\u3008\uff08\u3010"
)


def instruction_rules(preset: Preset) -> tuple[InstructionFilter, ...]:
    """The rules of a preset, in order, cheapest first; apply them with `first_drop`."""
    if preset == "paper":
        return (
            length(),
            keyword(words=PAPER_KEYWORDS),
            write_a_program(),
            bad_first_character(allow_opening=False),
            non_ascii_start(),
        )
    require(preset == "default", f"unknown preset `{preset}`", "presets are `default` and `paper`")
    return (
        length(count_unspaced=True),
        bad_first_character(),
        leaked_markup(),
        boilerplate(),
        needs_other_medium(),
        degenerate_conditional(),
        garbled(),
    )


@filter_step("length")
def length(*, least: int = 4, most: int = 150, count_unspaced: bool = False) -> Check:
    """Drop a text of fewer than `least` or more than `most` words; the score is the word count.

    Released code: drop 3 words or fewer and more than 150, words being split at white space. With
    `count_unspaced`, every two characters of a script without spaces count as a word as well.
    """
    require(0 <= least <= most, f"least {least}, most {most}", "the range must not be empty")

    def check(text: str) -> Verdict:
        words = [_words_in(chunk) if count_unspaced else 1 for chunk in text.split()]
        count = sum(words)
        if count < least:
            return drop("too_short", count)
        return drop("too_long", count) if count > most else keep()

    return check


@filter_step("keyword")
def keyword(*, words: Sequence[str]) -> Check:
    """Drop a text that holds one of `words` as a whole word, in any case; for preset `paper`."""
    require(bool(words) and all(words), f"words {list(words)}", "an empty word is in every text")
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)

    def check(text: str) -> Verdict:
        return drop("keyword") if pattern.search(text) else keep()

    return check


@filter_step("write_a_program")
def write_a_program() -> Check:
    """Drop a text that starts with "Write a program", in this case: GPT-3 over-produced it."""
    return lambda text: drop("write_a_program") if text.startswith("Write a program") else keep()


@filter_step("bad_first_character")
def bad_first_character(*, allow_opening: bool = True) -> Check:
    """Drop a text that starts with punctuation or a symbol, a sign of a mis-split list.

    Opening quotes, brackets and inverted marks may start an honest text, and are allowed unless
    `allow_opening` is false; then ASCII punctuation alone counts, as in the released code.
    """

    def check(text: str) -> Verdict:
        first = text[:1]
        if allow_opening:
            is_bad = unicodedata.category(first or "a")[0] in "PS" and first not in _OPENING_MARKS
        else:
            is_bad = first != "" and first in string.punctuation
        return drop("bad_first_character") if is_bad else keep()

    return check


@filter_step("non_ascii_start")
def non_ascii_start() -> Check:
    """Drop a text whose first character is not ASCII. Used by preset `paper` only."""
    return lambda text: keep() if text[:1].isascii() else drop("non_ascii_start")


def _words_in(chunk: str) -> int:
    """Words in a chunk without white space: one, or half its unspaced characters if more."""
    unspaced = sum(map(is_unspaced, chunk))
    return max(1, (unspaced + 1) // 2)
