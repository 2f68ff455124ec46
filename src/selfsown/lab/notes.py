"""Notes: facts of the micro-world as prose, which can be written again in other words.

A note tells a few facts about a few words. Every fact has two wordings in prose and a question with
its answer, so a note can be rendered in another wording and order, or in the form of questions,
with nothing changed but the style. That makes this program the perfect rephraser of experiments
with rephrased text: it adds, loses and changes no fact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Literal

from selfsown.core.randomness import rng_for
from selfsown.lab.world.facts import spelled_words
from selfsown.lab.world.kinds import WORDS
from selfsown.lab.world.relations import PROPERTIES, RELATIONS, Property, Relation

Form = Literal["prose", "questions"]
_ARTICLE = frozenset({"animal", "plant", "job", "tool"})
_BARE = frozenset({"country", "city", "day", "month", "number", "small_number"})
_TRUE = ("It is true that {c}.", "It is right to say that {c}.")
_FALSE = ("It is not true that {c}.", "It is wrong to say that {c}.")


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement about a word, in all its wordings."""

    topic: str
    """Kind of the word: `animal`, `country`, ..."""
    name: str
    """Of the relation or property."""
    sentences: tuple[str, str]
    """Its two wordings in prose."""
    question: str
    answer: str
    """What the question is answered with."""


@dataclass(frozen=True, slots=True)
class Note:
    """Facts about some words; of each fact, which of its wordings the original has."""

    id: str
    paragraphs: tuple[tuple[tuple[Fact, int], ...], ...]

    @property
    def topic(self) -> str:
        """Kind of the first word."""
        return self.paragraphs[0][0][0].topic

    def text(self) -> str:
        """The original."""
        return "\n".join(
            " ".join(fact.sentences[wording] for fact, wording in paragraph)
            for paragraph in self.paragraphs
        )

    def rephrased(self, form: Form, rng: random.Random) -> str:
        """The same facts, each in a wording that the original does not have, in another order."""
        paragraphs = [
            rng.sample(paragraph, len(paragraph))
            for paragraph in rng.sample(self.paragraphs, len(self.paragraphs))
        ]
        if form == "questions":
            told = chain.from_iterable(paragraphs)
            return "\n".join(f"Question: {f.question}\nAnswer: {f.answer}" for f, _ in told)
        return "\n".join(
            " ".join(fact.sentences[1 - wording] for fact, wording in paragraph)
            for paragraph in paragraphs
        )


def notes(seed: int, start: int = 0) -> Iterator[Note]:
    """An endless stream of notes; note k depends on the seed and k alone."""
    index = start
    while True:
        rng = rng_for(seed, "lab-notes", index)
        paragraphs = tuple(_paragraph(rng) for _ in range(rng.randint(2, 4)))
        yield Note(f"note-{seed}-{index}", paragraphs)
        index += 1


def _paragraph(rng: random.Random) -> tuple[tuple[Fact, int], ...]:
    """Three to six different facts of one topic, about as few words as have so many."""
    topics = facts_by_topic()
    words = topics[rng.choice(sorted(topics))]
    wanted = rng.randint(3, 6)
    told: list[Fact] = []
    for word in rng.sample(sorted(words), min(len(words), wanted)):
        told += rng.sample(words[word], min(len(words[word]), wanted - len(told)))
        if len(told) == wanted:
            break
    return tuple((fact, rng.randrange(2)) for fact in told)


@cache
def facts_by_topic() -> dict[str, dict[str, tuple[Fact, ...]]]:
    """Kind → word → its facts."""
    found: dict[str, dict[str, list[Fact]]] = {}
    for relation in RELATIONS:
        for word in _words_of(relation.kind):
            fact = _of_relation(relation, word)
            found.setdefault(relation.kind, {}).setdefault(word, []).append(fact)
    for one in PROPERTIES:
        for word in _words_of(one.kind):
            found.setdefault(one.kind, {}).setdefault(word, []).append(_of_property(one, word))
    return {
        kind: {word: tuple(facts) for word, facts in words.items()} for kind, words in found.items()
    }


def _words_of(kind: str) -> tuple[str, ...]:
    return spelled_words() if kind == "word" else WORDS.get(kind, ())


def answers_like(fact: Fact) -> list[str]:
    """Every answer that facts of the same name have, sorted; the fact's own is among them."""
    words = facts_by_topic()[fact.topic].values()
    return sorted({other.answer for told in words for other in told if other.name == fact.name})


def spread_facts() -> Iterator[Fact]:
    """Every fact once, the topics and words taking turns."""
    turns = [iter(words.values()) for words in facts_by_topic().values()]
    told = [list(chain.from_iterable(words)) for words in turns]
    for number in range(max(map(len, told))):
        yield from (facts[number] for facts in told if number < len(facts))


def _of_relation(relation: Relation, word: str) -> Fact:
    subject, answer = _subject(relation.kind, word), relation.answer(word)
    first, second = (f"{_capital(noun.format(s=subject))} is {answer}." for noun in relation.nouns)
    question = _capital(relation.question.format(s=subject))
    return Fact(relation.kind, relation.name, (first, second), question, answer)


def _of_property(one: Property, word: str) -> Fact:
    subject, holds = _subject(one.kind, word), one.holds(word)
    frames = _TRUE if holds else _FALSE
    first, second = (frame.format(c=one.clause.format(s=subject)) for frame in frames)
    question = _capital(one.question.format(s=subject))
    return Fact(one.kind, one.name, (first, second), question, "yes" if holds else "no")


def _subject(kind: str, word: str) -> str:
    if kind in _ARTICLE:
        return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
    return word if kind in _BARE else f"the word {word}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
