"""What an input can be: a word of one category, a list, a pair, a sentence, or nothing.

A kind knows how an instruction names it, how to sample one, and whether a text is one. Sampling
takes a `random.Random` and nothing else, so that a seed decides everything.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from selfsown.lab.world import lexicon as lex


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of input."""

    name: str
    noun: str
    """How instructions name it, without article: `list of animals`; empty: there is no input."""
    sample: Callable[[random.Random], str]
    is_valid: Callable[[str], bool]

    @property
    def phrase(self) -> str:
        """The noun with its indefinite article, for example `an animal` or `two numbers`."""
        if self.noun.startswith("two "):
            return self.noun
        return ("an " if self.noun[0] in "aeiou" else "a ") + self.noun


CATEGORIES: dict[str, tuple[str, ...]] = {
    "animals": tuple(lex.ANIMALS),
    "countries": tuple(lex.COUNTRIES),
    "colours": lex.COLOURS,
    "jobs": tuple(lex.JOBS),
    "days": lex.DAYS,
    "months": tuple(month for month, _ in lex.MONTHS),
    "names": lex.NAMES,
    "objects": lex.OBJECTS,
}
"""Plural category name: its words. `orange` is only a colour here; plant foods stay apart."""

SINGULAR = {
    "animals": "animal",
    "countries": "country",
    "colours": "colour",
    "jobs": "job",
    "days": "day",
    "months": "month",
    "names": "name",
    "objects": "object",
}

WORDS: dict[str, tuple[str, ...]] = {
    "country": tuple(lex.COUNTRIES),
    "city": tuple(capital for capital, _, _ in lex.COUNTRIES.values()),
    "animal": tuple(lex.ANIMALS),
    "plant": tuple(lex.PLANTS),
    "adjective": tuple(lex.OPPOSITES),
    "adjective_compared": tuple(lex.COMPARATIVES),
    "noun": tuple(lex.PLURALS),
    "verb": tuple(lex.VERBS),
    "job": tuple(lex.JOBS),
    "tool": tuple(tool for _, tool in lex.JOBS.values()),
    "day": lex.DAYS,
    "month": tuple(month for month, _ in lex.MONTHS),
    "number_word": lex.NUMBER_WORDS,
    "small_number": tuple(str(n) for n in range(21)),
    "number": tuple(str(n) for n in range(1, 51)),
    "category_word": tuple(word for words in CATEGORIES.values() for word in words),
}
"""Kinds that are one word of a closed table: their members."""
_NOUNS = {
    "adjective_compared": "adjective",
    "number_word": "number word",
    "small_number": "number",
    "category_word": "word",
}

PLAIN_WORDS: tuple[str, ...] = tuple(
    sorted(
        {*lex.ANIMALS, *lex.PLANTS, *lex.COLOURS, *lex.PLURALS, *lex.VERBS}
        | {*lex.JOBS, *lex.OPPOSITES, *lex.PLACES, *lex.OBJECTS}
    )
)
"""Lower-case words used where any word will do."""

WORD = re.compile(r"[A-Za-z]{2,14}")
_LIST_MIN, _LIST_MAX = 2, 8


def split_list(text: str) -> list[str]:
    """The items of `a, b, c`; a text without a comma is one item."""
    return text.split(", ")


def _word_kind(name: str, words: tuple[str, ...]) -> Kind:
    """A kind whose members are exactly `words`."""
    members = frozenset(words)
    return Kind(name, _NOUNS.get(name, name), lambda rng: rng.choice(words), members.__contains__)


def _list_kind(name: str, noun: str, words: tuple[str, ...]) -> Kind:
    """Lists of three or four different members of `words`."""
    members = frozenset(words)

    def is_valid(text: str) -> bool:
        items = split_list(text)
        return _LIST_MIN <= len(items) <= _LIST_MAX and all(item in members for item in items)

    return Kind(
        name, noun, lambda rng: ", ".join(rng.sample(words, rng.choice((3, 3, 4)))), is_valid
    )


def is_word_list(text: str) -> bool:
    """Whether the text is a list of two to eight plain words."""
    items = split_list(text)
    return _LIST_MIN <= len(items) <= _LIST_MAX and all(WORD.fullmatch(item) for item in items)


def is_number_list(text: str) -> bool:
    """Whether the text is a list of two to eight whole numbers below 1,000."""
    items = split_list(text)
    return _LIST_MIN <= len(items) <= _LIST_MAX and all(re.fullmatch(r"\d{1,3}", i) for i in items)


def sample_items(rng: random.Random) -> str:
    """Three to five different words of one category, or now and then of two."""
    names = rng.sample(sorted(CATEGORIES), 2)
    words = list(CATEGORIES[names[0]])
    if rng.random() < 0.3:
        words += CATEGORIES[names[1]]
    return ", ".join(rng.sample(words, rng.choice((3, 4, 4, 5))))


def sample_numbers(rng: random.Random) -> str:
    """Three to five different numbers from 1 to 50."""
    return ", ".join(map(str, rng.sample(range(1, 51), rng.choice((3, 4, 5)))))


