"""Claim: clusters are the topics that are there, the same on every run; the rest is noise.

Cosmopedia 8.8: 5 synthetic topics of 100 texts each give 5 clusters, adjusted Rand index above 0.9.
"""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from tests.topics.worlds import NAMES, text_of, topics, vocabulary

from selfsown.core.errors import InputError

pytest.importorskip("sklearn", reason="clustering needs the extra `topics`")
np = pytest.importorskip("numpy")

from selfsown.topics.clustering import NOISE, Clusters, cluster, nearest  # noqa: E402
from selfsown.topics.points import Words  # noqa: E402


def adjusted_rand(one: list[int] | list[str], other: list[int] | list[str]) -> float:
    """Hubert and Arabie 1985, from the table of pairs."""
    pairs = lambda counts: sum(math.comb(n, 2) for n in counts.values())  # noqa: E731
    both = pairs(Counter(zip(one, other, strict=True)))
    a, b, every = pairs(Counter(one)), pairs(Counter(other)), math.comb(len(one), 2)
    expected = a * b / every
    return (both - expected) / ((a + b) / 2 - expected)


def test_the_adjusted_rand_index_by_hand() -> None:
    # Pairs together in both: 1 of 15; in the first 3, in the second 2 and 4 expected .4 ...
    assert adjusted_rand([0, 0, 1, 1], [1, 1, 0, 0]) == 1.0
    # pairs: both 1, first 2, second 2, all 6: (1 - 4/6) / (2 - 4/6) = .25
    assert adjusted_rand([0, 0, 1, 1], [0, 0, 1, 2]) == pytest.approx((1 - 2 / 6) / (1.5 - 2 / 6))


@pytest.mark.parametrize("count", [None, 5])
def test_8_8_five_topics_of_100_texts_are_five_clusters_on_two_runs(count: int | None) -> None:
    texts, truth = topics(5, 100)
    runs = []
    for _ in range(2):
        points = Words(texts, seed=7).place(texts)
        runs.append(cluster(points, count=count, least=15, seed=7))
    assert runs[0] == runs[1]
    score = adjusted_rand(list(runs[0].labels), truth)
    print(f"clusters {runs[0].count}, adjusted Rand {score:.3f}, noise {runs[0].labels.count(-1)}")
    assert runs[0].count == 5
    assert score > 0.9


def test_further_documents_get_the_cluster_of_their_neighbour_and_strangers_none() -> None:
    texts, truth = topics(4, 60)
    words = Words(texts, seed=1)
    points = words.place(texts)
    clusters = cluster(points, count=None, least=15, seed=1)
    names = {
        label: Counter(t for t, own in zip(truth, clusters.labels, strict=True) if own == label)
        for label in range(clusters.count)
    }
    of = {label: counts.most_common(1)[0][0] for label, counts in names.items()}
    rng = random.Random(9)
    further = [(text_of(name, rng), name) for name in NAMES[:4] for _ in range(25)]
    found = nearest(words.place([text for text, _ in further]), points, clusters)
    right = sum(
        of.get(near.cluster) == name for near, (_, name) in zip(found, further, strict=True)
    )
    print(f"{right} of 100 further documents are in their topic, bound {clusters.bound:.3f}")
    assert right >= 95
    strangers = ["", "zzz yyy xxx", "12 34 56"]
    assert [near.cluster for near in nearest(words.place(strangers), points, clusters)] == [
        NOISE
    ] * 3


def test_a_stricter_bound_leaves_more_out() -> None:
    texts, _ = topics(3, 40)
    words = Words(texts, seed=1)
    points = words.place(texts)
    clusters = cluster(points, count=3, least=5, seed=1, bound=0.0)
    rng = random.Random(5)
    further = words.place([text_of(NAMES[0], rng) for _ in range(10)])
    assert {near.cluster for near in nearest(further, points, clusters)} == {NOISE}
    assert all(
        near.cluster != NOISE for near in nearest(points, points, Clusters(clusters.labels, 1e-3))
    )


def test_neighbours_are_those_of_a_comparison_with_all() -> None:
    rng = np.random.default_rng(3)
    sample, points = rng.normal(size=(700, 8)), rng.normal(size=(600, 8))
    labels = tuple(int(n) for n in rng.integers(-1, 6, 700))
    found = nearest(points, sample, Clusters(labels, 1.2))
    for point, near in zip(points[::37], found[::37], strict=True):
        distances = np.linalg.norm(sample - point, axis=1)
        distances[np.array(labels) == NOISE] = np.inf
        best = int(distances.argmin())
        assert near.distance == pytest.approx(distances[best])
        assert near.cluster == (labels[best] if distances[best] <= 1.2 else NOISE)


def test_clusters_are_numbered_by_size() -> None:
    texts = topics(1, 30)[0] + [text_of(NAMES[1], random.Random(n)) for n in range(50)]
    found = cluster(Words(texts, 1).place(texts), count=2, least=2, seed=1)
    assert set(found.labels[:30]) == {1} and set(found.labels[30:]) == {0}


def test_the_terms_of_a_cluster_are_its_own_words() -> None:
    texts, truth = topics(3, 40)
    words = Words(texts, seed=1)
    labels = np.array([NAMES.index(name) for name in truth])
    for number in range(3):
        terms = words.terms(labels, number)
        assert len(terms) == 5 and set(terms) <= set(vocabulary(NAMES[number]))


def test_too_few_documents_or_documents_without_common_words_are_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        cluster(np.ones((3, 2), dtype=np.float32), count=None, least=5, seed=1)
    with pytest.raises(InputError, match="share no words"):
        Words([f"word{n} alone{n}" for n in range(20)], seed=1)


def test_texts_that_are_all_alike_are_no_reason_to_fail() -> None:
    points = (
        Words(["the same text again"] * 30, seed=1).place(["the same text again"] * 30)
        if 0
        else (np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (30, 1)))
    )
    found = cluster(points, count=None, least=5, seed=1)
    assert len(found.labels) == 30
    assert len(nearest(points, points, found)) == 30
