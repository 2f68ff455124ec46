"""How many different things a sample says, and how near its rows lie to each other and to humans.

Points are unit vectors; the distance of two is the Euclidean one, the likeness their cosine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from selfsown.guard.embedding import Points
    from selfsown.guard.intervals import Mask

    Distances = NDArray[np.float64]

CROWDED: Final = 0.9
"""Cosine above which a row counts as crowded by its neighbour."""


def vendi(points: Points) -> float:
    """Effective number of different rows, from 1 to their number.

    exp of the entropy of the eigenvalues of K/n for the cosine kernel K (Friedman and Dieng 2023,
    2210.02410). The eigenvalues are those of the much smaller X'X/n. Zero vectors are left out.
    """
    import numpy as np

    kept = points[np.abs(points).sum(axis=1) > 0]
    if not len(kept):
        return 1.0
    values = np.linalg.eigvalsh(kept.T @ kept / len(kept))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def mean_cosine(points: Points) -> float:
    """Mean cosine of two different rows; 0.0 for fewer than two."""
    count = len(points)
    if count < 2:
        return 0.0
    total = points.sum(axis=0)
    return float((total @ total - (points * points).sum()) / (count * (count - 1)))


def nearest_cosines(cosines: Distances) -> NDArray[np.float64]:
    """(rows,) cosine of each row with its nearest other row, from the matrix of all pairs."""
    import numpy as np

    others = cosines.copy()
    np.fill_diagonal(others, -1.0)
    nearest: NDArray[np.float64] = others.max(axis=1)
    return nearest


def distances(one: Points, other: Points) -> Distances:
    """(rows of one, rows of other) Euclidean distances."""
    import numpy as np

    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    # Rounding leaves about 1e-16 between equal rows, of which the root is 1e-8.
    roots: Distances = np.sqrt(np.where(squares < 1e-12, 0.0, squares))
    return roots


class Support(NamedTuple):
    """k-nearest-neighbour comparison of a sample with human text."""

    precision: float
    """Share of sample rows inside some human row's ball (Kynkaanniemi et al. 2019)."""
    recall: float
    """Share of human rows inside some sample row's ball."""
    density: float
    """Mean number of human balls around a sample row / k (Naeem et al. 2020, 2002.09797)."""
    coverage: float
    """Share of human rows whose ball holds a sample row."""


class SupportTest:
    """Distances of a sample to the human reference, measured once for many half-samples.

    A row's ball reaches to its k-th nearest row of its own set (2307.01850: k = 5).
    """

    def __init__(self, human: Points, sample: Points, k: int) -> None:
        """Both sets need more than k rows."""
        self._k = k
        self._within = distances(sample, sample)
        self._across = distances(human, sample)  # (human, sample)
        self._human_radius = _radii(distances(human, human), k)

    def test(self, mask: Mask) -> Support:
        """The four numbers for the sample rows of the mask."""
        import numpy as np

        across = self._across[:, mask]
        radius = _radii(self._within[np.ix_(mask, mask)], self._k)
        in_human = across <= self._human_radius[:, None]
        in_sample = across <= radius[None, :]
        return Support(
            precision=float(in_human.any(axis=0).mean()),
            recall=float(in_sample.any(axis=1).mean()),
            density=float(in_human.sum(axis=0).mean() / self._k),
            coverage=float(in_human.any(axis=1).mean()),
        )


def _radii(within: Distances, k: int) -> NDArray[np.float64]:
    """Distance of each row to its k-th nearest other row; the row itself is at distance 0."""
    import numpy as np

    reach = min(k, len(within) - 1)
    radii: NDArray[np.float64] = np.partition(within, reach, axis=1)[:, reach]
    return radii
