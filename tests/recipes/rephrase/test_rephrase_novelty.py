"""Claim: distinct things are counted by a sketch of fixed size, exactly while they are few."""

from __future__ import annotations

import random

import pytest

from selfsown.recipes.rephrase.novelty import Distinct, Novelty


@pytest.mark.parametrize("count", [0, 1, 500, 1023])
def test_few_things_are_counted_exactly_however_often_they_come(count: int) -> None:
    found = Distinct()
    for _ in range(3):
        found.add({f"thing {number}" for number in range(count)})
    assert found.distinct == count and found.seen == 3 * count


def test_many_things_are_estimated_within_four_standard_errors() -> None:
    for count in (2_000, 30_000):
        found = Distinct()
        for start in range(0, count, 100):
            found.add({f"thing {number}" for number in range(start, start + 100)})
        assert abs(found.distinct / count - 1) < 4 * 1022**-0.5


def test_the_order_in_which_chunks_come_does_not_show() -> None:
    rng = random.Random(5)
    words = [f"w{number}" for number in range(400)]
    chunks = []
    for _ in range(60):
        source = " ".join(rng.sample(words, 40))
        chunks.append((source, {"easy": source, "hard": " ".join(rng.sample(words, 40))}))
    forms = []
    for _ in range(3):
        rng.shuffle(chunks)
        novelty = Novelty()
        for source, kept in chunks:
            novelty.add(source, kept)
        forms.append(novelty.form())
    assert forms[0] == forms[1] == forms[2]
    assert forms[0]["near_duplicates"] == {"easy": 1.0, "easy | hard": 0.0, "hard": 0.0}
