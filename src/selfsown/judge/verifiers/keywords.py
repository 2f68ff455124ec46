"""Words and letters that an answer must or must not hold (group `keywords`).

Words are taken literally: `c++` or `a.b` from a user is no pattern. (The release of IFEval reads
them as regular expressions.) As there, required words may be part of a longer word, forbidden ones
only count when they stand alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from selfsown.judge.verifiers.check import (
    Check,
    Relation,
    amount,
    compared,
    drawn_relation,
    require,
)
from selfsown.judge.verifiers.vocabulary import LETTERS, WORDS


@dataclass(frozen=True, slots=True)
class Existence(Check):
    """Every keyword occurs, in any letter case."""

    kind: ClassVar[str] = "keywords:existence"
    keywords: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse no keyword and blank ones."""
        _require_words("keywords", self.keywords)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Use each of these words at least once: {_listed(self.keywords)}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> Existence:
        """Two words of the vocabulary."""
        return cls(tuple(rng.sample(WORDS, 2)))

    def decide(self, text: str) -> bool:
        """Whether all are there."""
        return all(_count(word, text) for word in self.keywords)

    @property
    def required_text(self) -> str:
        """The keywords."""
        return " ".join(self.keywords)


@dataclass(frozen=True, slots=True)
class Frequency(Check):
    """A keyword occurs less often than, or at least, `count` times, in any letter case."""

    kind: ClassVar[str] = "keywords:frequency"
    keyword: str
    relation: Relation
    count: int

    def __post_init__(self) -> None:
        """Refuse a blank keyword and a count without meaning; `less than 1` forbids the word."""
        _require_words("keyword", (self.keyword,))
        require(self.count >= 1, f"`count` is {self.count}", "it is 1 or more")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        times = amount(self.relation, self.count, "time")
        return f"Let the word `{self.keyword}` occur {times}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> Frequency:
        """A word at least 1 to 3 times, or fewer than 2 or 3 times."""
        relation = drawn_relation(rng)
        least = 1 if relation == "at least" else 2
        return cls(rng.choice(WORDS), relation, rng.randint(least, 3))

    def decide(self, text: str) -> bool:
        """Whether the number of occurrences is as asked."""
        return compared(_count(self.keyword, text), self.relation, self.count)

    @property
    def required_text(self) -> str:
        """The keyword, as often as it must occur."""
        return " ".join([self.keyword] * self.count) if self.relation == "at least" else ""

    @property
    def is_ceiling(self) -> bool:
        """Whether it limits from above."""
        return self.relation == "less than"


@dataclass(frozen=True, slots=True)
class ForbiddenWords(Check):
    """None of the words stands in the answer as a word of its own, in any letter case."""

    kind: ClassVar[str] = "keywords:forbidden_words"
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse no word and blank ones."""
        _require_words("words", self.words)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Do not use any of these words: {_listed(self.words)}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> ForbiddenWords:
        """Two words of the vocabulary."""
        return cls(tuple(rng.sample(WORDS, 2)))

    def decide(self, text: str) -> bool:
        """Whether none is there. `c++` and `.net` can be words, too."""
        anywhere = "|".join(re.escape(word.strip()) for word in self.words)
        return not re.search(rf"(?<!\w)(?:{anywhere})(?!\w)", text, re.IGNORECASE)

    @property
    def is_ceiling(self) -> bool:
        """A word that is there stays there."""
        return True


@dataclass(frozen=True, slots=True)
class LetterFrequency(Check):
    """A character occurs less often than, or at least, `count` times, in any letter case."""

    kind: ClassVar[str] = "keywords:letter_frequency"
    letter: str
    relation: Relation
    count: int

    def __post_init__(self) -> None:
        """Refuse anything but one visible character."""
        require(
            len(self.letter) == 1 and not self.letter.isspace(),
            f"`letter` is `{self.letter}`",
            "it is one visible character",
        )
        require(self.count >= 1, f"`count` is {self.count}", "it is 1 or more")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        times = amount(self.relation, self.count, "time")
        return f"Let the letter `{self.letter}` occur {times}, capital or small."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> LetterFrequency:
        """A letter at least 1 to 10 times, or fewer than 2 to 10 times."""
        relation = drawn_relation(rng)
        least = 1 if relation == "at least" else 2
        return cls(rng.choice(LETTERS), relation, rng.randint(least, 10))

    def decide(self, text: str) -> bool:
        """Whether the number of occurrences is as asked."""
        return compared(text.lower().count(self.letter.lower()), self.relation, self.count)

    @property
    def is_ceiling(self) -> bool:
        """Whether it limits from above."""
        return self.relation == "less than"


def _count(word: str, text: str) -> int:
    return len(re.findall(re.escape(word.strip()), text, re.IGNORECASE))


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word.strip()}`" for word in words)


def _require_words(name: str, words: tuple[str, ...]) -> None:
    told = list(words)
    require(bool(words) and all(word.strip() for word in words), f"`{name}` is {told}", "no blanks")
