"""Claim: the bounds before `difflib` never change what it says about a text and an item."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.curate.block_match import BlockMatcher, matched_ratio

PIECES = st.lists(
    st.sampled_from(["abcdef", "bcdefg", "xyzxyz", "ab", "c", " of the ", "aaaa"]), max_size=14
).map("".join)


@settings(max_examples=500, deadline=None)
@given(PIECES, PIECES.filter(bool), st.sampled_from([0.0, 0.2, 0.5, 0.8]))
def test_the_ratio_above_a_threshold_is_that_of_difflib(
    text: str, item: str, threshold: float
) -> None:
    exact = matched_ratio(text, item)
    found = BlockMatcher(text).ratio_above(item, threshold)
    assert found == (exact if exact > threshold else None)


def test_texts_of_common_words_are_judged_as_difflib_judges_them() -> None:
    rng = random.Random(1)
    words = ["the", "river", "of", "and", "many", "which", "bears", "house", "by", "seven"]
    decided = set[bool]()
    for number in range(60):
        text = " ".join(rng.choices(words, k=120))
        item = " ".join(rng.choices(words, k=20))
        if number % 2:
            item = text[: rng.randrange(20, 90)] + item
        exact = matched_ratio(text, item)
        found = BlockMatcher(text).ratio_above(item, 0.5)
        assert found == (exact if exact > 0.5 else None)
        decided.add(found is None)
    assert decided == {True, False}


def test_the_chain_by_hand() -> None:
    # `abcdef` and `uvwxyz` stand in the text in the other order: 12 of 13 characters are covered,
    # but blocks in one order cover 6.
    text, item = "uvwxyz-abcdef", "abcdef+uvwxyz"
    matcher = BlockMatcher(text)
    assert matcher._covered(item) == pytest.approx(12 / 13)
    assert matcher._chained(item) == matched_ratio(text, item) == pytest.approx(6 / 13)
    assert BlockMatcher("abcdefgh uvwxyz").ratio_above(item, 0.5) == pytest.approx(12 / 13)
