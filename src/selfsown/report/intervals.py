"""Intervals over seeds, alone or with questions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

from selfsown.report.loop_numbers import Measure

RESAMPLES: Final = 2_000
_T_975: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5th percentiles of Student's t with 1, 2, ... degrees of freedom."""


def crossed(values: Sequence[Sequence[float]], *, seed: int = 0) -> Measure:
    """The mean of a table with its 95 % interval, rows and columns resampled independently.

    Seeds (rows) and questions (columns) are crossed: every seed answers every question. With one
    seed only questions are resampled, so the interval says nothing about other seeds; with few
    seeds it is somewhat too narrow, as every bootstrap over few units is.

    Args:
        values: at least one row; all equally long, at least one column.
        seed: of the resampling.
    """
    import numpy as np

    table = np.asarray(values, dtype=np.float64)  # (seeds, questions)
    rng = np.random.default_rng(seed)
    rows, columns = table.shape
    row_weights = rng.multinomial(rows, np.full(rows, 1 / rows), RESAMPLES) / rows
    column_weights = rng.multinomial(columns, np.full(columns, 1 / columns), RESAMPLES) / columns
    means = np.einsum("rs,sq,rq->r", row_weights, table, column_weights, optimize=True)
    low, high = np.quantile(means, (0.025, 0.975))
    return Measure(float(table.mean()), float(low), float(high))


def over_seeds(values: Sequence[float]) -> Measure:
    """The mean of one number per seed, with its 95 % interval by Student's t.

    Args:
        values: of at least two seeds; beyond ten the interval is a little too wide.
    """
    mean = statistics.fmean(values)
    t = _T_975[min(len(values) - 1, len(_T_975)) - 1]
    half = t * statistics.stdev(values) / math.sqrt(len(values))
    return Measure(mean, mean - half, mean + half)
