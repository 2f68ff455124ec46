"""Topics of the human reference as clusters, and how a sample spreads over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from selfsown.core.randomness import rng_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from selfsown.guard.embedding import Points

    Shares = NDArray[np.float64]

ROUNDS: Final = 20
LEFT: Final = 0.25
NAME_WORDS: Final = 4


class Topics:
    """k-means clusters of human points (k-means++ starts, a fixed number of Lloyd rounds)."""

    def __init__(self, human: Points, count: int, seed: int) -> None:
        """Cluster the reference; an emptied cluster keeps its last centre."""
        import numpy as np

        rng = np.random.default_rng(rng_for(seed, "guard-topics").getrandbits(64))
        self._centres = _spread_starts(human, count, rng)
        for _ in range(ROUNDS):
            members = self.of(human)
            for topic in range(count):
                inside = human[members == topic]
                if len(inside):
                    self._centres[topic] = inside.mean(axis=0)
        self.human = self.of(human)
        self.shares = self.spread(self.human)

    def of(self, points: Points) -> NDArray[np.int64]:
        """(rows,) the nearest cluster of each point."""
        squares = (self._centres**2).sum(axis=1)[None, :] - 2 * points @ self._centres.T
        nearest: NDArray[np.int64] = squares.argmin(axis=1)
        return nearest

    def spread(self, members: NDArray[np.int64]) -> Shares:
        """(topics,) share of the rows in each cluster; zeros without rows."""
        import numpy as np

        counts = np.bincount(members, minlength=len(self._centres))
        return counts / max(1, len(members))


def covered_mass(human: Shares, sample: Shares) -> float:
    """Share of human rows whose cluster holds at least a quarter of its share in the sample.

    Clusters of short texts are impure, and strays of other topics fall into a lost one, so asking
    for a single row would miss most losses.
    """
    return float(human[(sample > 0) & (sample >= LEFT * human)].sum())


def js_divergence(one: Shares, other: Shares) -> float:
    """Jensen-Shannon divergence of two distributions in bits, in [0, 1]."""
    import numpy as np

    middle = (one + other) / 2
    total = 0.0
    for part in (one, other):
        there = part > 0
        total += float((part[there] * np.log2(part[there] / middle[there])).sum()) / 2
    return max(0.0, total)


def topic_name(inside: Sequence[Sequence[str]], everywhere: Counter[str], total: int) -> str:
    """The words that mark a cluster: most over-represented in its rows, by a smoothed log ratio.

    Args:
        inside: tokenised rows of the cluster.
        everywhere: in how many rows of the reference a word occurs.
        total: rows of the reference.
    """
    import math

    here = Counter(word for row in inside for word in set(row))
    weight = {
        word: count * math.log((count / len(inside)) / ((everywhere[word] + 1) / (total + 1)))
        for word, count in here.items()
    }
    best = sorted(weight, key=lambda word: (-weight[word], word))[:NAME_WORDS]
    return " ".join(best)


def _spread_starts(points: Points, count: int, rng: np.random.Generator) -> Points:
    """k-means++: each next start is drawn in proportion to its squared distance to the chosen."""
    import numpy as np

    chosen = [int(rng.integers(len(points)))]
    nearest = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count:
        total = nearest.sum()
        shares = nearest / total if total > 0 else None
        chosen.append(int(rng.choice(len(points), p=shares)))
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen].copy()
