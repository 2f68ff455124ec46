"""Points: Vendi, neighbours, supports, topics and the classifier agree with their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selfsown.guard.embedding import Lsa, hashed, unit
from selfsown.guard.labels import HumanLabels
from selfsown.guard.ngrams import HumanNgrams, NgramTable
from selfsown.guard.semantic import (
    SupportTest,
    distances,
    mean_cosine,
    nearest_cosines,
    vendi,
)
from selfsown.guard.topics import Topics, covered_mass, js_divergence
from selfsown.guard.two_sample import auc, held_out_scores


def words(text: str) -> list[str]:
    return text.split()


def test_vendi_counts_the_different_directions() -> None:
    assert vendi(np.eye(4)) == pytest.approx(4.0)
    assert vendi(np.array([[1.0, 0], [1, 0], [1, 0]])) == pytest.approx(1.0)
    # Three rows one way, one the other: eigenvalues 3/4, 1/4:
    # exp(.75 ln 4/3 + .25 ln 4) = 1.755.
    points = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert vendi(points) == pytest.approx(math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4)))


def test_cosines_leave_out_the_row_itself() -> None:
    points = np.array([[1.0, 0], [0, 1], [1, 0]])
    # Pairs: 0, 1, 0 -> mean 1/3; nearest: 1, 0, 1.
    assert mean_cosine(points) == pytest.approx(1 / 3)
    assert nearest_cosines(points @ points.T).tolist() == [1.0, 0.0, 1.0]


def test_support_on_a_line_by_hand() -> None:
    human = np.array([[0.0], [1.0], [2.0], [10.0]])
    sample = np.array([[0.4], [1.2], [5.0]])
    found = SupportTest(human, sample, k=1).test(np.ones(3, dtype=bool))
    # Human balls, k = 1: radii 1, 1, 1, 8 -> [-1,1] [0,2] [1,3] [2,18].
    # Sample rows: .4 lies in 2 balls, 1.2 in 2, 5.0 in 1: precision 3/3, density 5/3.
    # Coverage: ball of 0 holds .4, of 1 holds .4 and 1.2, of 2 holds 1.2, of 10 holds 5: 4/4.
    # Sample radii .8, .8, 3.8 -> [-.4,1.2] [.4,2] [1.2,8.8]: human 0, 1, 2 inside, 10 not: 3/4.
    assert found == pytest.approx((1.0, 0.75, 5 / 3, 1.0))


def test_support_equals_brute_force_on_random_points() -> None:
    rng = np.random.default_rng(3)
    human, sample, k = rng.normal(size=(30, 3)), rng.normal(0.7, 1, size=(30, 3)), 4
    mask = rng.random(30) < 0.6
    part = sample[mask]

    def radius(points: np.ndarray, row: np.ndarray) -> float:
        return float(sorted(np.linalg.norm(points - row, axis=1))[k])

    def within(row: np.ndarray, balls: np.ndarray) -> int:
        return sum(np.linalg.norm(row - one) <= radius(balls, one) for one in balls)

    found = SupportTest(human, sample, k).test(mask)
    assert found.precision == pytest.approx(np.mean([within(row, human) > 0 for row in part]))
    assert found.recall == pytest.approx(np.mean([within(row, part) > 0 for row in human]))
    assert found.density == pytest.approx(np.mean([within(row, human) for row in part]) / k)
    covered = [
        any(np.linalg.norm(row - one) <= radius(human, one) for row in part) for one in human
    ]
    assert found.coverage == pytest.approx(np.mean(covered))


def test_equal_rows_are_at_distance_zero() -> None:
    points = unit(np.random.default_rng(0).normal(size=(5, 7)))
    assert np.diag(distances(points, points)).max() == 0.0


def test_js_divergence_is_in_bits() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert js_divergence(one, other) == pytest.approx(1.0)
    assert js_divergence(one, one) == 0.0
    # (1, 0) and (1/2, 1/2): middle (3/4, 1/4).
    # 1/2 log2 4/3 + 1/2 (1/2 log2 2/3 + 1/2 log2 2) = .2075 + .1038 = .3113.
    assert js_divergence(one, np.array([0.5, 0.5])) == pytest.approx(0.31128, abs=1e-5)


def test_topics_that_hardly_occur_are_not_covered() -> None:
    human = np.array([0.5, 0.3, 0.2])
    # .04 is below a quarter of .2.
    assert covered_mass(human, np.array([0.6, 0.36, 0.04])) == pytest.approx(0.8)
    assert covered_mass(human, human) == pytest.approx(1.0)


def test_clusters_of_separate_words_are_found() -> None:
    rows = [
        [f"{topic}{(start + n) % 6}" for n in range(4)] for topic in "abc" for start in range(6)
    ]
    lsa = Lsa(rows)
    topics = Topics(lsa.place(rows), 3, seed=0)
    found = [{int(own) for own in topics.human[part * 6 : part * 6 + 6]} for part in range(3)]
    assert [len(one) for one in found] == [1, 1, 1] and len(set.union(*found)) == 3


def test_placing_is_deterministic_and_of_unit_length() -> None:
    rows = [words("a b c d"), words("a b e"), words("f g")]
    once, again = Lsa(rows).place(rows), Lsa(rows).place(rows)
    assert np.array_equal(once, again)
    assert np.linalg.norm(once, axis=1) == pytest.approx(1.0)
    assert np.abs(Lsa(rows).place([["unknown"], []])[1]).max() == 0.0


def test_auc_counts_pairs_and_half_of_the_ties() -> None:
    # Pairs (3,1) (3,2) (2,1) win, (2,2) ties: 3.5 of 4.
    assert auc(np.array([3.0, 2]), np.array([1.0, 2])) == pytest.approx(3.5 / 4)


def test_the_classifier_sees_a_difference_and_no_difference() -> None:
    rng = np.random.default_rng(1)
    lexicon = [f"w{n}" for n in range(50)]

    def texts(low: int, high: int) -> np.ndarray:
        return unit(hashed([[lexicon[n] for n in rng.integers(low, high, 8)] for _ in range(100)]))

    same = auc(*held_out_scores(texts(0, 50), texts(0, 50), seed=0))
    different = auc(*held_out_scores(texts(0, 40), texts(10, 50), seed=0))
    assert 0.35 < same < 0.65 and different > 0.75


def test_rare_recall_and_missing_mass_by_hand() -> None:
    human = HumanNgrams([words("a b c"), words("a b d"), words("a b"), words("e")], 2)
    # ab 3, bc 1, bd 1: rare are bc and bd; 5 pairs in all.
    table = NgramTable([words("b c a b"), words("b d")], 2)
    both, first = np.array([True, True]), np.array([True, False])
    assert human.rare_recall(table)(both) == pytest.approx(1.0)
    assert human.rare_recall(table)(first) == pytest.approx(0.5)
    assert human.covered_mass(table)(first) == pytest.approx(4 / 5)


def test_rare_labels_hold_at_most_a_fifth_of_the_rows() -> None:
    human = HumanLabels(["x"] * 16 + ["y"] * 2 + ["z", "q", ""])
    # 20 labelled rows; q 1, z 1, y 2 sum to 4 = 20 %.
    assert human.rare == ["q", "z", "y"]
    mask = np.array([True, True, False])
    assert human.recall(["y", "x", "q"], mask) == pytest.approx(1 / 3)
