"""Every fact of the world as a sentence: what exposition in the corpus is made of."""

from __future__ import annotations

from functools import cache

from selfsown.lab.world.kinds import CATEGORIES, PLAIN_WORDS, SINGULAR, WORDS
from selfsown.lab.world.relations import PROPERTIES, RELATIONS, spell

_NAMED = {
    "country": "{w}",
    "city": "{w}",
    "animal": "{a} {w}",
    "plant": "{a} {w}",
    "job": "{a} {w}",
    "tool": "{a} {w}",
    "day": "{w}",
    "month": "{w}",
    "number": "{w}",
    "small_number": "{w}",
}


def _subject(kind: str, word: str) -> str:
    """A word as the subject of a sentence: `France`, `an owl`, `the word happy`."""
    form = _NAMED.get(kind, "the word {w}")
    return form.format(w=word, a="an" if word[0] in "aeiou" else "a")


def _sentence(start: str, answer: str) -> tuple[str, str]:
    return f"{start[0].upper()}{start[1:]} is", f" {answer}"


@cache
def facts_by_subject() -> dict[str, tuple[tuple[str, str], ...]]:
    """For each word its facts, as (beginning, end) pairs; the end is what training weights."""
    facts: dict[str, list[tuple[str, str]]] = {}
    for relation in RELATIONS:
        for word in WORDS.get(relation.kind, ()):
            s = _subject(relation.kind, word)
            answer = relation.answer(word)
            facts.setdefault(word, []).extend(
                _sentence(noun.format(s=s), answer) for noun in relation.nouns
            )
    for fact in PROPERTIES:
        for word in WORDS.get(fact.kind, ()):
            question = fact.question.format(s=_subject(fact.kind, word))
            facts.setdefault(word, []).append((question, " yes" if fact.holds(word) else " no"))
    for name, words in CATEGORIES.items():
        for word in words:
            facts.setdefault(word, []).append((f"{word} names", f" {_article(SINGULAR[name])}"))
    return {word: tuple(found) for word, found in facts.items()}


@cache
def spelled_words() -> tuple[str, ...]:
    """Every word that a task may want spelled, counted or cut: all inputs and all short answers."""
    words = set(PLAIN_WORDS)
    for relation in RELATIONS:
        for word in WORDS.get(relation.kind, ()):
            words.add(word)
            words.add(relation.answer(word))
    return tuple(sorted(word for word in words if word.isalpha() and len(word) > 1))


def letters_of(word: str) -> tuple[tuple[str, str], ...]:
    """The letter facts of one word as (beginning, end) pairs."""
    return (
        (f"{word} is spelled", f" {spell(word)}"),
        (f"{word} begins with", f" {word[0]}"),
        (f"{word} ends with", f" {word[-1]}"),
        (f"The number of letters in {word} is", f" {len(word)}"),
        (f"{word} in capital letters is", f" {word.upper()}"),
    )


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun
