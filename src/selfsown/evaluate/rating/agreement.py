"""How far two raters agree: raw, Cohen's kappa on four and on two classes, Spearman, intervals.

Everything is computed from the table of how often rater 1 said i where rater 2 said j: 4 x 4 for
our levels, and of any other size through `estimates`, which judges are calibrated with.
Source of the choice of numbers: Self-Instruct (arXiv:2212.10560, section 5.4 and appendix), which
reports kappa 0.58 on four classes, 0.75 on {A, B} against {C, D}, and Spearman 0.81.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

from selfsown.core.randomness import rng_for
from selfsown.evaluate.intervals import LEVEL, RESAMPLES, corrected_interval, percentile

LEVELS: Final = ("A", "B", "C", "D")
"""Best first: valid and satisfying; acceptable with minor imperfections; relevant with significant
errors; irrelevant or invalid."""

Table = tuple[tuple[int, ...], ...]
"""Square counts: row, what rater 1 said; column, what rater 2 said."""

Statistic = Callable[[Table], float | None]
Level = TypeVar("Level", str, float)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its interval by resampling instances; None where it is not defined."""

    value: float | None
    """Kappa is not defined where both raters always say the same one level."""
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two raters on the items that both rated."""

    n: int
    raw: Estimate
    """Share of items with the same level, in [0, 1]."""
    kappa: Estimate
    """Cohen's kappa on four levels, at most 1."""
    kappa_two_classes: Estimate
    """Cohen's kappa on {A, B} against {C, D}."""
    weighted_kappa: Estimate
    """Kappa with quadratic weights, for levels in order."""
    spearman: Estimate
    """Rank correlation with mid-ranks for ties, in [-1, 1]."""


def agreement(
    pairs: Sequence[tuple[str, str]], clusters: Sequence[str], *, seed: int = 0
) -> Agreement:
    """How two raters agree.

    Args:
        pairs: levels that raters 1 and 2 gave to each item that both rated.
        clusters: the instance of each item; answers to one instance are resampled together.
        seed: of the resampling.
    """
    found = estimates(
        pairs,
        clusters,
        LEVELS,
        {
            "raw": raw_agreement,
            "kappa": cohen_kappa,
            "kappa_two_classes": lambda table: cohen_kappa(two_classes(table)),
            "weighted_kappa": weighted_kappa,
            "spearman": spearman,
        },
        seed=seed,
    )
    return Agreement(n=len(pairs), **found)


def estimates(
    pairs: Sequence[tuple[Level, Level]],
    clusters: Sequence[str],
    levels: Sequence[Level],
    statistics: Mapping[str, Statistic],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    corrected: bool = False,
) -> dict[str, Estimate]:
    """Statistics of how two raters agree, with intervals from the same resamples.

    Args:
        pairs: levels that raters 1 and 2 gave to each item that both rated.
        clusters: the instance of each item; answers to one instance are resampled together.
        levels: every level that occurs, in order.
        statistics: name -> function of the table.
        seed: of the resampling.
        resamples: how many tables are drawn.
        corrected: intervals as `corrected_interval` makes them, instead of plain percentiles.
    """
    size, place = len(levels), {level: place for place, level in enumerate(levels)}
    cells: dict[str, list[int]] = {}
    for (first, second), cluster in zip(pairs, clusters, strict=True):
        flat = cells.setdefault(cluster, [0] * size**2)
        flat[place[first] * size + place[second]] += 1
    groups, rng = list(cells.values()), rng_for(seed, "agreement")
    whole = _sum(groups, size)
    drawn = _resampled(groups, size, rng, resamples)
    without_one = _without_one(whole, groups, size) if corrected else []
    return {
        name: _estimate(whole, drawn, function, without_one)
        for name, function in statistics.items()
    }


def raw_agreement(table: Table) -> float | None:
    """Share of the diagonal; None for an empty table."""
    total = sum(map(sum, table))
    return sum(table[i][i] for i in range(len(table))) / total if total else None


def cohen_kappa(table: Table) -> float | None:
    """Agreement beyond chance for unordered classes, of a square table of any size."""
    return _kappa(table, lambda i, j: float(i != j))


def weighted_kappa(table: Table) -> float | None:
    """The same with disagreement weighted by the square of the distance."""
    return _kappa(table, lambda i, j: float((i - j) ** 2))


