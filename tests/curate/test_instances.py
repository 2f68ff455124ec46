"""Claim: every instance given is kept or dropped with a reason; `paper` is the released code."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.curate.instances import (
    Dropped,
    Instance,
    filter_instances,
    looks_cut_off,
    runs_into_next_task,
)

TEXTS = st.sampled_from(["", "a", "A", "b", "c:", "N/A", "x y", "x  Y", " b ", "one\n7. Name two"])
INSTANCES = st.lists(st.builds(Instance, TEXTS, TEXTS), max_size=10)


def reasons(*pairs: tuple[str, str], preset: str = "default") -> list[str | None]:
    """The reason for each pair in order, None where it is kept."""
    given = [Instance(*pair) for pair in pairs]
    result = filter_instances(given, preset=preset, most=len(given))  # type: ignore[arg-type]
    gone = {id(dropped.instance): dropped.reason for dropped in result.dropped}
    return [gone.get(id(one)) for one in given]


def reference(instances: list[Instance]) -> list[Instance]:
    """The published rules, written as plainly as possible; order of first occurrence."""
    valid: list[Instance] = []
    for one in instances:
        one = Instance(one.input.strip(), one.output.strip())
        if one.input == one.output or one.output == "":
            continue
        if one.input.endswith(":") or one.output.endswith(":"):
            continue
        valid.append(one)
    for one in valid:
        for other in valid:
            if one.input and one.input == other.input and one.output != other.output:
                return []
    return list(dict.fromkeys(valid))


@given(INSTANCES)
@settings(deadline=None)
def test_paper_keeps_what_the_published_rules_keep(instances: list[Instance]) -> None:
    result = filter_instances(instances, preset="paper", most=100)
    assert list(result.kept) == reference(instances)


@given(INSTANCES, st.sampled_from(["default", "paper"]), st.sampled_from(["first", "drop"]))
@settings(deadline=None)
def test_nothing_disappears(instances: list[Instance], preset: str, on_tie: str) -> None:
    result = filter_instances(instances, preset=preset, on_tie=on_tie)  # type: ignore[arg-type]
    assert len(result.kept) + len(result.dropped) == len(instances)
    assert len(result.kept) <= 5
    assert all(dropped.reason for dropped in result.dropped)
    assert len(set(result.kept)) == len(result.kept)


def test_output_equal_to_input_and_empty_outputs_go() -> None:
    assert reasons(("a b", "a b"), ("a", " "), ("hello", "Hello")) == [
        "output_is_input",
        "empty_output",
        None,
    ]
    assert reasons(("a", "<nooutput>"), ("b", "N/A")) == ["empty_output", None]


@pytest.mark.parametrize("text", ["N/A", "n/a", "<noinput>", "None", "(no input)", "-", "[N/A]."])
def test_placeholder_inputs_become_empty_by_default_only(text: str) -> None:
    given = [Instance(text, "An answer")]
    assert filter_instances(given).kept == (Instance("", "An answer"),)
    assert filter_instances(given, preset="paper").kept == (Instance(text, "An answer"),)


def test_inputs_that_only_contain_a_placeholder_word_stay() -> None:
    given = [Instance("None of these", "x"), Instance("Empty the bin", "y")]
    assert filter_instances(given).kept == tuple(given)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Here are the steps:", True),
        ("First line.\nThe ingredients are:", True),
        (":", False),
        ("A:", False),
        ("10:", False),
        ("Dear Sir or Madam:", False),
        ("The ratio is 3:4", False),
        ("", False),
    ],
)
def test_a_colon_at_the_end_means_cut_off_where_it_announces_more(text: str, cut: bool) -> None:
    assert looks_cut_off(text) is cut


def test_paper_drops_every_colon_at_the_end() -> None:
    assert reasons(("Which sign?", ":"), ("x:", "y"), preset="paper") == ["ends_with_colon"] * 2
    assert reasons(("Which sign?", ":"), ("go on with this:", "y")) == [None, "cut_off"]


def test_majority_stays_and_spellings_of_a_label_are_one_vote() -> None:
    pairs = (("x", "Yes"), ("x", "no"), ("X", " yes"), ("y", "no"))
    assert reasons(*pairs) == [None, "conflicting_outputs", None, None]
    assert reasons(*pairs, preset="paper") == ["conflicting_outputs"] * 4


def test_a_tie_keeps_the_first_or_none() -> None:
    given = [Instance("x", "no"), Instance("x", "yes"), Instance("y", "yes")]
    assert filter_instances(given).kept == (given[0], given[2])
    strict = filter_instances(given, on_tie="drop")
    assert strict.kept == (given[2],)
    assert [dropped.reason for dropped in strict.dropped] == ["conflicting_outputs"] * 2


def test_empty_inputs_may_have_many_outputs() -> None:
    assert reasons(("", "a"), ("", "b"), preset="paper") == [None, None]
    assert reasons(("", "a"), ("none", "b")) == [None, None]


def test_duplicates_keep_the_first_in_order() -> None:
    given = [Instance("a", "1"), Instance("b", "2"), Instance("a", "1")]
    for preset in ("default", "paper"):
        result = filter_instances(given, preset=preset)  # type: ignore[arg-type]
        assert result.kept == tuple(given[:2])
        assert result.dropped == (Dropped(given[2], "duplicate"),)


@pytest.mark.parametrize(
    ("output", "merged"),
    [
        ("Paris.\n\n10. Name the capital of Spain.", True),
        ("Paris.\nTask: Name the capital of Spain.", True),
        ("Paris.\nTask 7: Name the capital of Spain.", True),
        ("4\nExample 2\nList: 1, 2\nOutput: 3", True),
        ("Yes\nIs it classification? No", True),
        ("1. eggs\n2. milk", False),
        ("Buy these:\n1. eggs\n2. milk", False),
        ("2. milk\n3. bread", False),  # a list may start anywhere
        ("It is so.\nExample 1: a cat. Example 2: a dog.", False),
        ("In short: 10. Really.", False),
    ],
)
def test_outputs_that_run_into_the_next_task_are_seen(output: str, merged: bool) -> None:
    assert runs_into_next_task(Instance("", output)) is merged


def test_a_list_that_continues_the_input_is_no_merged_task() -> None:
    assert not runs_into_next_task(Instance("1. a\n2. b", "The next ones:\n3. c\n4. d"))


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("x", "done<|endoftext|>"), "leaked_markup"),
        (("x", "As an AI language model, I cannot eat."), "refusal"),
        (("x", "red \ufffd green"), "replacement_characters"),
        (("x\x1b[0m", "y"), "control_characters"),
        (("x", "no no no no no no no no"), "repetitive"),
        (("no no no no no no no no", "no no no no no no no"), None),
        (("Rewrite: I'm sorry, but I am busy.", "Sorry for being busy."), None),
    ],
)
def test_default_drops_broken_outputs(pair: tuple[str, str], reason: str | None) -> None:
    assert reasons(pair) == [reason]
    assert reasons(pair, preset="paper") == [None]


def test_the_cap_keeps_the_first_five_or_a_sample_in_order() -> None:
    given = [Instance("", str(number)) for number in range(9)]
    for preset in ("default", "paper"):
        result = filter_instances(given, preset=preset)  # type: ignore[arg-type]
        assert result.kept == tuple(given[:5])
        assert {dropped.reason for dropped in result.dropped} == {"beyond_cap"}
    drawn = filter_instances(given, rng=random.Random(3))
    again = filter_instances(given, rng=random.Random(3))
    assert drawn == again
    assert drawn.kept == tuple(sorted(drawn.kept, key=given.index))
    assert drawn.kept != tuple(given[:5])
    assert filter_instances(given[:5], rng=random.Random(3)).kept == tuple(given[:5])


def test_every_instance_is_equally_likely_to_be_drawn() -> None:
    given, rng, hits = [Instance("", str(number)) for number in range(10)], random.Random(0), 0
    for _ in range(2_000):
        hits += given[9] in filter_instances(given, rng=rng).kept
    assert 0.45 < hits / 2_000 < 0.55  # 5 of 10; three standard errors are 0.034


def test_no_instances_give_none() -> None:
    assert filter_instances([]).kept == ()


def test_bad_arguments_are_refused() -> None:
    for options in ({"preset": "strict"}, {"most": 0}, {"on_tie": "last"}):
        with pytest.raises(ConfigError):
            filter_instances([], **options)  # type: ignore[arg-type]
