"""Numbers and dates of a text that its source does not bear out.

A mention is borne out when one of its readings is among those of the source, when it is the same
amount in another unit ("2 decades", "20 years"), or when it is a rounding that says so ("about 300"
for 297). A small number in words that replaces none ("two kinds") is a count of what the source
lists, and passes; "one" is no number unless it stands where the source has another.

Not covered: numbers of the source in another place (two of them swapped), a changed unit or sign,
and what follows from the source's numbers by a sum: that is taken for new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from selfsown.curate.faithful_mentions import Mention, Value, amounts, mentions
from selfsown.curate.faithful_reading import Reading, Token, stem
from selfsown.curate.faithful_words import words
from selfsown.curate.number_words import (
    CARDINALS,
    COUNTS,
    MONTHS,
    SHORT_MONTHS,
    UNITS,
    WEEKDAYS,
    roman,
)

ROUNDING: Final = 0.05
"""How far, of the source's number, one that is called approximate may be from it."""

PART_ROUNDING: Final = 0.02
"""The same for a percentage of what the source calls a third or two fifths."""

_APPROXIMATE: Final = words("""
    about around approximately roughly nearly almost some over under circa ca upwards exceeding
    approx close near just approaching virtually
    """)
_MOST_COUNTED: Final = 10
"""Largest number that a text may have because it counts what the source lists."""
_SINGLE: Final = {**dict.fromkeys(("a", "an", "per", "each", "every"), 1.0), "half": 0.5}


class Numbers:
    """What the numbers of a source bear out."""

    def __init__(self, source: Reading) -> None:
        """Collect them."""
        self._mentions = mentions(source, labels=True)
        self._written = {token.key for token in source.tokens if token.kind == "number"}
        self._values: set[Value] = set()
        self._parts = [
            value
            for mention in self._mentions
            for value in mention.values
            if mention.in_words and isinstance(value, float) and 0 < value < 1
        ]
        self._amounts: set[tuple[str, float]] = set()
        for mention in self._mentions:
            self._values.update(mention.values)
            self._amounts.update(amounts(mention))
        for before, mention in zip(self._mentions, self._mentions[1:], strict=False):
            self._add_range(source.tokens, before, mention)
        for index, token in enumerate(source.tokens):
            if token.kind == "word":
                self._add_word(source.tokens, index)

    def _add_word(self, tokens: Sequence[Token], index: int) -> None:
        """What a word bears out that is no number itself: "twice", "XIV", "half an hour"."""
        token = tokens[index]
        self._values.update(COUNTS.get(token.key, ()))
        for kind, known in (("month", MONTHS), ("month", SHORT_MONTHS), ("day", WEEKDAYS)):
            if token.key in known and token.text[0].isupper():
                self._values.add(f"{kind} {known[token.key]}")
        if token.text.isupper():
            self._values.update(roman(token.text))
        if token.key == "half" and [each.key for each in tokens[index - 2 : index]] == ["and", "a"]:
            self._add_half(tokens, index - 3)
        size = _SINGLE.get(token.key)
        following = [each.key for each in tokens[index + 1 : index + 3] if each.key not in _SINGLE]
        if size and following and stem(following[0]) in UNITS:
            quantity, base = UNITS[stem(following[0])]
            self._amounts.add((quantity, float(f"{size * base:.6g}")))

    def _add_half(self, tokens: Sequence[Token], unit: int) -> None:
        """What "a metre and a half" or "two years and a half" bears out."""
        before = tokens[unit - 1].key if unit > 0 else ""
        self._values.add(0.5 + (CARDINALS.get(before) or 1))

    def unborne(self, text: Reading) -> list[Mention]:
        """The mentions of `text` that the source does not bear out, in order."""
        ours = mentions(text)
        doubtful = [
            mention
            for mention in ours
            if not self._bears(text.tokens, mention) and not _is_one_of_two(text.tokens, mention)
        ]
        if not doubtful:
            return []
        said = {value for mention in ours for value in mention.values}
        lost = [mention for mention in self._mentions if not said.intersection(mention.values)]
        return [mention for mention in doubtful if _matters(mention, lost)]

    def _bears(self, tokens: Sequence[Token], mention: Mention) -> bool:
        if any(value in self._values for value in mention.values):
            return True
        written = tokens[mention.first : mention.last + 1]
        if all(token.kind == "mark" or token.key in self._written for token in written):
            return True
        if not self._amounts.isdisjoint(amounts(mention)):
            return True
        return any(
            isinstance(value, float) and self._is_near(tokens, mention, value)
            for value in mention.values
        )

    def _is_near(self, tokens: Sequence[Token], mention: Mention, value: float) -> bool:
        """Whether it rounds a number of the source, and says that it does or is a simple part."""
        if any(abs(value - part) <= PART_ROUNDING * part for part in self._parts):
            return True
        is_part = mention.in_words and 0 < value < 1
        if not is_part and not any(
            token.key in _APPROXIMATE for token in tokens[max(0, mention.first - 3) : mention.first]
        ):
            return False
        return any(
            isinstance(theirs, float)
            and abs(value - theirs) <= ROUNDING * abs(theirs)
            and (is_part or _digits(value) < _digits(theirs))
            for theirs in self._values
        )

    def _add_range(self, tokens: Sequence[Token], before: Mention, mention: Mention) -> None:
        """The first of "3 to 4 million" is a number of millions, "1914-18" ends in 1918."""
        if mention.first - before.last != 2:
            return
        joint = tokens[before.last + 1].key
        for low in before.values:
            for high in mention.values:
                if not isinstance(low, float) or not isinstance(high, float):
                    continue
                if joint in ("to", "and", "or", "-", "\u2013") and low < high and high >= 1e3:
                    self._values.update(
                        low * scale for scale in (1e3, 1e6, 1e9) if low * scale < high
                    )
                if joint in ("-", "/"):  # 1912-03-12, 3/12/1912
                    self._values.update(f"month {int(v)}" for v in (low, high) if 1 <= v <= 12)
                if joint in ("-", "\u2013", "/") and low >= 1000 and high < 100:
                    self._values.add(low // 100 * 100 + high)


def _matters(mention: Mention, lost: Sequence[Mention]) -> bool:
    """Whether a number that the source lacks is wrong, given the source's that the text lacks."""
    numbers = [value for value in mention.values if isinstance(value, float)]
    if not mention.in_words or len(numbers) < len(mention.values):
        return True
    if max(numbers) < 1 or max(numbers) > (1 if mention.unit in UNITS else _MOST_COUNTED):
        return True
    return any(
        (mention.unit and mention.unit == other.unit) or (max(numbers) > 3 and other.in_words)
        for other in lost
    )


def _is_one_of_two(tokens: Sequence[Token], mention: Mention) -> bool:
    """Whether it is the first half of "one ... another"."""
    after = [token.key for token in tokens[mention.last + 1 : mention.last + 7]]
    return mention.values == (1.0,) and ("another" in after or "other" in after)


def _digits(value: float) -> int:
    """Digits of a number that are not zeros at an end."""
    return len(f"{value:.12g}".replace(".", "").strip("0"))