STORY = re.compile(
    r"(?P<name>[A-Z][a-z]+) (?P<verb>(?:will )?[a-z]+) the (?P<colour>[a-z]+) "
    r"(?P<object>[a-z]+) in the (?P<place>[a-z]+)\."
)
"""`Anna found the red ball in the park.` in the past, present or future."""


def tense_of(verb: str) -> str | None:
    """`past`, `present` or `future` of a verb group of the lexicon, None for any other text."""
    if verb.startswith("will "):
        return "future" if verb[5:] in lex.VERBS else None
    for past, present in lex.VERBS.values():
        if verb == past:
            return "past"
        if verb == present:
            return "present"
    return None


def sample_story(rng: random.Random) -> str:
    """One story sentence."""
    base = rng.choice(sorted(lex.VERBS))
    past, present = lex.VERBS[base]
    verb = rng.choice((past, past, present, f"will {base}"))
    parts = (rng.choice(lex.COLOURS), rng.choice(lex.OBJECTS), rng.choice(lex.PLACES))
    return f"{rng.choice(lex.NAMES)} {verb} the {parts[0]} {parts[1]} in the {parts[2]}."


def is_story(text: str) -> bool:
    """Whether the text is a story sentence over the lexicon."""
    match = STORY.fullmatch(text)
    if match is None:
        return False
    return (
        match["name"] in lex.NAMES
        and tense_of(match["verb"]) is not None
        and match["colour"] in lex.COLOURS
        and match["object"] in lex.OBJECTS
        and match["place"] in lex.PLACES
    )


OPINION = re.compile(r"(?:The|I think the) (?P<object>[a-z]+) is (?P<word>[a-z]+)\.")
TOPIC = re.compile(r"(?P<name>[A-Z][a-z]+) talks about (?P<word>[a-z]+) in the (?P<place>[a-z]+)\.")
_TOPIC_OF = {word: topic for topic, words in lex.TOPICS.items() for word in words}


def _sample_opinion(rng: random.Random) -> str:
    start = rng.choice(("The", "I think the"))
    word = rng.choice(lex.GOOD_WORDS + lex.BAD_WORDS)
    return f"{start} {rng.choice(lex.OBJECTS + lex.PLACES)} is {word}."


def _is_opinion(text: str) -> bool:
    match = OPINION.fullmatch(text)
    return match is not None and match["word"] in lex.GOOD_WORDS + lex.BAD_WORDS


def _sample_topic(rng: random.Random) -> str:
    word = rng.choice(sorted(_TOPIC_OF))
    return f"{rng.choice(lex.NAMES)} talks about {word} in the {rng.choice(lex.PLACES)}."


def _is_topic(text: str) -> bool:
    match = TOPIC.fullmatch(text)
    return match is not None and match["word"] in _TOPIC_OF


def topic_of(word: str) -> str:
    """The topic that a key word belongs to."""
    return _TOPIC_OF[word]


def _pair(name: str, noun: str, first: tuple[str, ...], second: tuple[str, ...]) -> Kind:
    """Pairs `a, b` of two different words from two tables."""

    def sample(rng: random.Random) -> str:
        a, b = rng.choice(first), rng.choice(second)
        while a == b:
            b = rng.choice(second)
        return f"{a}, {b}"

    def is_valid(text: str) -> bool:
        items = split_list(text)
        return len(items) == 2 and items[0] in first and items[1] in second

    return Kind(name, noun, sample, is_valid)


def _kinds() -> list[Kind]:
    """All kinds of the world."""
    words = [_word_kind(name, members) for name, members in WORDS.items()]
    words.append(
        Kind("word", "word", lambda rng: rng.choice(PLAIN_WORDS), lambda t: bool(WORD.fullmatch(t)))
    )
    plural = {"country": "countries", "city": "cities"}
    lists = [
        _list_kind(f"{name}_list", f"list of {plural.get(noun, noun + 's')}", members)
        for name, members in (*WORDS.items(), ("word", PLAIN_WORDS))
        for noun in (_NOUNS.get(name, name),)
    ]
    numbers = tuple(str(n) for n in range(1, 31))
    return [
        *words,
        *lists,
        Kind("items", "list", sample_items, is_word_list),
        Kind("numbers", "list of numbers", sample_numbers, is_number_list),
        Kind("story", "sentence", sample_story, is_story),
        Kind("opinion", "sentence", _sample_opinion, _is_opinion),
        Kind("topic", "sentence", _sample_topic, _is_topic),
        _pair("number_pair", "two numbers", numbers, numbers),
        _pair("word_pair", "two words", PLAIN_WORDS, PLAIN_WORDS),
        _pair("name_place", "two words", lex.NAMES, lex.PLACES),
        _pair("object_colour", "two words", lex.OBJECTS, lex.COLOURS),
        _pair("name_object", "two words", lex.NAMES, lex.OBJECTS),
        Kind("none", "", lambda rng: "", lambda text: text == ""),
    ]


KINDS: dict[str, Kind] = {kind.name: kind for kind in _kinds()}
