"""Each picker yields the pair that its description says, and none where there is no better answer.

The exact pairs are those of the scripted checks for RLHF Workflow (every `choose_type` of the
released code) and for Self-Rewarding Language Models.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.preference.answers import answer, answers

from selfsown.core.errors import ConfigError
from selfsown.extensions import PICKERS
from selfsown.preference.pickers import NoPair, Picked, Picker, picker_named
from selfsown.preference.records import Scored

REWARDS = st.sampled_from([None, 1.0, 2.0, 2.5, 4.0, 5.0])
GROUPS = st.lists(st.tuples(REWARDS, st.integers(1, 6)), min_size=0, max_size=7).map(
    lambda made: answers(*(r for r, _ in made), lengths=[n for _, n in made]) if made else []
)
NAMES = sorted(PICKERS)


def indexes(found: Picked | NoPair) -> tuple[int, int] | str:
    """The numbers of chosen and rejected, or the reason for none."""
    if isinstance(found, NoPair):
        return found.reason
    return found.chosen.candidate.index, found.rejected.candidate.index


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("random", (0, 1)),
        ("max_random", (2, 0)),
        ("max_min", (2, 4)),
        ("max_max", (2, 3)),
        ("length_penalised", (2, 4)),
        ("rho_window", (2, 4)),
    ],
)
def test_every_picker_yields_exactly_its_pair(name: str, pair: tuple[int, int]) -> None:
    scored = answers(0.3, 0.2, 0.9, 0.5, 0.1, lengths=[5, 5, 5, 5, 5])
    assert indexes(picker_named(name)(scored)) == pair


@pytest.mark.parametrize("name", NAMES)
def test_equal_rewards_give_no_pair(name: str) -> None:
    options = {"penalty": 0.0} if name == "length_penalised" else {}
    assert indexes(picker_named(name, **options)(answers(4, 4, 4, 4))) == "equal_rewards"


def test_the_first_two_are_ordered_by_reward_and_the_best_looks_beyond_them() -> None:
    assert indexes(picker_named("random")(answers(1, 3, 5))) == (1, 0)
    assert indexes(picker_named("max_random")(answers(5, 3, 1))) == (0, 1)


def test_the_penalty_flips_when_the_longer_answer_wins_by_less_than_its_length_costs() -> None:
    # 100 characters more cost 0.001 * 100 = 0.1; the longer answer wins by 0.09, then by 0.11
    less, more = (answers(r, 0.5, lengths=[150, 50]) for r in (0.59, 0.61))
    pick = picker_named("length_penalised", penalty=0.001)
    assert indexes(pick(less)) == (1, 0)
    assert indexes(pick(more)) == (0, 1)
    flipped = pick(less)
    assert isinstance(flipped, Picked)
    assert flipped.margin == pytest.approx(0.01)
    assert flipped.chosen.reward == 0.5, "the record keeps the reward as it was given"


def test_the_published_judgements_give_the_published_means_pair_and_margin() -> None:
    scored = [
        answer(0, (5.0, 4.0, 5.0)),  # A 4.667
        answer(1, (3.0, 4.0, 3.0)),  # B 3.333
        answer(2, (4.0, 4.0, 4.0)),  # C 4.000
        answer(3, (2.0, 3.0, 2.0)),  # D 2.333
    ]
    assert [round(one.reward, 3) for one in scored] == [4.667, 3.333, 4.0, 2.333]
    found = picker_named("max_min")(scored)
    assert indexes(found) == (0, 3)
    assert found.margin == pytest.approx(7 / 3)


def test_the_window_of_the_published_example_takes_the_short_good_and_the_long_bad() -> None:
    # rho 0.32: good from 0.68 * 5 + 0.32 * 2 = 4.04 up, bad to 0.68 * 2 + 0.32 * 5 = 2.96
    scored = answers(5.0, 4.2, 3.5, 2.5, 2.0, lengths=[1900, 1500, 1200, 2400, 1800])
    found = picker_named("rho_window", rho=0.32)(scored)
    assert indexes(found) == (1, 3)
    assert (found.chosen.reward, found.rejected.reward) == (4.2, 2.5)


def test_a_candidate_whose_judgements_all_failed_is_neither_best_nor_worst() -> None:
    scored = [answer(0, (None, None, None)), answer(1, (1.0, 1.0, 2.0)), answer(2, (4.0, 5.0, 4.0))]
    for name in NAMES:
        assert indexes(picker_named(name)(scored)) == (2, 1)


@pytest.mark.parametrize(
    ("values", "reward"),
    [
        ((4.0, None, None), None),  # 1 of 3 is fewer than ceil(3 / 2) = 2
        ((4.0, None, 5.0), 4.5),
        ((3.0, None), 3.0),  # 1 of 2 is ceil(2 / 2)
        ((None,), None),
        ((0.0, 0.0, None), 0.0),
    ],
)
def test_a_reward_needs_half_of_the_judgements(
    values: tuple[float | None, ...], reward: float | None
) -> None:
    assert answer(0, values).reward == reward


def test_ties_go_to_the_shorter_as_chosen_the_longer_as_rejected_then_to_the_first() -> None:
    tied = answers(5, 5, 1, 1, lengths=[9, 4, 3, 8])
    assert indexes(picker_named("max_min")(tied)) == (1, 3)
    assert indexes(picker_named("max_min")(answers(5, 5, 1, 1))) == (0, 2)
    # 0.1 + 0.2 is above 0.3 by rounding alone, so the longer of the two is the second best
    second = answers(5, 0.1 + 0.2, 0.3, 0.1, lengths=[4, 4, 9, 12])
    assert indexes(picker_named("max_max")(second)) == (0, 2)


def test_the_margin_has_to_be_exceeded_by_more_than_rounding() -> None:
    scored = answers(0.1 + 0.2, 0.3)  # they differ by 5.6e-17
    assert indexes(picker_named("max_min")(scored)) == "equal_rewards"
    apart = answers(4.0, 3.5)
    assert indexes(picker_named("max_min", min_margin=0.5)(apart)) == "small_margin"
    assert indexes(picker_named("max_min", min_margin=0.4999)(apart)) == (0, 1)


def test_texts_that_differ_in_white_space_alone_or_are_blank_are_no_pair() -> None:
    pick = picker_named("max_min")
    assert indexes(pick([answer(0, 5, "a  b\n"), answer(1, 1, " a b")])) == "equal_texts"
    assert indexes(pick([answer(0, 5, " \n"), answer(1, 1, "a b")])) == "blank_text"
    assert indexes(pick([answer(0, 5, "a b"), answer(1, 1, "ab")])) == (0, 1)


def test_fewer_than_two_scores_are_no_pair() -> None:
    for scored in ([], answers(5), answers(5, None, None)):
        assert indexes(picker_named("max_min")(scored)) == "too_few_scored"


@pytest.mark.parametrize("name", NAMES)
@given(scored=GROUPS, margin=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_pair_is_two_different_candidates_the_better_one_first(
    name: str, scored: list[Scored], margin: float
) -> None:
    found = picker_named(name, min_margin=margin)(scored)
    if isinstance(found, Picked):
        assert found.chosen.candidate.index != found.rejected.candidate.index
        assert None not in (found.chosen.reward, found.rejected.reward)
        assert found.margin > margin
        if name != "length_penalised":
            assert found.margin == found.chosen.reward - found.rejected.reward


@pytest.mark.parametrize("name", NAMES)
@given(scored=GROUPS, seed=st.integers(0, 9))
def test_the_order_in_which_candidates_arrive_changes_nothing(
    name: str, scored: list[Scored], seed: int
) -> None:
    moved = list(scored)
    random.Random(seed).shuffle(moved)
    assert picker_named(name)(moved) == picker_named(name)(scored)


@given(scored=GROUPS)
def test_no_penalty_and_no_window_are_max_min(scored: list[Scored]) -> None:
    expected = picker_named("max_min")(scored)
    assert picker_named("length_penalised", penalty=0.0)(scored) == expected
    assert picker_named("rho_window", rho=0.0)(scored) == expected


@given(scored=GROUPS, rho=st.floats(0, 0.49))
def test_the_window_never_makes_the_chosen_longer_nor_the_rejected_shorter(
    scored: list[Scored], rho: float
) -> None:
    plain, windowed = picker_named("max_min")(scored), picker_named("rho_window", rho=rho)(scored)
    if isinstance(plain, Picked) and isinstance(windowed, Picked):
        assert windowed.chosen.candidate.n_chars <= plain.chosen.candidate.n_chars
        assert windowed.rejected.candidate.n_chars >= plain.rejected.candidate.n_chars


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("max_mim", {}, "there is no picker `max_mim`"),
        ("rho_window", {"rho": 0.5}, "`rho` is `0.5`"),
        ("rho_window", {"roh": 0.1}, "picker `rho_window` has no option `roh`"),
        ("rho_window", {"rho": "wide"}, "`rho` is `wide`"),
        ("length_penalised", {"penalty": float("inf")}, "`penalty` is `inf`"),
        ("length_penalised", {"penalty": -1}, "`penalty` is `-1`"),
        ("max_min", {"min_margin": -0.1}, "`min_margin` is `-0.1`"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        picker_named(name, **options)


def test_a_picker_says_its_name_and_all_its_options() -> None:
    picker = picker_named("rho_window")
    assert (picker.name, dict(picker.options)) == ("rho_window", {"rho": 0.32})


def test_a_package_outside_can_add_a_picker(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self) -> object:
            def ends(*, swapped: bool = False) -> object:
                def choose(rated: Sequence[object]) -> tuple[object, object]:
                    pair = rated[0], rated[-1]
                    return pair[::-1] if swapped else pair

                return choose

            return ends

    def entry_points(*, group: str, name: str) -> list[Entry]:
        assert group == "selfsown.plugins"
        return [Entry()] if name == "pickers.ends" else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    picker: Picker = picker_named("ends", swapped=True)
    assert indexes(picker(answers(1, 4, 2))) == (2, 0)
