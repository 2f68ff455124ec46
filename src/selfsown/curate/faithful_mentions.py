"""Numbers and dates of a text, in digits or in English words, with everything they may stand for.

A mention has *readings*: "12,000" is 12000, "a third" 1/3 or 3, "12 %" 12 or .12, "half past ten" a
time of day, "19th century" 19 or 1800. Signs before a number are not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.curate.faithful_reading import LONGEST_WORD, Reading, Token, stem
from selfsown.curate.faithful_words import words
from selfsown.curate.number_words import (
    CARDINALS,
    DECADES,
    MONTHS,
    MULTIPLIERS,
    ONES,
    ORDINALS,
    PARTS,
    SCALES,
    SHORT_MONTHS,
    SHORT_SCALES,
    UNITS,
    WEEKDAYS,
)

Value = float | str
"""A number; or `month 5`, `day 2`, `time 630` (minutes, modulo 12 hours), or very many digits."""

_BEGINNINGS: Final = frozenset(
    (*CARDINALS, *ORDINALS, *PARTS, *DECADES, *MONTHS, *SHORT_MONTHS, *WEEKDAYS)
).union(("hundred", "thousand", "million", "billion", "dozen"))
_SUFFIX: Final = frozenset(("st", "nd", "rd", "th", "s"))
_LINE_LABELS: Final = words("question answer q a step part option section chapter item")


@dataclass(frozen=True, slots=True)
class Mention:
    """One number or date of a text."""

    values: tuple[Value, ...]
    """Its readings."""
    first: int
    """Index of its first token."""
    last: int
    """Index of its last token."""
    in_words: bool
    """Whether no digit is in it."""
    unit: str
    """Stem of the next content word within two tokens, or empty."""


def mentions(reading: Reading, *, labels: bool = False) -> list[Mention]:
    """The numbers, month names and weekdays of a text, in order; `labels`: of list items, too."""
    tokens = reading.tokens
    found: list[Mention] = []
    index = 0
    while index < len(tokens):
        parsed = _mention_at(tokens, index)
        if parsed is None:
            index += 1
            continue
        values, last, in_words = parsed
        if values and (labels or not _is_label(tokens, index, last)):
            found.append(Mention(values, index, last, in_words, _unit_after(tokens, last)))
        index = last + 1
    return found


def amounts(mention: Mention) -> Iterator[tuple[str, float]]:
    """What is measured and the amount in a base unit, to 6 digits, where the unit is known."""
    if mention.unit in UNITS:
        quantity, base = UNITS[mention.unit]
        for value in mention.values:
            if isinstance(value, float):
                yield quantity, float(f"{value * base:.6g}")


def _digits(value: float) -> int:
    """Digits of a number that are not zeros at an end."""
    return len(f"{value:.12g}".replace(".", "").strip("0"))


def dates(reading: Reading, found: Sequence[Mention]) -> set[int]:
    """Positions in `found` of the mentions that belong to a date: months, days, years by them."""
    named = [
        any(isinstance(value, str) and value[:3] in ("mon", "day") for value in mention.values)
        for mention in found
    ]
    chosen: set[int] = set()
    for place, mention in enumerate(found):
        near = [
            other
            for other in (place - 2, place - 1, place + 1, place + 2)
            if 0 <= other < len(found) and abs(found[other].first - mention.first) <= 3
        ]
        is_year = (
            any(
                isinstance(value, float) and 1000 <= value <= 2100 and value.is_integer()
                for value in mention.values
            )
            and len(reading.tokens[mention.first].text) == 4
        )
        if named[place] or is_year or any(named[other] for other in near):
            chosen.add(place)
    return chosen


def _mention_at(tokens: Sequence[Token], index: int) -> tuple[tuple[Value, ...], int, bool] | None:
    """Readings, last token and whether it is all words, of the mention that starts here."""
    token = tokens[index]
    if token.kind == "number":
        values, last = _digits_at(tokens, index)
        return values, last, False
    if token.kind != "word" or token.key not in _BEGINNINGS:
        return None
    if token.key in CARDINALS or token.key in ORDINALS or token.key in PARTS:
        return _words_at(tokens, index)
    owner = tokens[index - 1].key if index else ""
    if token.key in DECADES and owner not in ("his", "her", "their", "my", "your", "our"):
        return (float(DECADES[token.key]), 1900.0 + DECADES[token.key]), index, True
    if token.text[0].isupper():
        if token.key in WEEKDAYS:
            return (f"day {WEEKDAYS[token.key]}",), index, True
        is_beside = _beside_number(tokens, index)
        if token.key in MONTHS and token.key != "may" and (is_beside or not token.is_first):
            return (f"month {MONTHS[token.key]}",), index, True
        if token.key in SHORT_MONTHS and is_beside:
            return (f"month {SHORT_MONTHS[token.key]}",), index, True
    if token.key in ("hundred", "thousand", "million", "billion", "dozen") and _is_article(
        tokens, index
    ):
        return (MULTIPLIERS.get(token.key) or SCALES[token.key],), index, True
    return None


def _digits_at(tokens: Sequence[Token], index: int) -> tuple[tuple[Value, ...], int]:
    """Readings of a number in digits with what follows it: groups, scale, per cent, fraction."""
    token = tokens[index]
    values = list(_literal(token.key))
    last = index
    while last + 1 < len(tokens) and _continues(tokens, last):
        last += 1
        joined = "".join(each.key for each in tokens[index : last + 1])
        values = [*_literal(joined)]
    following = tokens[last + 1] if last + 1 < len(tokens) else None
    if following is None:
        return tuple(values), last
    if following.key == "/" and _is_fraction(tokens, index):
        return (int(token.key) / int(tokens[index + 2].key),), index + 2
    if following.text[:1] in "\u00bc\u00bd\u00be" and following.kind == "number":
        part = unicodedata.numeric(following.text[0])
        return tuple(value + part for value in values if isinstance(value, float)), last + 1
    if following.key in _SUFFIX and following.start == tokens[last].end:
        last += 1
        after = tokens[last + 1].key if last + 1 < len(tokens) else ""
        if after in ("century", "centuries"):
            values += [value * 100 - 100 for value in values if isinstance(value, float)]
        if following.key == "s":
            values += [value % 100 for value in values if isinstance(value, float)]
            values += [value // 100 + 1 for value in values if isinstance(value, float)]
        return tuple(values), last
    return _scaled(tokens, values, last)


def _is_fraction(tokens: Sequence[Token], index: int) -> bool:
    """Whether a number and those after it are like "2/3", and no date."""
    run = [token.key for token in tokens[max(0, index - 1) : index + 4]]
    above, below = tokens[index], tokens[index + 2 : index + 3]
    return (
        run.count("/") == 1
        and bool(below)
        and above.key.isdecimal()
        and below[0].key.isdecimal()
        and len(below[0].key) <= 3
        and int(above.key[:4]) < int(below[0].key)
    )


def _scaled(
    tokens: Sequence[Token], values: list[Value], last: int
) -> tuple[tuple[Value, ...], int]:
    """The readings times a scale that follows, or as a percentage."""
    following = tokens[last + 1].key if last + 1 < len(tokens) else ""
    is_short = following in SHORT_SCALES
    if following in SCALES and (not is_short or tokens[last + 1].text != "m"):
        scale = SCALES[following]
        return tuple(value * scale for value in values if isinstance(value, float)), last + 1
    if following in MULTIPLIERS:
        factor = MULTIPLIERS[following]
        return _scaled(
            tokens, [value * factor for value in values if isinstance(value, float)], last + 1
        )
    after = tokens[last + 2].key if last + 2 < len(tokens) else ""
    if following in ("%", "percent") or (following == "per" and after == "cent"):
        values += [round(value / 100, 12) for value in values if isinstance(value, float)]
    hours = [value for value in values if isinstance(value, float)]
    if following in ("pm", "p.m", "o'clock", "am") or (following == "p" and after == "."):
        values += [f"time {int(hour) % 12 * 60}" for hour in hours if hour <= 24]
        values += [hour + 12 for hour in hours if hour < 12]
    return tuple(values), last


def _continues(tokens: Sequence[Token], last: int) -> bool:
    """Whether the next token is another group of three digits: "13 200"."""
    here, after = tokens[last], tokens[last + 1]
    return (
        after.kind == "number"
        and len(after.key) == 3
        and after.key.isdecimal()
        and here.key.isdecimal()
        and len(here.key) <= 3
        and after.start == here.end + 1
    )


def _literal(key: str) -> tuple[Value, ...]:
    """Readings of digits with points, commas or colons between them."""
    if not key[0].isdecimal():
        return (unicodedata.numeric(key[0]),)
    if len(key) > 18 or len(key) >= LONGEST_WORD:
        return (key,)
    parts = re.split(r"[.,:]", key)
    if len(parts) == 1:
        return (float(key),)
    if ":" in key:
        hours, minutes = int(parts[0]), int(parts[1])
        plain = (float(hours), float((hours + 12) % 24), float((hours - 12) % 24))
        time = f"time {(hours * 60 + minutes) % 720}"
        return (time, key) if minutes or len(parts) > 2 else (time, *plain)
    groups = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3
    joined = float("".join(parts))
    if "," in key and "." in key:
        whole, _, decimals = key.rpartition("." if key.rfind(".") > key.rfind(",") else ",")
        return (float(re.sub(r"[.,]", "", whole) + "." + decimals),)
    if len(parts) == 3 and len(parts[2]) == 4 and int(parts[1]) <= 12:
        return (key, float(parts[0]), f"month {int(parts[1])}", float(parts[2]))
    if len(parts) > 2:
        return (joined,) if groups else (key,)
    decimal = float(f"{parts[0]}.{parts[1]}")
    if not groups:
        return (decimal,)
    return (joined,) if "," in key else (decimal, joined)


def _words_at(tokens: Sequence[Token], index: int) -> tuple[tuple[Value, ...], int, bool] | None:
    """A number in words: cardinals, ordinals, fractions, years, times of day."""
    total, current, last, at = 0.0, 0.0, index - 1, index
    parts: list[int] = []
    while at < len(tokens):
        key = tokens[at].key
        if key in CARDINALS:
            value = CARDINALS[key]
            if parts and not _fits(parts[-1], value):
                break
            parts.append(value)
            current += value
        elif key == "hundred" and parts:
            current *= 100
            parts.append(100)
        elif key in SCALES and key not in SHORT_SCALES and parts:
            total, current = total + current * SCALES[key], 0.0
            parts.append(1000)
        elif key == "dozen" and parts:
            current *= 12
            parts.append(1000)
        elif key in ("-", "and") and parts and at + 1 < len(tokens):
            is_joint = tokens[at + 1].key in CARDINALS and _fits(
                parts[-1], CARDINALS[tokens[at + 1].key]
            )
            if not is_joint or (key == "and" and parts[-1] not in (100, 1000)):
                break
            at += 1
            continue
        else:
            break
        last = at
        at += 1
    whole = total + current
    if not parts:
        return _single(tokens, index)
    year = _year(tokens, parts, last)
    if year is not None:
        return (year[0],), year[1], True
    return _finished(tokens, index, last, whole, parts)


def _finished(
    tokens: Sequence[Token], index: int, last: int, whole: float, parts: Sequence[int]
) -> tuple[tuple[Value, ...], int, bool]:
    """A cardinal with what may follow: an ordinal, a fraction, "and a half", per cent, a time."""
    after = [token.key for token in tokens[last + 1 : last + 5]]
    skip = 1 if after[:1] == ["-"] else 0
    head = after[skip] if len(after) > skip else ""
    if head in ORDINALS and ORDINALS[head] < 10 and parts[-1] in range(20, 91, 10):
        return (whole + ORDINALS[head],), last + 1 + skip, True
    if head in PARTS or (whole == 1 and head in ORDINALS and ORDINALS[head] > 2):
        part = PARTS.get(head) or ORDINALS[head]
        if not (whole == 1 and head in ORDINALS):
            return (round(whole / part, 12),), last + 1 + skip, True
        return (round(whole / part, 12), float(part)), last + 1 + skip, True
    if after[:3] in (["and", "a", "half"], ["and", "one", "half"]):
        scale = (
            SCALES.get(after[3], 1.0) if len(after) > 3 and after[3] not in SHORT_SCALES else 1.0
        )
        return ((whole + 0.5) * scale,), last + 3 + (scale > 1), True
    if after[:1] == ["point"] and len(after) > 1 and after[1] in ONES:
        return (whole + ONES[after[1]] / 10,), last + 2, True
    values: tuple[Value, ...] = (whole,)
    if after[:1] in (["to"], ["past"]) and len(after) > 1 and after[1] in CARDINALS and whole < 60:
        hour = CARDINALS[after[1]]
        minutes = hour * 60 + whole * (1 if after[0] == "past" else -1)
        values = (whole, f"time {int(minutes) % 720}")
    if after[:1] == ["o'clock"]:
        values = (whole, f"time {int(whole) * 60 % 720}", whole + 12)
    if after[:1] in (["percent"], ["%"]) or after[:2] == ["per", "cent"]:
        values = (whole, round(whole / 100, 12))
    return values, last, True


def _single(tokens: Sequence[Token], index: int) -> tuple[tuple[Value, ...], int, bool] | None:
    """An ordinal or a part alone: "the third", "a third", "half past ten"."""
    key = tokens[index].key
    after = [token.key for token in tokens[index + 1 : index + 3]]
    if key in ("half", "quarter") and after[:1] in (["past"], ["to"]) and len(after) == 2:
        if after[1] in CARDINALS:
            minutes = CARDINALS[after[1]] * 60 + (60 // PARTS[key]) * (
                1 if after[0] == "past" else -1
            )
            return (f"time {minutes % 720}", float(60 // PARTS[key])), index + 2, True
        return None
    if key in ("half", "quarter", "quarters", "halves"):
        return None
    if key in ORDINALS:
        number = float(ORDINALS[key])
        if number <= 2:
            return None
        if after[:1] == ["century"]:
            return (number, number * 100 - 100), index, True
        return (number, round(1 / number, 12)), index, True
    return None


def _year(tokens: Sequence[Token], parts: Sequence[int], last: int) -> tuple[float, int] | None:
    """The year that goes on after its first word: "nineteen eighty-four"."""
    if len(parts) != 1 or not 10 <= parts[0] <= 20:
        return None
    after = [token.key for token in tokens[last + 1 : last + 4]]
    if not after or after[0] not in CARDINALS or CARDINALS[after[0]] < 10:
        return None
    tail, used = CARDINALS[after[0]], 1
    if tail >= 20 and len(after) == 3 and after[1] == "-" and 0 < CARDINALS.get(after[2], 0) < 10:
        tail, used = tail + CARDINALS[after[2]], 3
    elif tail >= 20 and len(after) > 1 and 0 < CARDINALS.get(after[1], 0) < 10:
        tail, used = tail + CARDINALS[after[1]], 2
    return float(parts[0] * 100 + tail), last + used


def _fits(before: int, value: int) -> bool:
    """Whether a word can go on a number: twenty-three, hundred and five, thousand two hundred."""
    if before in (100, 1000):
        return True
    return before in range(20, 91, 10) and 0 < value < 10


def _is_article(tokens: Sequence[Token], index: int) -> bool:
    return index > 0 and tokens[index - 1].key in ("a", "an", "per")


def _beside_number(tokens: Sequence[Token], index: int) -> bool:
    near = (*tokens[max(0, index - 2) : index], *tokens[index + 1 : index + 2])
    return any(token.kind == "number" for token in near)


def _is_label(tokens: Sequence[Token], first: int, last: int) -> bool:
    """Whether a number only counts list items: "2." or "Step 3:" where a line begins."""
    at = first - 1
    if at >= 0 and tokens[at].key in _LINE_LABELS:
        at -= 1
    while at >= 0 and tokens[at].key in ("*", "#", "-", "(", "\u2022", "["):
        at -= 1
    begins = at < 0 or tokens[at].text.startswith("\n")
    following = tokens[last + 1] if last + 1 < len(tokens) else None
    return begins and following is not None and following.key in (".", ")", ":", "]", "*")


def _unit_after(tokens: Sequence[Token], last: int) -> str:
    for token in tokens[last + 1 : last + 3]:
        if token.kind == "word" and len(token.key) > 1:
            return stem(token.key)
        if token.kind == "mark" and token.key != "-":
            return "percent" if token.key == "%" else ""
    return ""
