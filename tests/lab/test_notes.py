"""Claim: a note can be written in other words, and says the same facts, no more and no fewer."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

from selfsown.lab.notes import Note, answers_like, facts_by_topic, notes, spread_facts


def _facts(note: Note) -> Counter[str]:
    return Counter(fact.sentences[0] for told in note.paragraphs for fact, _ in told)


def test_a_rephrase_has_every_fact_once_and_in_the_other_wording() -> None:
    for note in islice(notes(3), 40):
        original, prose = note.text(), note.rephrased("prose", random.Random(0))
        for told in note.paragraphs:
            for fact, wording in told:
                assert fact.sentences[wording] in original
                assert fact.sentences[1 - wording] in prose
        assert len(prose) - len(prose.replace(".", "")) == sum(_facts(note).values())


def test_questions_and_answers_are_those_of_the_facts() -> None:
    for note in islice(notes(4), 40):
        pairs = note.rephrased("questions", random.Random(0)).split("Question: ")[1:]
        wanted = Counter(
            f"{fact.question}\nAnswer: {fact.answer}"
            for told in note.paragraphs
            for fact, _ in told
        )
        assert Counter(pair.strip() for pair in pairs) == wanted


def test_a_note_depends_on_seed_and_number_alone() -> None:
    assert next(notes(5, 7)) == list(islice(notes(5), 8))[7]
    assert next(notes(6)).text() != next(notes(5)).text()


def test_every_fact_comes_once_when_they_are_spread() -> None:
    every = [
        fact for words in facts_by_topic().values() for told in words.values() for fact in told
    ]
    assert Counter(spread_facts()) == Counter(every)
    assert all(fact.answer in answers_like(fact) for fact in every[:50])
