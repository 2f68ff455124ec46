"""Claim: intervals cover what they claim to, tests reject as rarely as promised, all repeats."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.evaluate.intervals import bootstrap, paired_test, percentile, sign_test_p


def test_a_bootstrap_interval_covers_the_true_mean_in_about_95_of_100_samples() -> None:
    rng = random.Random(3)
    covered = 0
    for seed in range(300):
        values = [float(rng.random() < 0.4) for _ in range(80)]
        found = bootstrap(values, seed=seed, resamples=300)
        covered += found.low <= 0.4 <= found.high
    assert 0.91 <= covered / 300 <= 0.98


def test_a_corrected_interval_covers_the_mean_of_few_skewed_values_more_often() -> None:
    rng = random.Random(5)
    covered = {False: 0, True: 0}
    for seed in range(300):
        values = [float(rng.random() < 0.1) for _ in range(50)]
        for corrected in covered:
            found = bootstrap(values, seed=seed, resamples=200, corrected=corrected)
            covered[corrected] += found.low <= 0.1 <= found.high
    assert covered[True] > covered[False]
    assert 0.91 <= covered[True] / 300 <= 0.98


def test_a_corrected_interval_of_equal_or_single_values_is_that_value() -> None:
    for values in ([1.0, 1.0, 1.0], [0.5]):
        found = bootstrap(values, resamples=100, corrected=True)
        assert (found.low, found.high) == (values[0], values[0])


def test_clusters_widen_the_interval_when_their_members_are_alike() -> None:
    values = [float(task % 2) for task in range(20) for _ in range(50)]
    clusters = [f"t{task}" for task in range(20) for _ in range(50)]
    alone, together = bootstrap(values), bootstrap(values, clusters=clusters)
    assert alone.mean == together.mean == 0.5
    # sd of a mean of 20 coins is 0.11, of 1000 it is 0.016: about 7 times as wide
    assert 5 < (together.high - together.low) / (alone.high - alone.low) < 9


def test_an_empty_cluster_name_means_no_cluster() -> None:
    values = [0.1, 0.5, 0.9, 0.3]
    assert bootstrap(values, clusters=["", "", "", ""]) == bootstrap(values)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 5))
def test_the_mean_lies_in_its_interval_or_all_values_are_equal(
    values: list[float], seed: int
) -> None:
    found = bootstrap(values, seed=seed, resamples=200)
    assert min(values) - 1e-12 <= found.low <= found.high <= max(values) + 1e-12
    assert found.mean == pytest.approx(math.fsum(values) / len(values))
    assert found == bootstrap(values, seed=seed, resamples=200)


def test_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_test([1.0], [1.0, 0.0])


def test_equal_models_show_no_difference() -> None:
    scores = [0.1, 0.9, 0.4]
    found = paired_test(scores, scores)
    assert (found.wins, found.losses, found.ties) == (0, 0, 3)
    assert found.p_permutation == found.p_sign == 1.0
    assert not found.rose and not found.fell


def test_a_clear_gain_is_found_and_swapping_the_models_mirrors_it() -> None:
    rng = random.Random(7)
    first = [rng.random() * 0.8 for _ in range(120)]
    second = [one + rng.random() * 0.2 for one in first]
    gain, loss = paired_test(first, second), paired_test(second, first)
    assert gain.rose and loss.fell
    assert gain.p_permutation < 0.001 and gain.p_sign < 0.001
    assert gain.difference.mean == pytest.approx(-loss.difference.mean)
    assert gain.wins == loss.losses == 120


def test_the_detectable_difference_is_found_in_about_80_of_100_comparisons() -> None:
    rng = random.Random(23)
    zeros, size = [0.0] * 60, 2.8 / math.sqrt(60)  # 2.8 standard errors of differences with sd 1
    found = [
        paired_test(zeros, [rng.gauss(size, 1) for _ in zeros], seed=seed, resamples=300)
        for seed in range(150)
    ]
    assert 0.70 < sum(one.rose for one in found) / 150 < 0.90
    assert sum(one.detectable for one in found) / 150 == pytest.approx(size, rel=0.05)


def test_models_that_do_not_differ_are_told_apart_in_at_most_8_of_100_tests() -> None:
    rng = random.Random(17)
    rejected = 0
    for seed in range(200):
        noise = [rng.gauss(0, 1) for _ in range(40)]
        found = paired_test([0.0] * 40, noise, seed=seed, resamples=200)
        rejected += found.p_permutation <= 0.05
    assert rejected / 200 <= 0.08


def test_the_sign_flip_p_value_is_near_the_exact_one_of_all_patterns() -> None:
    differences = [0.4, 0.1, -0.2, 0.6, 0.3, 0.2, -0.1, 0.5]
    observed = abs(sum(differences)) - 1e-12
    signs = product((-1, 1), repeat=len(differences))
    totals = [sum(s * d for s, d in zip(pattern, differences, strict=True)) for pattern in signs]
    exact = sum(abs(total) >= observed for total in totals) / len(totals)
    found = paired_test([0.0] * 8, differences, resamples=20_000)
    assert found.p_permutation == pytest.approx(exact, abs=0.01)


def test_the_sign_test_by_hand() -> None:
    # 8 wins, 2 losses: 2 * (C(10,0) + C(10,1) + C(10,2)) / 2**10 = 2 * 56 / 1024
    assert sign_test_p(8, 2) == 112 / 1024
    assert sign_test_p(2, 8) == sign_test_p(8, 2)
    assert sign_test_p(0, 0) == 1.0
    assert 0.0 <= sign_test_p(12_000, 0) < 1e-300


def test_percentiles_interpolate() -> None:
    assert percentile([0.0, 1.0, 2.0, 3.0], 0.5) == 1.5
    assert percentile([5.0], 0.975) == 5.0
