"""95 % intervals from half-samples: what a metric would have been with other rows.

A bootstrap draws rows with replacement, and the repeated rows by themselves lower distinct-n and
coverage and raise neighbour similarity. We draw half of the rows *without* replacement instead. For
a statistic whose variance falls as 1/m, the spread between half-samples of m/2 out of m is the
standard error at m: s^2 (1/(m/2) - 1/m) = s^2/m (Politis and Romano 1994; McCarthy 1969).

Differs from a percentile interval: metrics that change with size sit at another level at m/2, so
only the relative spread is used, around the value of the full sample.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from selfsown.core.randomness import rng_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    """(m,) which rows are in."""
    Statistic = Callable[[Mask], float]


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    error: float

    @property
    def lo(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - 1.96 * self.error

    @property
    def hi(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + 1.96 * self.error


def half_samples(rows: int, replicates: int, seed: int) -> list[Mask]:
    """Random halves of `rows` rows, as masks; for at least two rows."""
    import numpy as np

    rng = np.random.default_rng(rng_for(seed, "guard-half-samples", rows).getrandbits(64))
    masks = []
    for _ in range(replicates):
        mask = np.zeros(rows, dtype=bool)
        mask[rng.permutation(rows)[: rows // 2]] = True
        masks.append(mask)
    return masks


def estimate(statistic: Statistic, masks: Sequence[Mask]) -> Estimate:
    """The statistic of all rows, and its standard error from half-samples.

    Args:
        statistic: a number from a mask of rows.
        masks: at least two, from `half_samples`.
    """
    import numpy as np

    value = statistic(np.ones(len(masks[0]), dtype=bool))
    return Estimate(value, spread(value, [statistic(mask) for mask in masks]))


def spread(value: float, replicates: Sequence[float]) -> float:
    """The standard error of `value`, given what half-samples gave; 0 if their mean is 0."""
    mean = statistics.fmean(replicates)
    return statistics.stdev(replicates) / abs(mean) * abs(value) if mean else 0.0