def two_classes(table: Table) -> Table:
    """The 2 x 2 table of {A, B} against {C, D}."""
    halves = (range(2), range(2, 4))
    return tuple(
        tuple(sum(table[i][j] for i in rows for j in columns) for columns in halves)
        for rows in halves
    )


def spearman(table: Table) -> float | None:
    """Correlation of mid-ranks; None if a rater always says the same."""
    rows = [sum(row) for row in table]
    columns = [sum(column) for column in zip(*table, strict=True)]
    total = sum(rows)
    if not total:
        return None
    centre = (total + 1) / 2
    first = [rank - centre for rank in _mid_ranks(rows)]
    second = [rank - centre for rank in _mid_ranks(columns)]
    covariance = math.fsum(
        count * first[i] * second[j] for i, row in enumerate(table) for j, count in enumerate(row)
    )
    spread = math.fsum(n * x * x for n, x in zip(rows, first, strict=True)) * math.fsum(
        n * x * x for n, x in zip(columns, second, strict=True)
    )
    return covariance / math.sqrt(spread) if spread else None


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation of numbers of any kind; None if either side is always the same."""
    centre = (len(pairs) + 1) / 2
    first, second = (
        [rank - centre for rank in _ranks([pair[side] for pair in pairs])] for side in (0, 1)
    )
    covariance = math.fsum(x * y for x, y in zip(first, second, strict=True))
    spread = math.fsum(x * x for x in first) * math.fsum(y * y for y in second)
    return covariance / math.sqrt(spread) if spread else None


def _kappa(table: Table, weight: Callable[[int, int], float]) -> float | None:
    """1 minus observed over expected disagreement; None where none can be expected."""
    rows = [sum(row) for row in table]
    columns = [sum(column) for column in zip(*table, strict=True)]
    total, size = sum(rows), range(len(table))
    observed = math.fsum(weight(i, j) * table[i][j] for i in size for j in size)
    expected = math.fsum(weight(i, j) * rows[i] * columns[j] for i in size for j in size)
    return 1 - observed * total / expected if expected else None


def _ranks(values: Sequence[float]) -> list[float]:
    """The mid-rank of each value, in the order given."""
    counts = Counter(values)
    levels = sorted(counts)
    ranks = dict(zip(levels, _mid_ranks([counts[level] for level in levels]), strict=True))
    return [ranks[value] for value in values]


def _mid_ranks(counts: Sequence[int]) -> list[float]:
    """The common rank of each level's items, the first level lowest."""
    ranks: list[float] = []
    below = 0
    for count in counts:
        ranks.append(below + (count + 1) / 2)
        below += count
    return ranks


def _estimate(
    whole: Table,
    drawn: Sequence[Table],
    statistic: Statistic,
    without_one: Sequence[tuple[Table, int]],
) -> Estimate:
    value = statistic(whole)
    if value is None:
        return Estimate(None, None, None)
    ordered = sorted(one for one in map(statistic, drawn) if one is not None)
    left_out = [(statistic(table), times) for table, times in without_one]
    known = [(one, times) for one, times in left_out if one is not None]
    if known:
        return Estimate(value, *corrected_interval(value, ordered, known))
    return Estimate(
        value, percentile(ordered, (1 - LEVEL) / 2), percentile(ordered, (1 + LEVEL) / 2)
    )


def _without_one(
    whole: Table, groups: Sequence[Sequence[int]], size: int
) -> list[tuple[Table, int]]:
    """The table without each group, equal groups once with their number."""
    flat = [count for row in whole for count in row]
    return [
        (_sum([[one - other for one, other in zip(flat, group, strict=True)]], size), times)
        for group, times in Counter(map(tuple, groups)).items()
    ]


def _resampled(groups: Sequence[Sequence[int]], size: int, rng: Random, count: int) -> list[Table]:
    """Tables of resampled groups; where every group is one pair, by counting cells."""
    if any(sum(group) != 1 for group in groups):
        return [_sum(rng.choices(groups, k=len(groups)), size) for _ in range(count)]
    cells = [group.index(1) for group in groups]
    tables = []
    for _ in range(count):
        found = Counter(rng.choices(cells, k=len(cells)))
        tables.append(
            tuple(
                tuple(found[row * size + column] for column in range(size)) for row in range(size)
            )
        )
    return tables


def _sum(groups: Sequence[Sequence[int]], size: int) -> Table:
    """The table of all groups, each given as its cells row by row."""
    flat = [sum(cell) for cell in zip(*groups, strict=True)]
    return tuple(tuple(flat[row * size : (row + 1) * size]) for row in range(size))
