"""Faults planted into honest rephrases: what a careless model gets wrong, made on purpose.

`plant(kind, source, text, rng)` gives the text with one fault of that kind, or None where the text
has no place for it. Its rules are its own: nothing here asks the code under test.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Honest:
    """A passage and an honest rephrase of it, both ours."""

    id: str
    kind: str
    style: str
    """`easy`, `medium`, `hard` or `qa`."""
    source: str
    text: str


def honest(part: str) -> list[Honest]:
    """The rephrases of a part: `development`, or `held_out`, on which nothing was tuned."""
    lines = (DATA / f"paraphrases_{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Honest(**json.loads(line)) for line in lines]


_TEXT_OF_NUMBERS: Final = """
    two three four five six seven eight nine ten eleven twelve thirteen fifteen sixteen twenty
    thirty forty fifty sixty seventy eighty ninety
    """
_WORDS: Final = _TEXT_OF_NUMBERS.split()
_DIGITS = re.compile(r"(?<![\w.,-])\d+(?:[.,:]\d+)*(?![\w-])")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")


def _changed_digits(source: str, text: str, rng: random.Random) -> str | None:
    """One number in digits becomes another of as many digits that the source does not have."""
    places = list(_DIGITS.finditer(text))
    rng.shuffle(places)
    for place in places:
        for _ in range(20):
            digits = [
                (rng.choice("123456789") if at == 0 or rng.random() < 0.4 else digit)
                if digit.isdigit()
                else digit
                for at, digit in enumerate(place[0])
            ]
            other = "".join(digits)
            if other not in source and other != place[0]:
                return text[: place.start()] + other + text[place.end() :]
    return None


def _changed_word(source: str, text: str, rng: random.Random) -> str | None:
    """One number in words, that the source has in words too, becomes another."""
    places = [place for place in _NUMBER_WORD.finditer(text) if place[0] in source.lower()]
    if not places:
        return None
    place = rng.choice(places)
    others = [word for word in _WORDS if word not in source.lower() and word not in text.lower()]
    return text[: place.start()] + rng.choice(others) + text[place.end() :]


def changed_number(source: str, text: str, rng: random.Random) -> str | None:
    """A number, in digits or words, becomes another."""
    makers = [_changed_digits, _changed_word]
    if rng.random() < 0.4:
        makers.reverse()
    for make in makers:
        made = make(source, text, rng)
        if made is not None:
            return made
    return None


def swapped_numbers(source: str, text: str, rng: random.Random) -> str | None:
    """Two numbers of the text change places: no number is new."""
    places = list(_DIGITS.finditer(text))
    pairs = [(a, b) for at, a in enumerate(places) for b in places[at + 1 :] if a[0] != b[0]]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return text[: a.start()] + b[0] + text[a.end() : b.start()] + a[0] + text[b.end() :]


_NEGATED: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\b(?:do|does|did) not (?=[a-z])", ""),
        (r"\b(?:don|doesn|didn)['\u2019]t (?=[a-z])", ""),
        (r"\b(can|could|should|must|may|will|would|is|are|was|were|has|have|had) not\b", r"\1"),
        (r"\bcannot\b", "can"),
        (r"\bCannot\b", "Can"),
        (r"\bnever (?=[a-z])", ""),
        (r"\bNever (?=[a-z])", "Always "),
        (r"\bno longer\b", "still"),
        (r"\b([Nn])o one\b", "everyone"),
        (r"\b[Nn]obody\b", "everybody"),
        (r"\bnothing\b", "everything"),
        (r"\bNothing\b", "Everything"),
        (r"\b(has|have|had|is|are|was|were|with|needs?|lacks?) no (?=[a-z])", r"\1 "),
        (r"\bwithout (?=[a-z])", "with "),
        (r"\bWithout (?=[a-z])", "With "),
        (r"\bNo (?=[a-z])", "Some "),
        (r"\bDo not (?=[a-z])", "Always "),
        (r"(?<=[a-z,;] )not (?!only|just)(?=[a-z])", ""),
        (r"\bNot (?=[a-z])", ""),
        (r"\b(is|are|was|were) neither\b", r"\1 both"),
    )
)
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without)\b|n['\u2019]t\b",
    re.IGNORECASE,
)


def dropped_negation(source: str, text: str, rng: random.Random) -> str | None:
    """A negation of the text goes, where the source negates as well."""
    if not _NEGATIVE.search(source):
        return None
    places = [
        (found, replacement)
        for pattern, replacement in _NEGATED
        for found in pattern.finditer(text)
    ]
    if not places:
        return None
    found, replacement = rng.choice(places)
    new = found.expand(replacement)
    rest = text[found.end() :]
    if not new and found.start() and text[found.start() - 1] in ".\n" and rest:
        rest = rest[0].upper() + rest[1:]
    return text[: found.start()] + new + rest


def dropped_in_copy(source: str, text: str, rng: random.Random) -> str | None:
    """A negation goes from the source's own words: what a timid rephraser does."""
    return dropped_negation(source, source, rng)


_AFFIRMED = re.compile(
    r"\b(is|are|was|were|can|could|will|must|should|has been|have been)\b (?=[a-z])"
)


