"""Readings of model answers never raise, lose nothing in silence, and mend each published defect.

Each test of a defect shows both readings of the same text: the released code's and ours.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.request import Completion
from selfsown.curate.instances import Instance
from selfsown.recipes.self_instruct import parse, published
from selfsown.recipes.self_instruct.answers import (
    classification_in,
    instances_in,
    instructions_in,
)
from selfsown.recipes.self_instruct.layouts import Voice
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.parse import Loss
from selfsown.recipes.self_instruct.presets import PAPER

DEFAULT, PUBLISHED = Options(), Options.model_validate(PAPER)
BASE, CHAT, JSON_CHAT = Voice(False, False, None), Voice(True, False, None), Voice(True, True, None)

MARKERS = ("Example 1", "Example", "Input:", "Output:", "Class label:", "Task:", "1. ", "Task 9: ")
MARK_CHARACTERS = set(
    "".join(MARKERS).lower() + "".join(MARKERS) + "0123456789.:()*_#>-\u2022\u2013"
)
MODEL_TEXT = st.lists(
    st.one_of(st.sampled_from([*MARKERS, "\n", "\n\n", " ", "10. ", "- "]), st.text(max_size=8)),
    max_size=25,
).map("".join)


Pieces = tuple[str | Instance | Loss, ...]


def items(pieces: Pieces) -> list[object]:
    return [piece for piece in pieces if not isinstance(piece, Loss)]


def reasons(pieces: Pieces) -> list[str]:
    return [piece.reason for piece in pieces if isinstance(piece, Loss)]


def text_of(piece: object) -> str:
    if isinstance(piece, Instance):
        return f"{piece.input}\n{piece.output}"
    return piece.text if isinstance(piece, Loss) else str(piece)


# -- every reader


def read_every_way(text: str, cut_off: bool, open_item: bool) -> None:
    parse.read_list(text, cut_off=cut_off, open_item=open_item)
    parse.read_instances(text, cut_off=cut_off)
    parse.read_labelled(text, cut_off=cut_off)
    published.read_list(text)
    published.read_instances(text, cut_off=cut_off)
    published.read_labelled(text, cut_off=cut_off)
    parse.read_yes_no(text)


@given(MODEL_TEXT, st.booleans(), st.booleans())
def test_no_text_makes_a_reader_raise(text: str, cut_off: bool, open_item: bool) -> None:
    read_every_way(text, cut_off, open_item)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["tasks", "instances", "examples", "input", "output", "label"]),
                inner,
            )
        ),
        max_leaves=12,
    ),
    st.booleans(),
    st.booleans(),
)
def test_no_json_value_makes_a_reader_raise(value: object, cut_off: bool, label: bool) -> None:
    parse.read_list_json(value, cut_off=cut_off)  # type: ignore[arg-type]
    parse.read_pairs_json(value, label_first=label, cut_off=cut_off)  # type: ignore[arg-type]
    parse.read_yes_no_json(value)  # type: ignore[arg-type]


@given(MODEL_TEXT, st.booleans(), st.booleans())
def test_what_is_no_mark_ends_in_an_item_or_in_a_loss(
    text: str, cut_off: bool, open_item: bool
) -> None:
    present = Counter("".join(text.split()))
    for pieces in (
        parse.read_list(text, cut_off=cut_off, open_item=open_item),
        parse.read_instances(text, cut_off=cut_off),
        parse.read_labelled(text, cut_off=cut_off),
    ):
        found = Counter("".join("".join(map(text_of, pieces)).split()))
        assert not found - present, "a reader invents nothing"
        assert set(present - found) <= MARK_CHARACTERS, "only marks disappear"


@pytest.mark.parametrize(
    "text",
    [
        " " * 10**6,
        "\n" * 10**6,
        "Output" + " " * 10**6 + "x",
        "Example 1" + " " * 10**6 + "x",
        "Input 1" + " " * 10**6 + "x\nOutput: y",
        "1. a:\n" * 10**5,
        "Output:" * 10**5,
        "Class label:\n" * 10**5,
        "Example 1\n" * 10**5,
        "\n" + "9" * 10**6,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_megabyte_of_anything_is_read_in_linear_time(text: str) -> None:
    # A quadratic reader would take hours here and run into the suite's time-out.
    read_every_way(text, cut_off=False, open_item=True)
    read_every_way(text, cut_off=True, open_item=False)


# -- lists


def test_a_base_model_continues_the_open_item() -> None:
    text = " Name a fruit.\nTask 10: Name a colour.\nTask 11: Sort the list."
    assert parse.read_list(text, cut_off=False, open_item=True) == (
        "Name a fruit.",
        "Name a colour.",
        "Sort the list.",
    )


def test_a_repeated_open_mark_is_no_empty_item() -> None:
    text = "\n9. Name a fruit.\n10. Name a colour."
    assert parse.read_list(text, cut_off=False, open_item=True) == (
        "Name a fruit.",
        "Name a colour.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "9. Name a fruit.\n10. Sort it.",
        "9) Name a fruit.\n10) Sort it.",
        "(9) Name a fruit.\n(10) Sort it.",
        "**9.** Name a fruit.\n**10.** Sort it.",
        "### 9. Name a fruit.\n### 10. Sort it.",
        "9.\nName a fruit.\n10.\nSort it.",
        "Task 9: Name a fruit.\n\nTask 10: Sort it.",
        "- Name a fruit.\n- Sort it.",
        "* Name a fruit.\n\u2022 Sort it.",
    ],
)
def test_many_list_styles_are_read(text: str) -> None:
    assert parse.read_list(text, cut_off=False, open_item=False) == ("Name a fruit.", "Sort it.")


def test_text_around_a_chat_list_is_named() -> None:
    text = "Sure! Here they are:\n\n9. Name a fruit.\n10. Sort it.\n\nTell me if you need more."
    assert parse.read_list(text, cut_off=False, open_item=False) == (
        Loss("Sure! Here they are:", "preamble"),
        "Name a fruit.",
        "Sort it.",
        Loss("Tell me if you need more.", "stray_text"),
    )


def test_a_numbered_list_inside_an_item_stays_in_it() -> None:
    text = " Sort these words:\n1. pear\n2. fig\nTask 10: Name a fruit."
    assert parse.read_list(text, cut_off=False, open_item=True) == (
        "Sort these words: 1. pear 2. fig",
        "Name a fruit.",
    )


def test_a_year_or_a_time_is_no_mark() -> None:
    text = " Say what happened in\n2016.\nTask 10: Say what is at\n10:30 today."
    assert parse.read_list(text, cut_off=False, open_item=True) == (
        "Say what happened in 2016.",
        "Say what is at 10:30 today.",
    )


def test_defect_3_a_length_limit_costs_the_last_item_only() -> None:
    cut = Completion(" Name a fruit.\n10. Sort the", finish_reason="length")
    assert instructions_in(cut, BASE, PUBLISHED) == ()
    assert instructions_in(cut, BASE, DEFAULT) == ("Name a fruit.", Loss("Sort the", "cut_off"))


def test_defect_4_names_and_acronyms_keep_their_case() -> None:
    answer = Completion(" Ask NASA about the Moon.")
    assert instructions_in(answer, BASE, PUBLISHED) == ("Ask nasa about the moon.",)
    assert instructions_in(answer, BASE, DEFAULT) == ("Ask NASA about the Moon.",)


def test_defect_6_other_number_styles_do_not_merge_items() -> None:
    answer = Completion(" name a fruit.\n10) sort it.\n11.\nname a colour.")
    assert instructions_in(answer, BASE, PUBLISHED) == (
        "Name a fruit. 10) sort it. 11. name a colour.",
    )
    assert instructions_in(answer, BASE, DEFAULT) == ("name a fruit.", "sort it.", "name a colour.")


def test_empty_items_are_named_by_both_readings() -> None:
    answer = Completion(" a b c d\n10. \n11. e f g h")
    assert reasons(instructions_in(answer, BASE, PUBLISHED)) == ["empty_item"]
    assert reasons(instructions_in(answer, BASE, DEFAULT)) == ["empty_item"]


def test_a_json_list_loses_what_is_no_text_and_what_was_cut() -> None:
    answer = Completion(
        "", finish_reason="length", parsed={"tasks": ["Name a\nfruit.", 3, "", "Sort th"]}
    )
    found = instructions_in(answer, JSON_CHAT, DEFAULT)
    assert items(found) == ["Name a fruit."]
    assert reasons(found) == ["empty_item", "empty_item", "cut_off"]
    assert reasons(parse.read_list_json("no", cut_off=False)) == ["not_a_list"]


# -- classification


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Yes", True),
        (" yes.", True),
        (" No\n\nTask: Say hello.\nIs it classification? Yes", False),
        ("**Yes**, since the labels are fixed", True),
        ("False", False),
        (" It depends", None),
        ("", None),
        (" 1", None),
        (" Yesterday", None),
    ],
)
def test_the_first_word_decides(text: str, expected: bool | None) -> None:
    assert parse.read_yes_no(text) is expected


def test_defect_12_what_follows_the_answer_does_not_turn_it_into_no() -> None:
    rambling = Completion(" Yes\n\nTask: Say hello.")
    assert classification_in(rambling, BASE, PUBLISHED) is False
    assert classification_in(rambling, BASE, DEFAULT) is True
    assert classification_in(Completion(" Yes "), BASE, PUBLISHED) is True
    assert classification_in(Completion(" YES"), BASE, PUBLISHED) is True
    assert classification_in(Completion("maybe"), BASE, DEFAULT) is None


def test_a_json_answer_is_read_as_it_is() -> None:
    yes = Completion("", parsed={"is_classification": True})
    assert classification_in(yes, JSON_CHAT, DEFAULT) is True
    assert classification_in(Completion("", parsed={"a": 1}), JSON_CHAT, DEFAULT) is None


# -- instances


def read(
    text: str, options: Options = DEFAULT, *, label: bool = False, cut: bool = False
) -> object:
    reason = "length" if cut else "stop"
    answer = Completion(text, finish_reason=reason)  # type: ignore[arg-type]
    return instances_in(answer, BASE, options, label_first=label)


TWO = "Example 1\nInput: a b\nOutput: b\nExample 2\nInput: c d\nOutput: d"


@pytest.mark.parametrize("options", [DEFAULT, PUBLISHED])
def test_examples_with_input_and_output_are_read_alike(options: Options) -> None:
    assert read(TWO, options) == (Instance("a b", "b"), Instance("c d", "d"))
    assert read("Output: hello", options) == (Instance("", "hello"),)
    assert read("Input: a\nOutput: b", options) == (Instance("a", "b"),)


@pytest.mark.parametrize("options", [DEFAULT, PUBLISHED])
def test_several_fields_and_lines_stay_in_the_input(options: Options) -> None:
    text = "Example 1\nParagraph: one\ntwo\nQuestion: who?\nOutput: she\nand he"
    assert read(text, options) == (Instance("Paragraph: one\ntwo\nQuestion: who?", "she\nand he"),)


def test_the_last_instance_of_a_cut_off_answer_is_lost_in_both() -> None:
    for options in (DEFAULT, PUBLISHED):
        found = read(TWO, options, cut=True)
        assert items(found) == [Instance("a b", "b")]  # type: ignore[arg-type]
        assert reasons(found) == ["cut_off"]  # type: ignore[arg-type]


def test_defect_15_the_word_example_inside_a_text_does_not_split_it() -> None:
    text = "Example 1\nInput: a\nOutput: For Example 3 is odd."
    assert read(text, PUBLISHED) == (Instance("a", "For"), Instance("", "is odd."))
    assert read(text) == (Instance("a", "For Example 3 is odd."),)


def test_defect_15_a_preamble_is_no_instance() -> None:
    text = "Here is one.\nExample 1\nInput: a\nOutput: b"
    assert read(text, PUBLISHED) == (Instance("", "Here is one."), Instance("a", "b"))
    assert read(text) == (Loss("Here is one.", "no_output"), Instance("a", "b"))


def test_defect_16_turns_without_example_lines_are_instances() -> None:
    text = "Input: a\nOutput: b\nInput: c\nOutput: d"
    assert read(text, PUBLISHED) == (
        Instance("a", "b"),
        Loss("c", "second_input"),
        Loss("d", "second_output"),
    )
    assert read(text) == (Instance("a", "b"), Instance("c", "d"))


def test_a_second_output_to_one_input_is_named() -> None:
    assert read("Output: a\nOutput: b") == (Instance("", "a"), Loss("b", "second_output"))


def test_text_that_runs_on_into_another_task_is_lost_and_saves_the_last_instance() -> None:
    text = "Output: hello\n\nTask: Name a fruit.\nOutput: pe"
    assert read(text, cut=True) == (
        Instance("", "hello"),
        Loss("Task: Name a fruit.\nOutput: pe", "ran_on"),
    )


def test_no_output_at_all_is_one_loss() -> None:
    for options in (DEFAULT, PUBLISHED):
        assert read("I cannot do that.", options) == (Loss("I cannot do that.", "no_output"),)
        assert read("  ", options) == ()


@pytest.mark.parametrize("options", [DEFAULT, PUBLISHED])
def test_labels_come_before_their_inputs(options: Options) -> None:
    text = "Class label: good\nText: I like it\nvery much\nClass label: bad"
    assert read(text, options, label=True) == (
        Instance("Text: I like it\nvery much", "good"),
        Instance("", "bad"),
    )


def test_an_input_field_after_a_label_loses_its_name() -> None:
    text = "Class label: good\nInput: I like it"
    assert read(text, label=True) == (Instance("I like it", "good"),)
    assert read(text, PUBLISHED, label=True) == (Instance("Input: I like it", "good"),)


def test_an_empty_label_and_text_before_the_first_are_named() -> None:
    text = "So:\nClass label:\nInput: some text\nClass label:\na\nx"
    assert read(text, label=True) == (
        Loss("So:", "no_label"),
        Loss("some text", "empty_label"),
        Instance("x", "a"),
    )


def test_json_pairs_are_read_in_both_orders() -> None:
    plain = Completion("", parsed={"instances": [{"input": "a", "output": " b"}, {"input": "c"}]})
    found = instances_in(plain, JSON_CHAT, DEFAULT, label_first=False)
    assert found[0] == Instance("a", "b") and reasons(found) == ["no_output"]
    labels = Completion("", parsed={"examples": [{"label": "good", "input": "x"}]})
    assert instances_in(labels, JSON_CHAT, DEFAULT, label_first=True) == (Instance("x", "good"),)


def test_chat_answers_are_never_read_by_the_published_rules() -> None:
    answer = Completion("**Input:** a\n**Output:** b")
    assert instances_in(answer, CHAT, PUBLISHED, label_first=False) == (Instance("a", "b"),)
