"""Claim: a text that repeats an evaluation item is found, whatever the order, and only then."""

from __future__ import annotations

import difflib
import random
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError, SelfsownError
from selfsown.curate.decontaminate import (
    REASON,
    DecontaminationIndex,
    Item,
    MissingIndex,
    matched_ratio,
    normal_tokens,
)

LONG = (
    "A farmer keeps seventeen goats and buys another nine at the market on Tuesday before two of "
    "them run away over the bridge"
)
OTHER = (
    "Explain in one short paragraph why the moon appears larger when it stands close to the "
    "horizon than when it is high above us"
)
EIGHT = "Which planet has the most rings around it"
THREE = "Sort these words"


def index_of(*texts: str, **options: float) -> DecontaminationIndex:
    index = DecontaminationIndex(**options)  # type: ignore[arg-type]
    for number, text in enumerate(texts):
        index.add(Item("bench", str(number), "question", text))
    return index


def items(index: DecontaminationIndex, text: str, *fields: str) -> list[tuple[str, str]]:
    return [(one.item, one.how) for one in index.overlaps(text, fields)]


def altered(text: str, share: float) -> str:
    """The text with the last `share` of its characters replaced, spaces kept."""
    cut = round(len(text) * (1 - share))
    return text[:cut] + re.sub(r"\S", "q", text[cut:])


def test_an_item_repeated_word_for_word_is_found_inside_a_longer_text() -> None:
    index = index_of(LONG, OTHER)
    text = f"Once upon a time. {LONG.upper()}! How many are left?"
    assert items(index, text) == [("0", "contained")]
    verdict = index.admit(text)
    assert (verdict.ok, verdict.reason, verdict.score) == (False, REASON, 1.0)
    assert index.admit("Once upon a time there were goats on a bridge").ok


def test_an_item_with_40_percent_altered_is_found_and_one_with_60_percent_is_not() -> None:
    index = index_of(LONG)
    assert items(index, altered(LONG, 0.4)) == [("0", "similar")]
    found = index.overlaps(altered(LONG, 0.4))[0].ratio
    assert 0.55 < found < 0.65
    assert items(index, altered(LONG, 0.6)) == []


def test_sharing_only_ten_words_is_not_enough() -> None:
    shared = " ".join(LONG.split()[:10])
    assert items(index_of(LONG), f"{shared} and then something quite different happened") == []


def test_a_text_that_repeats_two_items_names_both() -> None:
    index = index_of(LONG, OTHER)
    assert items(index, f"{OTHER}. {LONG}.") == [("0", "contained"), ("1", "contained")]


def test_items_that_share_their_words_are_all_compared() -> None:
    """The original remembers one item per 10-gram and compares with that one alone."""
    frame = "Read the following passage with care and then answer the question that follows it"
    first, second = f"{frame}: {OTHER}", f"{frame}: {LONG}"
    for order in ((first, second), (second, first)):
        found = index_of(*order).overlaps(second)
        assert found[0].how == "equal" and order[int(found[0].item)] == second


def test_an_item_of_eight_words_is_found_where_it_stands_in_a_row() -> None:
    index = index_of(EIGHT)
    assert items(index, f"Question: {EIGHT.lower()}? Answer: Saturn") == [("0", "contained")]
    assert items(index, EIGHT) == [("0", "equal")]
    assert items(index, "Which planet has the most moons around it") == []


def test_an_item_that_counts_as_a_whole_is_found_word_by_word_and_not_in_longer_words() -> None:
    index = DecontaminationIndex()
    text = "Reverse the given list of numbers, write commas between them: 3, 5, 1"
    index.add(Item("bench", "0", "question", text, is_whole=True))
    assert items(index, f"Task: {text}.") == [("0", "contained")]
    assert items(index, f"{text}2") == items(index, f"Un{text}") == []
    assert items(index, text.replace("5", "6")) == []


def test_an_item_of_three_words_is_found_only_as_a_whole_field() -> None:
    index = index_of(THREE)
    assert items(index, "Sort these words by length, then say the first") == []
    assert items(index, "sort these words!") == [("0", "equal")]
    row = "Sort these words.\npear fig\nfig pear"
    assert items(index, row) == []
    assert items(index, row, "Sort these words.", "pear fig", "fig pear") == [("0", "equal")]


