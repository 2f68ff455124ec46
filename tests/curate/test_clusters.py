"""Claim: a crowded neighbourhood gets a small weight and a lone text the weight 1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.curate.clusters import DensityIndex

TEXTS = st.lists(
    st.sampled_from(
        ["Write a poem about rain", "Write a poem about snow", "What is rain?", "Sort it", "", "雨"]
    ),
    max_size=30,
)


def filled(texts: list[str]) -> DensityIndex:
    index = DensityIndex()
    for number, text in enumerate(texts):
        assert index.add(text) == number
    return index


@given(TEXTS)
@settings(deadline=None)
def test_weights_lie_in_the_unit_interval_and_depend_on_the_texts_only(texts: list[str]) -> None:
    one, other = filled(texts), filled(texts)
    weights = [one.weight(number) for number in range(len(one))]
    assert all(0 < weight <= 1 for weight in weights)
    assert weights == [other.weight(number) for number in range(len(other))]


@given(TEXTS, st.data())
@settings(deadline=None)
def test_adding_a_text_never_raises_a_weight(texts: list[str], data: st.DataObject) -> None:
    index = filled([*texts, "Write a poem about rain"])
    number = data.draw(st.integers(0, len(index) - 1))
    before = index.weight(number)
    index.add("Write a poem about rain")
    assert index.weight(number) <= before


def test_density_by_hand() -> None:
    index = filled(["Create a poem about rain", "Create a poem about snow", "Explain gravity"])
    # Opening "create a" twice, root (create, poem) twice, rarest word once: (2 * 2 * 1)^(1/3).
    assert index.density(0) == pytest.approx(4 ** (1 / 3))
    assert index.weight(0) == pytest.approx(4 ** (-1 / 3))
    assert index.weight(2) == 1.0


def test_equal_texts_share_their_density() -> None:
    index = filled(["Sort the list of numbers"] * 10)
    assert index.density(0) == pytest.approx(10)
    assert index.weight(9) == pytest.approx(0.1)


def test_questions_are_not_one_cluster() -> None:
    index = filled(["Why do cats purr?", "How does rust form?", "Where do storks winter?"])
    assert [index.weight(number) for number in range(3)] == [1.0, 1.0, 1.0]


def test_unknown_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="no text 0"):
        DensityIndex().weight(0)
    with pytest.raises(ConfigError, match="no text -1"):
        filled(["a"]).density(-1)
