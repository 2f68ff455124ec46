"""Prompts in = pairs + drops, and the early numbers of a round are what was counted by hand."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.preference.answers import answer

from selfsown.core.errors import ConservationError, InputError
from selfsown.preference.pairing import Pairing, by_prompt, make_pairs
from selfsown.preference.pickers import picker_named
from selfsown.preference.records import Prompt, Scored


def group(name: str, *values: tuple[float | None, ...]) -> list[Scored]:
    """A prompt with one candidate per tuple of judgements."""
    prompt = Prompt(id=name, text=f"Question {name}?")
    return [answer(i, one, prompt=prompt) for i, one in enumerate(values)]


def paired(*groups: list[Scored], picker: str = "max_min") -> Pairing:
    return make_pairs(by_prompt(one for group in groups for one in group), picker_named(picker))


def test_the_numbers_of_a_round_are_those_counted_by_hand() -> None:
    made = paired(
        group("a", (5, 4), (2, None)),
        group("b", (4, 4), (4, 4)),
        group("c", (None, None), (3, 3)),
    )
    form = made.tally.form()
    assert (form["prompts"], form["pairs"]) == (3, 1)
    assert form["dropped"] == {"equal_rewards": 1, "too_few_scored": 1}
    assert form["parse_rate"] == pytest.approx(9 / 12)
    assert form["tie_rate"] == pytest.approx(1 / 2), "of the two prompts that can be compared"
    assert form["pair_yield"] == pytest.approx(1 / 3)
    assert form["histogram"] == {"2": 1, "3": 2, "4": 5, "5": 1}
    assert form["mean_std"] == pytest.approx(0.5 / 4), "5 and 4 differ by 0.5 from their mean"
    assert (form["candidates"], form["scored"]) == (6, 5)
    pair = made.pairs[0]
    assert (pair.chosen, pair.rejected, pair.margin) == ("answer A", "answer B", 2.5)
    assert (pair.chosen_id, pair.rejected_id) == ("a#0", "a#1")
    assert [(one.prompt_id, one.scored) for one in made.dropped] == [("b", 2), ("c", 1)]


@pytest.mark.parametrize("probability", [0.2, 0.6, 0.9])
def test_the_tie_rate_is_the_closed_form_of_a_judge_that_says_four(probability: float) -> None:
    # Each of 3 candidates gets a 4 with probability p, else a 2: a tie if all three say the same.
    rng = random.Random(7)
    prompts, candidates = 2000, 3
    made = paired(
        *(
            group(
                f"p{number}",
                *((4.0 if rng.random() < probability else 2.0,) for _ in range(candidates)),
            )
            for number in range(prompts)
        )
    )
    expected = probability**candidates + (1 - probability) ** candidates
    error = math.sqrt(expected * (1 - expected) / prompts)
    assert made.tally.tie_rate == pytest.approx(expected, abs=4 * error)
    assert made.tally.pair_yield == pytest.approx(1 - expected, abs=4 * error)


VALUES = st.lists(st.sampled_from([None, 1.0, 3.0, 5.0]), min_size=2, max_size=2).map(tuple)


@given(
    st.lists(st.lists(VALUES, min_size=1, max_size=4), max_size=6),
    st.sampled_from(["max_min", "random", "rho_window"]),
)
def test_every_prompt_is_a_pair_or_dropped_with_its_reason(
    made: list[list[tuple[float | None, ...]]], picker: str
) -> None:
    result = paired(*(group(str(i), *values) for i, values in enumerate(made)), picker=picker)
    assert len(result.pairs) + len(result.dropped) == len(made) == result.tally.prompts
    assert sum(result.tally.dropped.values()) == len(result.dropped)
    assert result.tally.pairs == len(result.pairs)
    assert all(one.reason for one in result.dropped)


def test_a_candidate_that_is_scored_twice_is_an_error() -> None:
    with pytest.raises(ConservationError, match="`a#0` is scored twice"):
        by_prompt([*group("a", (1,), (2,)), *group("a", (3,))])


def test_one_id_for_two_prompts_is_an_error() -> None:
    other = answer(1, 3, prompt=Prompt(id="a", text="Something else?"))
    with pytest.raises(InputError, match="`a` stands for two different prompts"):
        by_prompt([*group("a", (1,)), other])


def test_a_pair_of_two_policies_names_both_the_chosen_first() -> None:
    human = answer(0, 1, model="human")
    own = answer(1, 0, model="lab")
    pair = make_pairs(by_prompt([human, own]), picker_named("max_min")).pairs[0]
    assert (pair.policy, pair.judge, pair.picker) == ("human + lab", "rubric", "max_min")


def test_a_pair_is_as_deep_and_as_late_as_the_deeper_and_later_of_its_models() -> None:
    scored = [answer(0, 1), answer(1, 0)]
    later = replace(scored[1], candidate=replace(scored[1].candidate, model_depth=2, round=3))
    row = make_pairs(by_prompt([scored[0], later]), picker_named("max_min")).pairs[0].row()
    assert (row["model_depth"], row["round"]) == (2, 3)
