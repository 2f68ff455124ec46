"""Claim: root verb and noun of a common instruction are found; coverage is what we say."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from selfsown.core.errors import ConfigError
from selfsown.curate.openings import opening, root_verb_noun, singular

PUBLISHED = (
    Path(__file__).parents[2] / "../shared/data/self_instruct/gpt3_generated_sample_1000.jsonl.gz"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a short story about a dog.", ("write", "story")),
        ("Write a short, funny story about a dog.", ("write", "story")),
        ("Give me a list of five books.", ("give", "list")),
        ("Given a list of numbers, find their average.", ("find", "average")),
        ("You are given a table. Your task is to find the largest element.", ("find", "element")),
        ("Can you please translate these sentences into French?", ("translate", "sentence")),
        ("Replace all of the verbs with the infinitive form.", ("replace", "verb")),
        ("Come up with a catchy slogan for a bakery.", ("come", "slogan")),
        ("Explain how tides work.", ("explain", None)),
        ("Tell me about the children of the king.", ("tell", None)),
        ("Describe your morning.", ("describe", "morning")),
        ("Write a sentence containing the word moon.", ("write", "sentence")),
        ("Name three cities.", ("name", "city")),
        ('Use "map" and "draw" in a sentence.', ("use", None)),
        ("I have some data. Can you help me find the mean?", ("find", "mean")),
        ("If it is red, write stop.", ("write", "stop")),
        ("Let us discuss the plot.", ("discuss", "plot")),
        ("Find and print all its prime factors.", ("find", "factor")),
        ("Beginning with a dash, name two colours.", ("name", "colour")),
        ("Find the longest word made up of vowels.", ("find", "word")),
        ("Do you think that it will rain?", (None, None)),
        ("Convert 100 kilometres to miles.", ("convert", "kilometre")),
        ("What is the capital of France?", (None, None)),
        ("How would you test it?", (None, None)),
        ("Schreibe einen Brief an einen Freund.", (None, None)),
        ("将句子翻译成英文。", (None, None)),
        ("...", (None, None)),
        ("", (None, None)),
    ],
)
def test_root_verb_and_noun(text: str, expected: tuple[str | None, str | None]) -> None:
    assert root_verb_noun(text) == expected


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("stories", "story"),
        ("sentences", "sentence"),
        ("boxes", "box"),
        ("classes", "class"),
        ("matches", "match"),
        ("children", "child"),
        ("analysis", "analysis"),
        ("analyses", "analysis"),
        ("bus", "bus"),
        ("heroes", "hero"),
        ("person's", "person"),
        ("gas", "gas"),
    ],
)
def test_singular(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_openings_are_the_first_tokens() -> None:
    assert opening("Create a funny poem") == "create a"
    assert opening("  Créez, UN poème", 3) == "créez un poème"
    assert opening("翻译这句话") == "翻 译"
    assert opening("Stop") == "stop"
    assert opening("") == ""
    with pytest.raises(ConfigError, match="0 words"):
        opening("x", 0)


def test_coverage_of_the_published_thousand() -> None:
    """Measured: a verb in 89.9 %, verb and noun in 70.9 %; most of the rest are questions.

    Of 100 random instructions with a verb, read one by one, 4 had a wrong pair.
    """
    if not PUBLISHED.exists():
        pytest.skip("the published sample lies in the folder `shared` beside the checkout")
    with gzip.open(PUBLISHED, "rt", encoding="utf-8") as lines:
        found = [root_verb_noun(json.loads(line)["instruction"]) for line in lines]
    assert sum(verb is not None for verb, _ in found) >= 890
    assert sum(noun is not None for _, noun in found) >= 700
    verbs = Counter(verb for verb, _ in found if verb)
    assert [verb for verb, _ in verbs.most_common(2)] == ["find", "write"]
