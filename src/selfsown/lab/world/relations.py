"""The 34 word relations and 17 properties from which most families of tasks are composed.

A relation maps a word to its answer and comes with noun phrases ("the capital of {s}") and
questions ("Which city is the capital of {s}?"), where `{s}` is filled by "the country", "each
country in the list" or "France". Relations, lists, two-step tasks and closed questions all share
these phrases: that is what makes an unseen composition solvable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selfsown.lab.world import lexicon as lex
from selfsown.lab.world.kinds import CATEGORIES, SINGULAR


@dataclass(frozen=True, slots=True)
class Relation:
    """One function from words to words."""

    name: str
    kind: str
    """Kind of its argument, a key of `KINDS`."""
    answer: Callable[[str], str]
    nouns: tuple[str, str]
    """Two noun phrases with `{s}`."""
    question: str
    """One question with `{s}`."""
    is_classification: bool = False
    """Whether the answers are a small closed set of labels."""


@dataclass(frozen=True, slots=True)
class Property:
    """One yes-or-no fact about a word."""

    name: str
    kind: str
    holds: Callable[[str], bool]
    question: str
    """Yes-or-no question with `{s}`."""
    clause: str
    """The same as a clause: `{s} can fly`."""


def spell(word: str) -> str:
    """The letters of a word with spaces between them: `c a t`."""
    return " ".join(word)


def _category_of(word: str) -> str:
    return next(SINGULAR[name] for name, words in CATEGORIES.items() if word in words)


def _shift(cycle: tuple[str, ...], step: int) -> Callable[[str], str]:
    """The next (+1) or previous (-1) element of a cycle."""
    return lambda word: cycle[(cycle.index(word) + step) % len(cycle)]


_MONTHS = tuple(month for month, _ in lex.MONTHS)
_SEASONS = dict(lex.MONTHS)
_COUNTRY_OF = {capital: country for country, (capital, _, _) in lex.COUNTRIES.items()}
_JOB_OF = {tool: job for job, (_, tool) in lex.JOBS.items()}

# fmt: off
RELATIONS: tuple[Relation, ...] = (
    Relation("capital", "country", lambda w: lex.COUNTRIES[w][0],
             ("the capital of {s}", "the capital city of {s}"),
             "Which city is the capital of {s}?"),
    Relation("continent", "country", lambda w: lex.COUNTRIES[w][1],
             ("the continent of {s}", "the continent that {s} is part of"),
             "On which continent is {s}?", True),
    Relation("language", "country", lambda w: lex.COUNTRIES[w][2],
             ("the language of {s}", "the main language of {s}"),
             "Which language do people speak in {s}?"),
    Relation("country_of", "city", lambda w: _COUNTRY_OF[w],
             ("the country of {s}", "the country that has {s} as its capital"),
             "In which country is {s}?"),
    Relation("class", "animal", lambda w: lex.ANIMALS[w][0],
             ("the animal class of {s}", "the class that {s} belongs to"),
             "Which animal class does {s} belong to?", True),
    Relation("legs", "animal", lambda w: lex.ANIMALS[w][1],
             ("the number of legs of {s}", "the leg count of {s}"),
             "How many legs does {s} have?", True),
    Relation("home", "animal", lambda w: lex.ANIMALS[w][2],
             ("the home of {s}", "the place where {s} lives"),
             "Where does {s} live?"),
    Relation("food", "animal", lambda w: lex.ANIMALS[w][3],
             ("the food of {s}", "the favourite food of {s}"),
             "What does {s} like to eat?"),
    Relation("baby", "animal", lambda w: lex.ANIMALS[w][5],
             ("the young of {s}", "the name for the baby of {s}"),
             "What is the baby of {s} called?"),
    Relation("sound", "animal", lambda w: lex.ANIMALS[w][6],
             ("the sound of {s}", "the sound that {s} makes"),
             "What sound does {s} make?"),
    Relation("colour", "plant", lambda w: lex.PLANTS[w][0],
             ("the colour of {s}", "the usual colour of {s}"),
             "What colour does {s} have?", True),
    Relation("plant_kind", "plant", lambda w: lex.PLANTS[w][1],
             ("the food group of {s}", "the group that {s} belongs to"),
             "Is {s} a fruit or a vegetable?", True),
    Relation("opposite", "adjective", lambda w: lex.OPPOSITES[w],
             ("the opposite of {s}", "the word that means the opposite of {s}"),
             "Which word is the opposite of {s}?"),
    Relation("comparative", "adjective_compared", lambda w: lex.COMPARATIVES[w],
             ("the comparative of {s}", "the comparative form of {s}"),
             "Which form of {s} do you use to compare?"),
    Relation("plural", "noun", lambda w: lex.PLURALS[w],
             ("the plural of {s}", "the plural form of {s}"),
             "Which form of {s} means more than one?"),
    Relation("past", "verb", lambda w: lex.VERBS[w][0],
             ("the past tense of {s}", "the past form of {s}"),
             "Which form of {s} tells about yesterday?"),
    Relation("workplace", "job", lambda w: lex.JOBS[w][0],
             ("the workplace of {s}", "the place where {s} works"),
             "Where does {s} work?"),
    Relation("tool", "job", lambda w: lex.JOBS[w][1],
             ("the tool of {s}", "the tool that {s} uses"),
             "Which tool does {s} use?"),
    Relation("job_of", "tool", lambda w: _JOB_OF[w],
             ("the job that needs {s}", "the worker who uses {s}"),
             "Who works with {s}?"),
    Relation("day_after", "day", _shift(lex.DAYS, 1),
             ("the day after {s}", "the day that follows {s}"),
             "Which day comes after {s}?"),
    Relation("day_before", "day", _shift(lex.DAYS, -1),
             ("the day before {s}", "the day that comes before {s}"),
             "Which day is just before {s}?"),
    Relation("month_after", "month", _shift(_MONTHS, 1),
             ("the month after {s}", "the month that follows {s}"),
             "Which month comes after {s}?"),
    Relation("month_before", "month", _shift(_MONTHS, -1),
             ("the month before {s}", "the month that comes before {s}"),
             "Which month is just before {s}?"),
    Relation("season", "month", lambda w: _SEASONS[w],
             ("the season of {s}", "the season that {s} belongs to"),
             "In which season is {s}?", True),
    Relation("digits", "number_word", lambda w: str(lex.NUMBER_WORDS.index(w)),
             ("the digit form of {s}", "the digits that stand for {s}"),
             "How do you write {s} in digits?"),
    Relation("number_name", "small_number", lambda w: lex.NUMBER_WORDS[int(w)],
             ("the name of {s}", "the word for {s}"),
             "How do you write {s} as a word?"),
    Relation("number_after", "number", lambda w: str(int(w) + 1),
             ("the number after {s}", "the number that follows {s}"),
             "Which number comes after {s}?"),
    Relation("number_before", "number", lambda w: str(int(w) - 1),
             ("the number before {s}", "the number that comes before {s}"),
             "Which number is just before {s}?"),
    Relation("double", "number", lambda w: str(2 * int(w)),
             ("the double of {s}", "two times the value of {s}"),
             "What do you get when you double {s}?"),
    Relation("first_letter", "word", lambda w: w[0],
             ("the first letter of {s}", "the letter at the start of {s}"),
             "Which letter does {s} start with?"),
    Relation("last_letter", "word", lambda w: w[-1],
             ("the last letter of {s}", "the letter at the end of {s}"),
             "Which letter does {s} end with?"),
    Relation("letter_count", "word", lambda w: str(len(w)),
             ("the number of letters in {s}", "the length of {s} in letters"),
             "How many letters does {s} have?"),
    Relation("spelling", "word", spell,
             ("the spelling of {s}", "the letters of {s} one by one"),
             "How do you spell {s}?"),
    Relation("category", "category_word", _category_of,
             ("the category of {s}", "the kind of thing that {s} names"),
             "What kind of thing does {s} name?", True),
)
# fmt: on

RELATION: dict[str, Relation] = {relation.name: relation for relation in RELATIONS}

MAPPED = (
    *("capital", "continent", "language", "country_of", "class", "legs", "home", "food", "baby"),
    *("sound", "colour", "plant_kind", "opposite", "comparative", "plural", "past", "workplace"),
    *("tool", "season", "number_name", "double", "first_letter"),
)
"""Relations that also exist as "for each word in the list"."""

TWO_STEP = (
    *("capital", "continent", "language", "country_of", "home", "food", "baby", "sound"),
    *("colour", "opposite", "plural", "past", "workplace", "tool", "day_after"),
)
"""Relations whose answer may be looked at letter by letter in a second step."""

CLOSED: dict[str, str] = {
    "capital": "{w}",
    "continent": "{w}",
    "language": "{w}",
    "class": "{a} {w}",
    "legs": "{a} {w}",
    "home": "{a} {w}",
    "food": "{a} {w}",
    "baby": "{a} {w}",
    "sound": "{a} {w}",
    "colour": "{a} {w}",
    "opposite": "the word {w}",
    "plural": "the word {w}",
    "past": "the word {w}",
    "workplace": "{a} {w}",
}
"""Relations asked about one named word, and how the word is named (`{a}`: its article)."""


def _is_over_ten(word: str) -> bool:
    return int(word) > 10


# fmt: off
PROPERTIES: tuple[Property, ...] = (
    Property("flies", "animal", lambda w: lex.ANIMALS[w][4], "Can {s} fly?", "{s} can fly"),
    Property("four_legs", "animal", lambda w: lex.ANIMALS[w][1] == "four",
             "Does {s} have four legs?", "{s} has four legs"),
    Property("mammal", "animal", lambda w: lex.ANIMALS[w][0] == "mammal",
             "Is {s} a mammal?", "{s} is a mammal"),
    Property("bird", "animal", lambda w: lex.ANIMALS[w][0] == "bird",
             "Is {s} a bird?", "{s} is a bird"),
    Property("farm", "animal", lambda w: lex.ANIMALS[w][2] == "farm",
             "Does {s} live on a farm?", "{s} lives on a farm"),
    Property("forest", "animal", lambda w: lex.ANIMALS[w][2] == "forest",
             "Does {s} live in a forest?", "{s} lives in a forest"),
    Property("europe", "country", lambda w: lex.COUNTRIES[w][1] == "Europe",
             "Is {s} in Europe?", "{s} is in Europe"),
    Property("asia", "country", lambda w: lex.COUNTRIES[w][1] == "Asia",
             "Is {s} in Asia?", "{s} is in Asia"),
    Property("fruit", "plant", lambda w: lex.PLANTS[w][1] == "fruit",
             "Is {s} a kind of fruit?", "{s} is a kind of fruit"),
    Property("red", "plant", lambda w: lex.PLANTS[w][0] == "red", "Is {s} usually red?",
             "{s} is usually red"),
    Property("even", "number", lambda w: int(w) % 2 == 0, "Is {s} even?", "{s} is even"),
    Property("over_ten", "number", _is_over_ten, "Is {s} greater than ten?",
             "{s} is greater than ten"),
    Property("weekend", "day", lambda w: w in ("Saturday", "Sunday"),
             "Is {s} part of the weekend?", "{s} is part of the weekend"),
    Property("summer", "month", lambda w: _SEASONS[w] == "summer",
             "Is {s} in summer?", "{s} is in summer"),
    Property("winter", "month", lambda w: _SEASONS[w] == "winter",
             "Is {s} in winter?", "{s} is in winter"),
    Property("vowel", "word", lambda w: w[0].lower() in "aeiou",
             "Does {s} start with a vowel?", "{s} starts with a vowel"),
    Property("long", "word", lambda w: len(w) > 5,
             "Does {s} have more than five letters?", "{s} has more than five letters"),
)
# fmt: on
