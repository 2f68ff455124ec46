"""The shape of texts: lengths, how they open, how many decline the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OPENING_TOKENS: Final = 4
TOP_OPENINGS: Final = 10


def opening_share(rows: Sequence[Sequence[str]]) -> float:
    """Share of rows that begin with one of the sample's ten most frequent openings.

    An opening is the first four tokens. 0.0 without rows.
    """
    openings = Counter(tuple(row[:OPENING_TOKENS]) for row in rows)
    return sum(count for _, count in openings.most_common(TOP_OPENINGS)) / max(1, len(rows))


def ks_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Largest distance between two empirical distribution functions, in [0, 1]."""
    import numpy as np

    places = np.concatenate([one, other])
    parts = [
        np.searchsorted(np.sort(values), places, side="right") / len(values)
        for values in (one, other)
    ]
    return float(np.abs(parts[0] - parts[1]).max())