def added_negation(source: str, text: str, rng: random.Random) -> str | None:
    """A statement of the text is denied."""
    places = [
        place
        for place in _AFFIRMED.finditer(text)
        if not _NEGATIVE.match(text, place.end()) and "?" not in text[place.end() :].split(".")[0]
    ]
    if not places:
        return None
    place = rng.choice(places)
    return text[: place.end()] + "not " + text[place.end() :]


_ENTITIES: Final = (
    *("Elias Fontaine", "Professor Marguerite Oduya", "the Harlan Institute", "Brookfield & Sons"),
    *("Tomasz Wierzbicki", "Sir Geoffrey Plunkett", "the city of Tashkent", "Lake Winnipeg"),
    *("Northwind Industries", "Helena", "Uruguay", "the Treaty of Utrecht", "UNESCO", "Amazon"),
    *("Queen Beatrix", "the River Volga", "Dr Ishikawa", "Microsoft", "Calcutta", "NASA"),
)
_AMID = re.compile(r"(?<=[a-z]), (?=[a-z])|(?<=[a-z]) (?=(?:and|in|from|by|with|for|on)\b)")
_NAME = re.compile(r"(?<=[a-z,] )(?!I\b)[A-Z][a-z]{3,}(?: [A-Z][a-z]+)*")


def _inserted_entity(source: str, text: str, rng: random.Random) -> str | None:
    places = list(_AMID.finditer(text))
    if not places:
        return None
    at = rng.choice(places).start()
    joint = rng.choice((" together with ", ", as in ", " according to ", " near ", ", like "))
    return text[:at] + joint + rng.choice(_ENTITIES) + text[at:]


def _replaced_entity(source: str, text: str, rng: random.Random) -> str | None:
    places = [place for place in _NAME.finditer(text) if place[0] in source]
    if not places:
        return None
    place = rng.choice(places)
    name = rng.choice(_ENTITIES).removeprefix("the ").removeprefix("city of ")
    return text[: place.start()] + name + text[place.end() :]


def _entity_sentence(source: str, text: str, rng: random.Random) -> str:
    verb = rng.choice((" later paid for it.", " was the first to say so.", " opposed this."))
    name = rng.choice(_ENTITIES)
    return f"{text} {name[0].upper()}{name[1:]}{verb}"


def added_entity(source: str, text: str, rng: random.Random) -> str | None:
    """A person, place or firm that the source does not have: put in, in place of another, added."""
    makers = [_inserted_entity, _replaced_entity, _entity_sentence]
    rng.shuffle(makers)
    for make in makers:
        made = make(source, text, rng)
        if made is not None:
            return made
    return None


_SENTENCE_END = re.compile(r"(?<=[a-z\d)%][.!?]) (?=[A-Z])|\n+")


def missing_half(source: str, text: str, rng: random.Random) -> str | None:
    """Only the first or the second half of the sentences, or of the question-answer pairs."""
    is_pairs = text.startswith("Question:")
    pieces = re.split(r"\n(?=Question:)", text) if is_pairs else _SENTENCE_END.split(text)
    if len(pieces) < 2:
        return None
    sizes = [len(piece) for piece in pieces]
    cut = min(range(1, len(pieces)), key=lambda at: abs(sum(sizes[:at]) - sum(sizes) / 2))
    if not 0.35 <= sum(sizes[:cut]) / sum(sizes) <= 0.65:
        return None
    kept = pieces[:cut] if rng.random() < 0.5 else pieces[cut:]
    return ("\n" if is_pairs else " ").join(kept)


def verbatim_copy(source: str, text: str, rng: random.Random) -> str | None:
    """The source itself."""
    return source


def mostly_copied(source: str, text: str, rng: random.Random) -> str | None:
    """The source with its first sentence rephrased: the first sentence of the text before it."""
    ours, theirs = _SENTENCE_END.split(text), _SENTENCE_END.split(source)
    if len(theirs) < 3 or text.startswith("Question:"):
        return None
    return " ".join((ours[0], *theirs[1:]))


def decayed(source: str, text: str, rng: random.Random) -> str | None:
    """The text decays: into dots, or into one of its sentences again and again."""
    pieces = _SENTENCE_END.split(text)
    head = " ".join(pieces[: max(1, len(pieces) // 2)])
    return head + rng.choice((" ." * 80, "." * 120, f" {pieces[-1]}" * 8, " and so on" * 20))


Fault = Callable[[str, str, random.Random], str | None]
FAULTS: Final[dict[str, tuple[Fault, tuple[str, ...]]]] = {
    "changed number": (changed_number, ("changed_number",)),
    "dropped negation": (dropped_negation, ("negation",)),
    "dropped negation, words kept": (dropped_in_copy, ("negation",)),
    "added negation": (added_negation, ("negation",)),
    "added entity": (added_entity, ("added_name",)),
    "missing half": (missing_half, ("missing_part", "too_short")),
    "verbatim copy": (verbatim_copy, ("copied",)),
    "mostly copied": (mostly_copied, ("copied",)),
    "decay": (decayed, ("repetition",)),
    "swapped numbers": (swapped_numbers, ()),
}
"""Fault: what plants it, and the reasons that name it."""


def plant(kind: str, case: Honest, seed: int) -> str | None:
    """The text of `case` with a fault; the same for the same seed."""
    return FAULTS[kind][0](case.source, case.text, random.Random(f"{kind}/{case.id}/{seed}"))
