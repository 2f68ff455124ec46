"""No instruction is on both sides of a split, and the same records always split the same way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.export.split import Split

INSTRUCTIONS = st.lists(st.sampled_from([f"Do task {n}." for n in range(40)]), min_size=4).filter(
    lambda texts: len(set(texts)) > 1
)


@given(INSTRUCTIONS, st.floats(0.01, 0.9), st.integers(0, 99))
def test_both_sides_exist_and_the_order_does_not_matter(
    texts: list[str], share: float, seed: int
) -> None:
    split = Split(texts, share, seed)
    sides = {text: split.is_validation(text) for text in texts}
    assert set(sides.values()) == {True, False}
    shuffled = random.Random(seed).sample(texts, len(texts))
    again = Split(shuffled, share, seed)
    assert all(again.is_validation(text) == side for text, side in sides.items())


@given(st.integers(2, 400), st.floats(0.01, 0.9), st.integers(0, 99))
def test_the_share_is_met_as_closely_as_whole_records_allow(
    count: int, share: float, seed: int
) -> None:
    texts = [f"Task number {number}" for number in range(count)]
    split = Split(texts, share, seed)
    chosen = sum(map(split.is_validation, texts))
    assert 1 <= chosen <= count - 1
    if 1 <= share * count <= count - 1:
        assert abs(chosen - share * count) <= 0.5 + 1e-9


def test_spelling_apart_in_case_and_space_is_the_same_instruction() -> None:
    texts = ["Write a poem.", "write  a poem.", "Write a\npoem. ", "List two birds."]
    split = Split(texts, 0.5, 7)
    assert len({split.is_validation(text) for text in texts[:3]}) == 1


def test_another_seed_gives_another_split() -> None:
    texts = [f"Task number {number}" for number in range(200)]
    one, other = Split(texts, 0.2, 1), Split(texts, 0.2, 2)
    assert [one.is_validation(t) for t in texts] != [other.is_validation(t) for t in texts]


def test_a_share_of_zero_keeps_all_for_training() -> None:
    split = Split((), 0.0, 7)
    assert not split.is_validation("anything")


@pytest.mark.parametrize("share", [-0.1, 1.0, 5.0, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="validation share"):
        Split(["a", "b"], share, 7)


def test_a_single_instruction_cannot_be_split() -> None:
    with pytest.raises(InputError, match="1 distinct instruction"):
        Split(["Same.", "same."], 0.5, 7)
