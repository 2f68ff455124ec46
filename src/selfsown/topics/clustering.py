"""Topics that nobody named: clusters of a sample, and the cluster of any further document.

The sample's points are clustered where they are, not in a projection of two dimensions, whose
clusters change with the seed. A further document has the cluster of its nearest clustered
neighbour, if that is near enough; so have those of the sample that were noise.
Source: Cosmopedia, section "web samples". Differs from it: HDBSCAN, or k-means with a stated number
of clusters, replaces DBSCAN on a UMAP projection (unseeded there, and half of the web was noise);
neighbours have a distance bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from selfsown.core.errors import InputError
from selfsown.topics.packages import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from selfsown.topics.points import Points

NOISE: Final = -1
_QUANTILE: Final = 0.99
"""The bound is such that 99 % of the clustered sample would have found their nearest neighbour."""
_SLACK: Final = 1.1
_ROWS: Final = 512
"""Points that are compared with the sample at once."""


class Near(NamedTuple):
    """Where a document belongs."""

    cluster: int
    """`NOISE`: no clustered document of the sample is near enough."""
    distance: float
    """To the nearest clustered document of the sample; infinite if there is none."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The sample's clusters, numbered from 0, largest first."""

    labels: tuple[int, ...]
    """Of the sample, in its order; `NOISE` where no cluster was found."""
    bound: float
    """Farthest distance at which a document has its neighbour's cluster."""

    @property
    def count(self) -> int:
        """How many there are."""
        return max(self.labels, default=NOISE) + 1


def cluster(
    points: Points, *, count: int | None, least: int, seed: int, bound: float | None = None
) -> Clusters:
    """Find the clusters of a sample.

    Args:
        points: of the sample.
        count: how many, by k-means; None: as many as there are, by HDBSCAN, which leaves noise.
        least: fewest documents of a cluster, at least 2; smaller ones are noise.
        seed: of k-means.
        bound: distance bound for further documents; None: from the sample.

    Raises:
        MissingExtra: scikit-learn is not installed.
        InputError: there are too few points for a cluster.
    """
    require("sklearn", "clustering")
    import numpy as np

    if len(points) < max(count or 0, least, 2):
        raise InputError(
            f"{len(points)} documents are too few for clusters",
            why=f"a cluster has at least {least} documents"
            + (f", and there should be {count} of them" if count else ""),
            fix="give more documents, or lower `min_cluster` or `clusters`",
        )
    found = _k_means(points, count, seed) if count else _hdbscan(points, least)
    found[~_placed(points)] = NOISE
    labels = _by_size(found, least)
    if bound is None:
        bound = _bound(points, np.array(labels))
    return Clusters(tuple(labels), round(bound, 6))


def nearest(points: Points, sample: Points, clusters: Clusters) -> list[Near]:
    """The cluster of each point: that of its nearest clustered neighbour within the bound.

    Of neighbours at the same distance the first of the sample counts. Distances are Euclidean, in
    [0, 2]. A point of zeros, of a text without a known word, is near nothing.
    """
    import numpy as np

    labels = np.array(clusters.labels)
    (members,) = np.nonzero(labels != NOISE)
    if not len(members):
        return [Near(NOISE, float("inf"))] * len(points)
    found, placed = [], _placed(points)
    for start in range(0, len(points), _ROWS):
        squares = _squares(points[start : start + _ROWS], sample[members])
        best = squares.argmin(axis=1)
        for row, place in enumerate(best):
            distance = float(np.sqrt(squares[row, place]))
            is_near = distance <= clusters.bound and placed[start + row]
            found.append(Near(int(labels[members[place]]) if is_near else NOISE, distance))
    return found


def _hdbscan(points: Points, least: int) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN

    found: NDArray[np.int64] = HDBSCAN(
        min_cluster_size=least,
        min_samples=min(5, least),
        cluster_selection_method="leaf",  # else one cluster may take most of a real corpus
        copy=True,
    ).fit_predict(points)
    return found


def _k_means(points: Points, count: int, seed: int) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans

    found: NDArray[np.int64] = KMeans(count, n_init=4, random_state=seed).fit_predict(points)
    return found


def _placed(points: Points) -> NDArray[np.bool_]:
    """(points,) which of them are not zeros."""
    found: NDArray[np.bool_] = (points != 0).any(axis=1)
    return found


def _by_size(found: Sequence[int] | NDArray[np.int64], least: int) -> list[int]:
    """Labels with the largest cluster first, of equally large ones that of the first document."""
    labels = [int(label) for label in found]
    first: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for place, label in enumerate(labels):
        first.setdefault(label, place)
        sizes[label] = sizes.get(label, 0) + 1
    kept = [label for label, size in sizes.items() if label >= 0 and size >= least]
    kept.sort(key=lambda label: (-sizes[label], first[label]))
    numbers = {label: number for number, label in enumerate(kept)}
    return [numbers.get(label, NOISE) for label in labels]


def _bound(points: Points, labels: NDArray[np.int64]) -> float:
    """A distance at which 99 % of the clustered points have another point of their cluster."""
    import numpy as np

    distances = []
    for number in range(int(labels.max()) + 1):
        members = points[labels == number]
        for start in range(0, len(members), _ROWS):
            squares = _squares(members[start : start + _ROWS], members)
            rows = np.arange(len(squares))
            squares[rows, start + rows] = np.inf
            distances.append(np.sqrt(squares.min(axis=1)))
    if not distances:
        return 0.0
    finite = np.concatenate(distances)
    finite = finite[np.isfinite(finite)]
    return float(np.quantile(finite, _QUANTILE)) * _SLACK if len(finite) else 0.0


def _squares(points: Points, sample: Points) -> NDArray[np.float64]:
    """(points, sample) squared distances, by products, so that memory is one number a pair."""
    import numpy as np

    products = points @ sample.T  # (P, S)
    lengths = (points**2).sum(1)[:, None] + (sample**2).sum(1)[None, :]
    found: NDArray[np.float64] = np.maximum(lengths - 2 * products, 0).astype(np.float64)
    return found
