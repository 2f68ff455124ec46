"""Claim: random checks fill their documented ranges, and every check asks in plain words.

The ranges are those of IFEval's generator, less what no answer or every answer would meet.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from random import Random

import pytest

from selfsown.core.request import JSON
from selfsown.judge.verifiers.check import Check
from selfsown.judge.verifiers.kinds import KINDS, check_from
from selfsown.judge.verifiers.vocabulary import (
    END_PHRASES,
    FIRST_WORDS,
    LANGUAGE_NAMES,
    LETTERS,
    WORDS,
)

PROMPT = "Name a river."
LIMITED: dict[str, tuple[range, range]] = {
    "keywords:frequency": (range(1, 4), range(2, 4)),
    "keywords:letter_frequency": (range(1, 11), range(2, 11)),
    "length_constraints:number_sentences": (range(1, 21), range(2, 21)),
    "length_constraints:number_words": (range(100, 501), range(100, 501)),
    "change_case:capital_word_frequency": (range(1, 21), range(2, 21)),
}
"""Kind -> counts with `at least`, counts with `less than`."""
COUNTED = {
    "length_constraints:number_paragraphs": range(1, 6),
    "length_constraints:nth_paragraph_first_word": range(1, 6),
    "detectable_content:number_placeholders": range(1, 5),
    "detectable_format:number_bullet_lists": range(1, 6),
    "detectable_format:number_highlighted_sections": range(1, 5),
    "detectable_format:multiple_sections": range(1, 6),
}


def drawn(kind: str, n: int = 600) -> list[Check]:
    return [KINDS[kind].draw(Random(seed), PROMPT) for seed in range(n)]


def values(checks: list[Check], name: str) -> set[object]:
    return {getattr(check, name) for check in checks}


@pytest.mark.parametrize("kind", LIMITED)
def test_counts_with_a_relation_fill_their_ranges(kind: str) -> None:
    checks = drawn(kind, 8000 if "words" in kind else 600)
    for relation, wanted in zip(("at least", "less than"), LIMITED[kind], strict=True):
        these = [check for check in checks if getattr(check, "relation", "") == relation]
        assert values(these, "count") == set(wanted)


@pytest.mark.parametrize("kind", COUNTED)
def test_counts_fill_their_ranges(kind: str) -> None:
    assert values(drawn(kind), "count") == set(COUNTED[kind])


def test_what_is_drawn_from_lists_is_drawn_from_all_of_them() -> None:
    for kind, name in (
        ("keywords:existence", "keywords"),
        ("keywords:forbidden_words", "words"),
    ):
        pairs = values(drawn(kind, 1500), name)
        assert {len(set(pair)) for pair in pairs} == {2}  # type: ignore[call-overload]
        assert {word for pair in pairs for word in pair} == set(WORDS)  # type: ignore[attr-defined]
    assert values(drawn("keywords:frequency", 1500), "keyword") == set(WORDS)
    assert values(drawn("keywords:letter_frequency"), "letter") == set(LETTERS)
    assert values(drawn("language:response_language"), "language") == set(LANGUAGE_NAMES)
    assert values(drawn("startend:end_checker"), "phrase") == set(END_PHRASES)
    paragraphs = drawn("length_constraints:nth_paragraph_first_word")
    assert values(paragraphs, "word") == set(FIRST_WORDS)
    assert values(paragraphs, "nth") == {1, 2, 3, 4, 5}
    assert values(drawn("detectable_content:postscript"), "marker") == {"P.S.", "P.P.S."}
    assert values(drawn("detectable_format:multiple_sections"), "name") == {"Section", "SECTION"}
    assert values(drawn("combination:repeat_prompt"), "prompt") == {PROMPT}


def test_the_vocabulary_holds_each_word_once_and_none_within_another() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert not [(one, two) for one in WORDS for two in WORDS if one != two and one in two]


SENTENCES: list[tuple[dict[str, JSON], str]] = [
    ({"kind": "keywords:existence", "keywords": ["a", " b "]},
     "Use each of these words at least once: `a`, `b`."),
    ({"kind": "keywords:frequency", "keyword": "a", "relation": "at least", "count": 1},
     "Let the word `a` occur at least 1 time."),
    ({"kind": "keywords:frequency", "keyword": "a", "relation": "less than", "count": 3},
     "Let the word `a` occur fewer than 3 times."),
    ({"kind": "keywords:forbidden_words", "words": ["a", "b"]},
     "Do not use any of these words: `a`, `b`."),
    ({"kind": "keywords:letter_frequency", "letter": "q", "relation": "at least", "count": 2},
     "Let the letter `q` occur at least 2 times, capital or small."),
    ({"kind": "language:response_language", "language": "pt"},
     "Write the whole answer in Portuguese."),
    ({"kind": "length_constraints:number_sentences", "relation": "less than", "count": 2},
     "Write fewer than 2 sentences."),
    ({"kind": "length_constraints:number_paragraphs", "count": 1},
     "Write a single paragraph, without the divider `***`."),
    ({"kind": "length_constraints:number_paragraphs", "count": 2},
     "Write exactly 2 paragraphs, with a line `***` between each two."),
    ({"kind": "length_constraints:number_words", "relation": "at least", "count": 100},
     "Use at least 100 words."),
    ({"kind": "length_constraints:nth_paragraph_first_word", "count": 1, "nth": 1, "word": "now"},
     "Write exactly 1 paragraph, without a blank line, and begin it with the word `now`."),
    ({"kind": "length_constraints:nth_paragraph_first_word", "count": 3, "nth": 2, "word": "now"},
     "Write exactly 3 paragraphs, with a blank line between each two, "
     "and begin paragraph 2 with the word `now`."),
    ({"kind": "detectable_content:number_placeholders", "count": 1},
     "Leave at least 1 placeholder in square brackets to be filled in, such as [name]."),
    ({"kind": "detectable_content:postscript"},
     "Add a postscript on a line of its own that begins with P.S."),
    ({"kind": "detectable_format:number_bullet_lists", "count": 2},
     "Include exactly 2 bullet points, each on a line that begins with `* ` or `- `."),
    ({"kind": "detectable_format:constrained_response", "options": ["So.", " Not so."]},
     "Let the answer hold exactly one of these statements, word for word: `So.`, `Not so.`."),
    ({"kind": "detectable_format:number_highlighted_sections", "count": 1},
     "Highlight at least 1 passage of the answer with asterisks, *like this*."),
    ({"kind": "detectable_format:multiple_sections", "name": "Part", "count": 2},
     "Divide the answer into at least 2 sections, and begin each with `Part` and its number, "
     "the first with `Part 1`."),
    ({"kind": "detectable_format:json_format"},
     "Give the whole answer as valid JSON; a code fence around it is allowed."),
    ({"kind": "detectable_format:title"},
     "Give the answer a title in double angle brackets, such as <<On Rivers>>."),
    ({"kind": "combination:two_responses"},
     "Give two different answers, with a line `******` between them and nowhere else."),
    ({"kind": "combination:repeat_prompt", "prompt": " Name a river. "},
     "Before you answer, repeat this request word for word: Name a river."),
    ({"kind": "startend:end_checker", "phrase": " The end. "},
     "End with exactly this phrase and write nothing after it: The end."),
    ({"kind": "startend:quotation"}, "Put the whole answer in double quotation marks."),
    ({"kind": "change_case:capital_word_frequency", "relation": "less than", "count": 2},
     "Write fewer than 2 words entirely in capital letters."),
    ({"kind": "change_case:english_capital"},
     "Write the whole answer in English and in capital letters only."),
    ({"kind": "change_case:english_lowercase"},
     "Write the whole answer in English and in small letters, without any capital."),
    ({"kind": "punctuation:no_comma"}, "Use no comma at all."),
]  # fmt: skip


@pytest.mark.parametrize(("row", "sentence"), SENTENCES)
def test_the_sentence_says_what_is_asked_for(row: dict[str, JSON], sentence: str) -> None:
    assert check_from(row).sentence == sentence


def test_every_kind_has_its_sentence_here() -> None:
    assert {row["kind"] for row, _ in SENTENCES} == set(KINDS)


def test_the_guide_lists_every_kind_with_its_parameters() -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / "checks.md"
    rows = re.findall(r"^\| `(\w+:\w+)` \|([^|]*)\|", guide.read_text("utf-8"), re.MULTILINE)
    assert [kind for kind, _ in rows] == list(KINDS)
    for kind, told in rows:
        names = re.findall(r"`(\w+)`", told)
        assert names == [parameter.name for parameter in fields(KINDS[kind])], kind


def test_checks_that_limit_from_above_are_ceilings_and_no_others() -> None:
    always = {"keywords:forbidden_words", "punctuation:no_comma"}
    for kind in KINDS:
        for check in drawn(kind, 20):
            is_limit = getattr(check, "relation", "") == "less than"
            assert check.is_ceiling == (is_limit or kind in always)
