"""How many sentences, words and paragraphs, and how a paragraph begins (`length_constraints`)."""

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
    require_count,
)
from selfsown.judge.verifiers.units import blocks, parts, sentence_count, word_count
from selfsown.judge.verifiers.vocabulary import FIRST_WORDS


@dataclass(frozen=True, slots=True)
class NumberOfSentences(Check):
    """Fewer than, or at least, `count` sentences; see `units.sentence_count`."""

    kind: ClassVar[str] = "length_constraints:number_sentences"
    relation: Relation
    count: int

    def __post_init__(self) -> None:
        """Refuse a count that every answer meets, or none."""
        require_count(self.count, self.relation)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Write {amount(self.relation, self.count, 'sentence')}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NumberOfSentences:
        """1 to 20 sentences, from 2 where they are limited from above."""
        relation = drawn_relation(rng)
        return cls(relation, rng.randint(1 if relation == "at least" else 2, 20))

    def decide(self, text: str) -> bool:
        """Whether the number of sentences is as asked."""
        return compared(sentence_count(text), self.relation, self.count)

    @property
    def is_ceiling(self) -> bool:
        """Whether it limits from above."""
        return self.relation == "less than"


@dataclass(frozen=True, slots=True)
class NumberOfParagraphs(Check):
    """Exactly `count` paragraphs between dividers `***`; none of them is empty."""

    kind: ClassVar[str] = "length_constraints:number_paragraphs"
    count: int

    def __post_init__(self) -> None:
        """Refuse a count below one."""
        require_count(self.count)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        if self.count == 1:
            return "Write a single paragraph, without the divider `***`."
        return f"Write exactly {self.count} paragraphs, with a line `***` between each two."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NumberOfParagraphs:
        """1 to 5 paragraphs."""
        return cls(rng.randint(1, 5))

    def decide(self, text: str) -> bool:
        """Whether the number of paragraphs is as asked."""
        found = parts(text, stars=3)
        return found is not None and len(found) == self.count


@dataclass(frozen=True, slots=True)
class NumberOfWords(Check):
    """Fewer than, or at least, `count` words; see `units.word_count`."""

    kind: ClassVar[str] = "length_constraints:number_words"
    relation: Relation
    count: int

    def __post_init__(self) -> None:
        """Refuse a count that every answer meets, or none."""
        require_count(self.count, self.relation)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Use {amount(self.relation, self.count, 'word')}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NumberOfWords:
        """100 to 500 words."""
        return cls(drawn_relation(rng), rng.randint(100, 500))

    def decide(self, text: str) -> bool:
        """Whether the number of words is as asked."""
        return compared(word_count(text), self.relation, self.count)

    @property
    def is_ceiling(self) -> bool:
        """Whether it limits from above."""
        return self.relation == "less than"


@dataclass(frozen=True, slots=True)
class NthParagraphFirstWord(Check):
    """Exactly `count` paragraphs between blank lines, and the `nth` begins with `word`.

    Letter case and quotation marks before the word do not matter, and the word ends where its
    letters do: "Now," begins with "now". Paragraphs are counted from 1.
    """

    kind: ClassVar[str] = "length_constraints:nth_paragraph_first_word"
    count: int
    nth: int
    word: str

    def __post_init__(self) -> None:
        """Refuse a paragraph that is not there, and a word that is not one word."""
        require_count(self.count)
        require(1 <= self.nth <= self.count, f"`nth` is {self.nth}", f"1 to {self.count}")
        require(len(self.word.split()) == 1, f"`word` is `{self.word}`", "it is one word")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        if self.count == 1:
            return (
                "Write exactly 1 paragraph, without a blank line, "
                f"and begin it with the word `{self.word}`."
            )
        return (
            f"Write exactly {self.count} paragraphs, with a blank line between each two, "
            f"and begin paragraph {self.nth} with the word `{self.word}`."
        )

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NthParagraphFirstWord:
        """1 to 5 paragraphs."""
        count = rng.randint(1, 5)
        return cls(count, rng.randint(1, count), rng.choice(FIRST_WORDS))

    def decide(self, text: str) -> bool:
        """Whether number and first word are as asked."""
        found = blocks(text)
        if len(found) != self.count:
            return False
        begins = rf"[\"'\u201c\u2018\u00ab]*{re.escape(self.word)}(?!\w)"
        return re.match(begins, found[self.nth - 1], re.IGNORECASE) is not None

    @property
    def required_text(self) -> str:
        """The word."""
        return self.word