def test_an_item_without_words_is_compared_as_it_is() -> None:
    index = index_of("?! -> !!")
    assert items(index, "anything", " ?! -> !! ") == [("0", "equal")]
    assert items(index, "?!") == []


def test_accents_case_punctuation_and_composition_do_not_hide_a_copy() -> None:
    text = "Où est la bibliothèque la plus proche de la vieille gare s'il vous plaît monsieur"
    index = index_of(text)
    for copy in (text.upper(), unicodedata.normalize("NFD", text), text.replace(" ", " - ")):
        assert items(index, copy) == [("0", "equal")]
    assert normal_tokens("Ünïted  Straße") == ["united", "strasse"]


def test_scripts_without_spaces_are_compared_too() -> None:
    text = "請解釋為什麼月亮靠近地平線時看起來比較大"
    assert items(index_of(text), f"問題「{text}」") == [("0", "contained")]


def test_a_benchmark_without_index_is_an_error_and_never_a_pass() -> None:
    index = index_of(LONG)
    index.add(Item("empty", "0", "question", "  "))
    index.require(["bench"])
    with pytest.raises(MissingIndex) as caught:
        index.require(["bench", "mmlu", "empty"])
    assert isinstance(caught.value, SelfsownError) and caught.value.exit_code != 0
    assert "`mmlu`, `empty`" in caught.value.what
    assert index.benchmarks == {"bench": 1}


@pytest.mark.parametrize("options", [{"ngram": 4}, {"threshold": 1.0}, {"threshold": -0.1}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        index_of(**options)


WORDS = st.lists(st.sampled_from(EIGHT.split()), max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_verdicts_equal_those_of_comparing_with_every_item(
    benchmark: list[list[str]], words: list[str]
) -> None:
    text = " ".join(words)
    grams = {tuple(words[i : i + 10]) for i in range(len(words) - 9)}
    expected: dict[str, float] = {}
    for number, item in enumerate(benchmark):
        joined = " ".join(item)
        if len(item) >= 10:
            if not grams & {tuple(item[i : i + 10]) for i in range(len(item) - 9)}:
                continue
            matcher = difflib.SequenceMatcher(None, text, joined, autojunk=False)
            sizes = [block.size for block in matcher.get_matching_blocks() if block.size > 5]
            ratio = 1.0 if joined in text else sum(sizes) / len(joined)
            if ratio > 0.5:
                expected[str(number)] = ratio
        elif item and (words == item or (len(item) >= 5 and f" {joined} " in f" {text} ")):
            expected[str(number)] = 1.0
    found = {one.item: one.ratio for one in index_of(*map(" ".join, benchmark)).overlaps(text)}
    assert found == expected


def test_the_same_texts_get_the_same_verdicts_under_another_hash_seed() -> None:
    code = (
        "from selfsown.curate.decontaminate import *\n"
        "index = DecontaminationIndex()\n"
        f"texts = {[LONG, OTHER, EIGHT, THREE]!r}\n"
        "for n, text in enumerate(texts): index.add(Item('b', str(n), 'q', text))\n"
        "print([(o.item, o.how, o.ratio) for o in index.overlaps(' '.join(texts)[:-30])])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and b"contained" in runs[0]


def test_all_verbatim_copies_are_found_among_many_items() -> None:
    rng = random.Random(2)
    vocabulary = [f"w{n}" for n in range(300)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randrange(5, 60))) for _ in range(400)]
    index = index_of(*texts)
    for number in rng.sample(range(400), 60):
        around = " ".join(rng.choices(vocabulary, k=30))
        assert str(number) in [
            name for name, _ in items(index, f"{around} {texts[number]} {around}")
        ]
    clean = [" ".join(rng.choices(vocabulary, k=60)) for _ in range(60)]
    assert [index.overlaps(text) for text in clean] == [[]] * 60


def test_the_ratio_by_hand() -> None:
    # blocks "abcdefgh" (8) and "xyz" (3, too short): 8 of 13 characters
    assert matched_ratio("abcdefgh--xyz", "abcdefgh  xyz") == pytest.approx(8 / 13)
