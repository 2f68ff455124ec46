"""Intervals over seeds and questions at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from selfsown.report.loop_numbers import Measure

RESAMPLES: Final = 2_000


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
