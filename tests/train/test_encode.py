"""Claim: records become exactly the published texts, the lab's, or those of a chat template."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.randomness import rng_for
from selfsown.export.example import Example
from selfsown.models.answer_tokens import TemplateMismatch
from selfsown.train.encode import Pair, encode, strip_field_name

SAMPLE = (
    Path(__file__).parents[2] / "../shared/data/self_instruct/gpt3_generated_sample_1000.jsonl.gz"
)
WITH_INPUT = {
    Pair("I\nInput: X\nOutput:", " Y"),
    Pair("I\n\nInput: X\n\nOutput:", " Y"),
    Pair("Task: I\nInput: X\nOutput:", " Y"),
    Pair("I\n\nX\n\nOutput:", " Y"),
    Pair("I\n\nX\n\n", "Y"),
    Pair("I\nX\n\n", "Y"),
    Pair("Task: I\n\nX\n\n", "Y"),
}
WITHOUT_INPUT = {
    Pair("I Output:", " Y"),
    Pair("I\nOutput:", " Y"),
    Pair("I\n\nOutput:", " Y"),
    Pair("I\n", "Y"),
    Pair("I\n\n", "Y"),
    Pair("Task: I\n\n", "Y"),
}


def drawn(example: Example, count: int, *, quirk: bool = False) -> list[Pair]:
    return [
        encode(example, "published", rng_for(1, "t", draw), strip_field_names=quirk)[0]
        for draw in range(count)
    ]


@pytest.mark.parametrize(("text", "expected"), [("X", WITH_INPUT), ("", WITHOUT_INPUT)])
def test_the_published_layouts_are_drawn_alike_and_no_others(
    text: str, expected: set[Pair]
) -> None:
    counts = Counter(drawn(Example(" I\n", f" {text} ", "\nY "), 2_100))
    assert set(counts) == expected
    mean = 2_100 / len(expected)
    # 4.5 standard deviations of a binomial count
    assert all(abs(count - mean) < 4.5 * mean**0.5 for count in counts.values())


@given(st.text(), st.text(), st.text())
def test_every_field_stands_in_the_text_as_it_is(i: str, x: str, y: str) -> None:
    for encoding in ("published", "task", "plain", "task+plain"):
        for pair in encode(Example(i, x, y), encoding, rng_for(0, "t")):  # type: ignore[arg-type]
            assert i.strip() in pair.prompt and x.strip() in pair.prompt
            assert pair.completion.strip() == y.strip()
            assert pair.completion.startswith(" ") == pair.prompt.endswith("Output:")


def test_the_lab_asks_every_item_in_both_formats_of_its_suites() -> None:
    from selfsown.lab.suites import SuiteItem, prompt_for

    for text in ("X", ""):
        item = SuiteItem("id", "seen", "I", text, "Y")
        pairs = encode(Example("I", text, "Y"), "task+plain", rng_for(0, "t"))
        assert [pair.prompt for pair in pairs] == [
            prompt_for(item, "task"),
            prompt_for(item, "plain"),
        ]


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("Text: a cat", "a cat"),
        ("Meet me at 10:30", "30"),  # the harm it does
        ("A: b\nA: c", "b\nA: c"),  # the same word twice is one word
        ("A: b\nC: d", "A: b\nC: d"),
        ("a\n\nb", "a\nb"),
        ("a b", "a b"),
        (": a", ": a"),
    ],
)
def test_the_colon_quirk_does_what_the_released_code_does(text: str, stripped: str) -> None:
    assert strip_field_name(text) == stripped


def test_the_quirk_acts_on_half_of_the_inputs_and_only_if_asked_for() -> None:
    example = Example("I", "Text: a cat", "Y")
    assert not any("Text:" not in pair.prompt for pair in drawn(example, 400))
    stripped = sum("Text:" not in pair.prompt for pair in drawn(example, 400, quirk=True))
    assert 150 < stripped < 250  # 200 +- 5 standard deviations


def test_an_input_that_the_quirk_empties_gets_a_layout_without_input() -> None:
    pairs = drawn(Example("I", "Text:", "Y"), 200, quirk=True)
    assert {pair for pair in pairs if "Text" not in pair.prompt} == WITHOUT_INPUT


def test_published_instances_are_encoded_without_loss() -> None:
    if not SAMPLE.is_file():
        pytest.skip("the published sample is not beside the checkout")
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    quirky = 0
    for draw, row in enumerate(rows):
        example = Example(row["instruction"], row["input"], row["output"])
        (pair,) = encode(example, "published", rng_for(0, "t", draw), strip_field_names=True)
        assert pair.completion.strip() == row["output"].strip()
        assert row["instruction"].strip() in pair.prompt
        quirky += row["input"].strip() not in pair.prompt
    assert 200 < quirky < 400  # 581 of 1,000 inputs begin with a field name; half are drawn


def test_a_system_text_comes_first_where_the_layout_has_no_place_for_it() -> None:
    (pair,) = encode(Example("I", "", "Y", "S"), "plain", rng_for(0, "t"))
    assert pair == Pair("S\n\nI\n\n", "Y")


def chat(turns: Sequence[Mapping[str, str]], ask: bool) -> str:
    text = "".join(f"<{turn['role']}>{turn['content']}</>" for turn in turns)
    return text + ("<assistant>" if ask else "")


def test_a_chat_template_is_cut_where_the_answer_begins() -> None:
    (pair,) = encode(Example("I", "X", "Y", "S"), "chat", rng_for(0, "t"), chat_template=chat)
    assert pair == Pair("<system>S</><user>I\n\nX</><assistant>", "Y</>")


def test_a_template_that_rewrites_the_request_when_it_is_answered_is_noticed() -> None:
    def other(turns: Sequence[Mapping[str, str]], ask: bool) -> str:
        return ("thinking " if ask else "") + chat(turns, ask)

    with pytest.raises(TemplateMismatch):
        encode(Example("I", "", "Y"), "chat", rng_for(0, "t"), chat_template=other)
