"""The language of an answer and the case of its letters (groups `language`, `change_case`).

Languages are told by `selfsown.curate.language`: by script, and in Latin script by function words.
Where it cannot tell, these checks are undecided; in the release of IFEval they pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final

from selfsown.curate.language import guess_language
from selfsown.judge.verifiers.check import (
    Check,
    Relation,
    amount,
    compared,
    drawn_relation,
    require,
)
from selfsown.judge.verifiers.vocabulary import LANGUAGE_NAMES

_WORD: Final = re.compile(r"\w+(?:['\u2019-]\w+)*")


@dataclass(frozen=True, slots=True)
class ResponseLanguage(Check):
    """The answer is in a language, named by its ISO 639-1 code.

    A code that the detector does not know is refused: every answer would be undecided. Languages
    that share a script other than Latin are not told apart; see `curate.language`.
    """

    kind: ClassVar[str] = "language:response_language"
    language: str

    def __post_init__(self) -> None:
        """Refuse a language that cannot be told."""
        known = ", ".join(sorted(LANGUAGE_NAMES))
        require(
            self.language in LANGUAGE_NAMES,
            f"`language` is `{self.language}`",
            f"languages that can be told are {known}",
        )

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Write the whole answer in {LANGUAGE_NAMES[self.language]}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> ResponseLanguage:
        """Any language that can be told."""
        return cls(rng.choice(sorted(LANGUAGE_NAMES)))

    def decide(self, text: str) -> bool | None:
        """Whether it is that language; None where the language cannot be told."""
        return _is_language(text, self.language)


@dataclass(frozen=True, slots=True)
class EnglishCapital(Check):
    """Every letter is a capital, and the language is English."""

    kind: ClassVar[str] = "change_case:english_capital"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Write the whole answer in English and in capital letters only."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> EnglishCapital:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool | None:
        """False where a small letter stands; else what the language says."""
        return text.isupper() and _is_language(text, "en")


@dataclass(frozen=True, slots=True)
class EnglishLowercase(Check):
    """No letter is a capital, and the language is English."""

    kind: ClassVar[str] = "change_case:english_lowercase"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Write the whole answer in English and in small letters, without any capital."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> EnglishLowercase:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool | None:
        """False where a capital stands; else what the language says."""
        return text.islower() and _is_language(text, "en")


@dataclass(frozen=True, slots=True)
class CapitalWordFrequency(Check):
    """Fewer than, or at least, `count` words are all capitals; "I", "A" and "GPT-4" are.

    A word may hold digits, hyphens and apostrophes, so that "WELL-KNOWN" is one.
    """

    kind: ClassVar[str] = "change_case:capital_word_frequency"
    relation: Relation
    count: int

    def __post_init__(self) -> None:
        """Refuse a count that means nothing; `less than 1` forbids such words."""
        require(self.count >= 1, f"`count` is {self.count}", "it is 1 or more")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Write {amount(self.relation, self.count, 'word')} entirely in capital letters."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> CapitalWordFrequency:
        """1 to 20 words, from 2 where they are limited from above."""
        relation = drawn_relation(rng)
        return cls(relation, rng.randint(1 if relation == "at least" else 2, 20))

    def decide(self, text: str) -> bool:
        """Whether the number of such words is as asked."""
        found = sum(word.isupper() for word in _WORD.findall(text))
        return compared(found, self.relation, self.count)

    @property
    def is_ceiling(self) -> bool:
        """Whether it limits from above."""
        return self.relation == "less than"


def _is_language(text: str, code: str) -> bool | None:
    """Whether `text` is in a language; None where it cannot be told.

    Marks around the whole answer are taken off first: what is quoted does not count for the guess.
    """
    guess = guess_language(text.strip('"\u201c\u201d\u00ab\u00bb'))
    return None if guess is None else guess == code
