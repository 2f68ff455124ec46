"""Claim: a test of shares that is looked at after every text seldom cries wolf, and does see.

False alarms at the gate are measured by simulation, for one share and for a whole vocabulary of
phrases; the counts of the bounded table keep the bound that its docstring states.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.curate.heavy_hitters import HeavyHitters
from selfsown.curate.sequential import ShareTest, wilson

ALPHA = 0.05


def test_evidence_is_the_mean_of_likelihood_ratios() -> None:
    test = ShareTest(0.6)
    # Only 1.25 and 1.5 times the gate are below 1. 3 of 3 texts: (1.25^3 + 1.5^3) / 2 = 2.6640625.
    assert test.evidence(3, 3) == pytest.approx(math.log(2.6640625))
    assert test.evidence(1, 5) == -math.inf


def test_evidence_grows_with_the_count() -> None:
    test = ShareTest(0.01)
    for total in (10, 1_000):
        values = [test.evidence(count, total) for count in range(1, total + 1)]
        assert values == sorted(values)


def test_a_share_at_its_gate_alarms_at_most_as_often_as_promised_over_2000_looks() -> None:
    test, needed, alarms, runs = ShareTest(0.05), math.log(1 / ALPHA), 0, 600
    rng = random.Random(4)
    for _ in range(runs):
        hits = accumulate(rng.random() < 0.05 for _ in range(2_000))
        last = 0
        for total, count in enumerate(hits, 1):
            if count > last and test.evidence(count, total) >= needed:
                alarms += 1
                break
            last = count
    print(f"false alarms at the gate: {alarms / runs:.4f} of runs, promised at most {ALPHA}")
    # Three standard errors of a share of .05 in 600 runs are .027.
    assert alarms / runs <= ALPHA + 0.027


def test_a_fixed_bound_at_every_look_would_break_that_promise() -> None:
    rng, alarms, runs = random.Random(4), 0, 200
    for _ in range(runs):
        hits = accumulate(rng.random() < 0.05 for _ in range(2_000))
        alarms += any(wilson(k, n, 1.645)[0] > 0.05 for n, k in enumerate(hits, 1))
    print(f"the same with a 95 % bound looked at 2,000 times: {alarms / runs:.3f}")
    assert alarms / runs > 3 * ALPHA


def test_a_vocabulary_of_phrases_at_the_gate_alarms_at_most_as_often_as_promised() -> None:
    """20 phrases at exactly 5 % each: the worst vocabulary there is, looked at after every text."""
    test = ShareTest(0.05)
    needed, rng, alarms, runs = math.log(test.family(1) / ALPHA), random.Random(9), 0, 250
    for _ in range(runs):
        counts = [0] * 20
        for total in range(1, 1_001):
            phrase = rng.randrange(20)
            counts[phrase] += 1
            if test.evidence(counts[phrase], total) >= needed:
                alarms += 1
                break
    print(f"false alarms over 20 phrases at the gate: {alarms / runs:.4f} of runs")
    assert alarms / runs <= ALPHA + 0.041  # three standard errors in 250 runs


@pytest.mark.parametrize(("share", "most"), [(0.3, 40), (0.05, 400), (0.02, 4_000)])
def test_a_share_above_the_gate_is_seen_soon(share: float, most: int) -> None:
    test = ShareTest(0.01)
    needed, rng = math.log(test.family(1) / 0.01), random.Random(2)
    seen = []
    for _ in range(20):
        count = total = 0
        while not count or test.evidence(count, total) < needed:
            total += 1
            count += rng.random() < share
        seen.append(total)
    print(f"a share of {share} against a gate of .01: after {sorted(seen)[10]} texts (median)")
    assert sorted(seen)[10] <= most


@given(st.lists(st.sampled_from("aaabbcdefghij"), max_size=60), st.integers(1, 12))
def test_a_bounded_table_is_never_too_low_and_too_high_by_its_bound_at_most(
    stream: list[str], capacity: int
) -> None:
    table, truth = HeavyHitters(capacity), Counter(stream)
    for phrase in stream:
        table.add(phrase)
    assert len(table) == min(capacity, len(truth))
    assert len(truth) < capacity or table.max_error == len(stream) // capacity
    for phrase, count in truth.items():
        hits = table.hits(phrase)
        if hits.most:
            assert hits.least <= count <= hits.most <= count + table.max_error
        else:
            assert count <= table.max_error
    if len(truth) <= capacity:
        assert dict(table.top(60)) == {phrase: (count, 0) for phrase, count in truth.items()}


def test_a_frequent_phrase_survives_a_flood_of_rare_ones() -> None:
    table = HeavyHitters(50)
    for number in range(20_000):
        table.add("frequent" if number % 10 == 0 else f"rare {number}")
    phrase, hits = table.top(1)[0]
    assert (phrase, hits.most) == ("frequent", 2_000)
    assert len(table) == 50
