"""Claim: what a model said of a topic is read exactly, and what cannot be read is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.topics.choice import choose
from selfsown.topics.labels import Label, parse_label, parse_value


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Topic: Bird migration\nEducational value: 7", Label("Bird migration", 7)),
        ("**Topic:** Bird migration.\n**Educational value:** 7.5/10", Label("Bird migration", 7.5)),
        ("Bird migration. Educational score: 10", Label("Bird migration", 10)),
        (
            " \n- Topic - \u201cSteam engines\u201d\n\nEducational value (1-10): 3",
            Label("Steam engines", 3),
        ),
        ("Topic: C++ templates\nEducational value: 8 out of 10", Label("C++ templates", 8)),
        ("Topic: Cooking\nEducational value: high", Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: 0", Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: -3", Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: 75", Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: 1 to 10", Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: 4/5", Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: 4/" + "9" * 5_000, Label("Cooking", None)),
        ("Topic: Cooking\nEducational value: " + "9" * 5_000, Label("Cooking", None)),
        ("Topic: Cooking", Label("Cooking", None)),
        ("Educational value: 6", Label(None, 6)),
        ("Topic: 17\nEducational value: 6", Label(None, 6)),
        ("I'm sorry, but I cannot help with that.", Label(None, None)),
        ("It is " + "very " * 20 + "long\nEducational value: 6", Label(None, 6)),
        ("", Label(None, None)),
    ],
)
def test_a_label_is_read_or_missing(answer: str, label: Label) -> None:
    assert parse_label(answer) == label


@given(st.text(alphabet="Topic:Educational value0123456789./- \n", max_size=80))
def test_whatever_the_answer_a_value_is_on_the_scale_and_a_name_is_short(answer: str) -> None:
    label = parse_label(answer)
    for value in (label.value, parse_value(answer)):
        assert value is None or 1 <= value <= 10
    assert label.topic is None or 0 < len(label.topic) <= 100


@pytest.mark.parametrize(
    ("answer", "value"),
    [("8", 8), (" 8/10. ", 8), ("Educational value: 2", 2), ("11", None), ("8 of them", None)],
)
def test_a_value_may_stand_alone(answer: str, value: float | None) -> None:
    assert parse_value(answer) == value


def test_a_topic_is_kept_or_left_out_whatever_its_case_and_spaces() -> None:
    topics = ["Adult  content", "Steam engines", "Birds"]
    assert choose(topics, ["adult content"]) == {"adult content"}
    assert choose(topics, []) == frozenset()


@pytest.mark.parametrize(
    ("excluded", "says"),
    [
        (["Adult content", "Steam enginesBirds"], "Steam enginesBirds"),  # a missing comma
        (["Steam engine"], "did you mean `Steam engines`"),
        ([" "], "excluded topic ` `"),
        (["Adult content", "Birds", "STEAM engines"], "every topic"),
    ],
)
def test_8_2_an_exclusion_that_matches_nothing_or_leaves_nothing_is_an_error(
    excluded: list[str], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(["Adult content", "Steam engines", "Birds"], excluded)
    assert says in str(caught.value) + caught.value.fix
