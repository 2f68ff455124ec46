"""Claim: each fault of a rephrase is named, and an honest rephrase passes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.curate.faithful import Faithfulness, Reason

SOURCE = (
    "Mary Anning was born in 1799 in Lyme Regis. She collected fossils from the cliffs and sold "
    "them to visitors. In 1811 her brother Joseph found a skull, and a year later she dug out the "
    "rest. The Geological Society of London did not admit women, although its members used her "
    "finds and wrote about them."
)
HONEST = (
    "Born at Lyme Regis in 1799, Mary Anning made a living by selling visitors the fossils that "
    "she gathered below the cliffs. Joseph, her brother, discovered a skull in 1811; 12 months "
    "later Anning excavated what was left. Women were not admitted to the Geological Society of "
    "London, whose members wrote about her finds all the same."
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HONEST, None),
        (HONEST.replace("1811", "1821"), "changed_number"),
        (HONEST.replace("12 months", "three months"), "changed_number"),
        (HONEST.replace("her brother", "with Charles Darwin"), "added_name"),
        (HONEST.replace("were not admitted", "were admitted"), "negation"),
        (HONEST[: HONEST.index("Joseph")], "missing_part"),
        (SOURCE, "copied"),
        ("Mary Anning collected fossils.", "missing_part"),
        (HONEST + " She sold them to visitors." * 8, "repetition"),
    ],
)
def test_the_first_reason_is_the_fault(text: str, reason: Reason | None) -> None:
    assert Faithfulness().check(SOURCE, text).reason == reason


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("The modes are `auto` and `never`. It waits.", "It waits; modes: `auto`, `never`."),
        ("Pass --no-wait and it ends at once.", "With --no-wait the end is at once."),
        ("Such a column is NOT NULL and has a key.", "A key and NOT NULL belong to the column."),
        ("If it is not specified, port 5 is used.", "Port 5 is used if it is not stated."),
        ("Only he did not know the way home.", "The way home was not known to him only."),
    ],
)
def test_a_negation_that_stands_in_the_source_is_no_alarm(source: str, text: str) -> None:
    reasons = {finding.reason for finding in Faithfulness().check(source, text).all}
    assert "negation" not in reasons


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Only he did not know the way home. It rained.", "Only he did know the way home."),
        ("Gold does not rust. Iron does not float.", "Iron does not float. Gold rusts."),
        ("Bats fly at night. They are blind.", "Bats are flying by night. They are not blind."),
    ],
)
def test_a_negation_that_one_side_has_alone_is_an_alarm(source: str, text: str) -> None:
    reasons = {finding.reason for finding in Faithfulness().check(source, text).all}
    assert "negation" in reasons


def test_a_similarity_below_the_floor_is_a_reason_and_none_is_asked_for_without_one() -> None:
    gate = Faithfulness(least_similarity=0.8)
    assert gate.check(SOURCE, HONEST, similarity=0.7).reason == "unlike"
    assert gate.check(SOURCE, HONEST, similarity=0.9).reason is None


def test_a_check_may_be_left_out_and_an_unknown_one_is_an_error() -> None:
    text = HONEST.replace("1811", "1821")
    assert Faithfulness(without=frozenset({"changed_number"})).check(SOURCE, text).reason is None
    with pytest.raises(ConfigError, match="ratio"):
        Faithfulness(ratio=(2.0, 1.0))


def test_a_passage_of_300_tokens_costs_about_a_millisecond() -> None:
    source, text = " ".join([SOURCE] * 4), " ".join([HONEST] * 4)
    gate = Faithfulness()
    start = time.perf_counter()
    for _ in range(20):
        gate.check(source, text)
    cost_s = (time.perf_counter() - start) / 20
    print(f"\n{len(source.split())} and {len(text.split())} words: {cost_s * 1e3:.2f} ms")
    assert cost_s < 0.05


PIECES = st.sampled_from(
    [
        "not ",
        "no ",
        "12",
        "1,",
        "May ",
        "the ",
        "A",
        "Zed ",
        ". ",
        "\n",
        "half ",
        "and ",
        "3 ",
        "\u00bd",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join)


@settings(max_examples=60)
@given(TEXTS, TEXTS)
def test_any_two_texts_have_findings_and_the_same_ones_again(source: str, text: str) -> None:
    found = Faithfulness().check(source, text)
    assert found == Faithfulness().check(source, text)
    assert 0.0 <= found.copied <= 1.0
    assert 0.0 <= found.coverage <= 1.0 + 1e-9


@given(TEXTS)
def test_a_text_has_no_number_and_no_name_that_itself_does_not_have(text: str) -> None:
    reasons = {finding.reason for finding in Faithfulness().check(text, text).all}
    assert reasons.isdisjoint({"changed_number", "added_name"})


@pytest.mark.parametrize(
    "piece",
    ["a", "not ", "one ", "9", "1,", "Ab ", "not x but y. ", "\n", ".", "hundred ", "A of ", "- "],
)
def test_long_hostile_texts_take_no_longer_per_character(piece: str) -> None:
    text = piece * (30_000 // len(piece))
    start = time.perf_counter()
    Faithfulness().check(text, SOURCE)
    Faithfulness().check(SOURCE, text)
    assert time.perf_counter() - start < 5.0
