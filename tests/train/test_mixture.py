"""Claim: the mixture has the wanted share of human tokens, and says what it repeats."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.core.randomness import rng_for
from selfsown.train.encode import Pair
from selfsown.train.mixture import (
    Part,
    Row,
    depth_after,
    human_token_share,
    mix,
    scale_human,
)
from selfsown.train.records import Origin


def part(origin: Origin, lengths: list[int], repeat: float = 1.0, depth: int = 0) -> Part:
    rows = tuple(
        Row(f"{origin}-{n}", Pair("", ""), (7,) * length, 1, origin, depth)
        for n, length in enumerate(lengths)
    )
    return Part(origin, origin, repeat, rows)


def rng(purpose: str) -> random.Random:
    return rng_for(3, purpose)


LENGTHS = st.lists(st.integers(2, 40), min_size=3, max_size=30)


@given(LENGTHS, LENGTHS, st.floats(0.05, 0.9))
def test_the_wanted_human_share_is_reached_to_within_one_row(
    human: list[int], machine: list[int], share: float
) -> None:
    parts = scale_human([part("human", human), part("machine", machine)], share)
    rows, shares = mix(parts, rng)
    total = sum(len(row.input_ids) for row in rows)
    own = sum(len(row.input_ids) for row in rows if row.origin == "human")
    wanted = share / (1 - share) * sum(machine)
    assert abs(own - wanted) <= max(human) / 2 + 1e-6
    assert human_token_share(shares) == pytest.approx(own / total)


@given(LENGTHS, st.floats(0.1, 5.0))
def test_rows_are_repeated_evenly_and_the_table_counts_them(
    lengths: list[int], repeat: float
) -> None:
    rows, (share,) = mix([part("machine", lengths, repeat)], rng)
    counts = Counter(row.id for row in rows)
    assert {counts[f"machine-{n}"] for n in range(len(lengths))} <= {int(repeat), int(repeat) + 1}
    assert share.rows == len(rows)
    assert share.tokens == sum(len(row.input_ids) for row in rows)
    assert share.completion_tokens == share.tokens - len(rows)  # one prompt token each
    assert abs(share.tokens - repeat * sum(lengths)) <= max(lengths) / 2 + 1e-6


def test_the_same_draw_gives_the_same_order_and_another_seed_another() -> None:
    parts = [part("human", [3] * 20), part("machine", [4] * 20, 1.5)]
    assert mix(parts, rng)[0] == mix(parts, rng)[0]
    assert mix(parts, rng)[0] != mix(parts, lambda purpose: rng_for(4, purpose))[0]


@pytest.mark.parametrize("origin", ["human", "machine"])
def test_a_share_of_what_is_not_there_is_refused(origin: Origin) -> None:
    with pytest.raises(InputError, match="there are no"):
        scale_human([part(origin, [5, 6])], 0.5)


def test_depth_counts_trainings_on_machine_data_only() -> None:
    human, first = part("human", [5]).rows, part("machine", [5]).rows
    third = part("machine", [5], depth=2).rows
    assert depth_after(0, human) == 0
    assert depth_after(2, human) == 2
    assert depth_after(0, human + first) == 1
    assert depth_after(0, first + third) == 3
    assert depth_after(4, third) == 5
