"""Means with bootstrap intervals, and paired tests between two models on the same instances.

Everything is a function of the values and a seed: equal input, equal output, on every machine.
Instances of one cluster (the task of a benchmark with many instances per task) are resampled
together, since their scores are not independent; without clusters each instance is its own.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, NamedTuple

from selfsown.core.randomness import rng_for

RESAMPLES: Final = 2_000
"""Resamples of a bootstrap and sign flips of a test; the least p-value is 1 / (RESAMPLES + 1)."""

LEVEL: Final = 0.95

_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf((1 + LEVEL) / 2)
_DETECTABLE: Final = 2.8 / (2 * 1.96)
"""80 % power needs a true difference of 2.8 standard errors; an interval is 3.92 wide."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its percentile bootstrap interval."""

    mean: float
    low: float
    """2.5th percentile of the resampled means."""
    high: float
    """97.5th percentile."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How the second model differs from the first on the same instances."""

    n: int
    difference: Interval
    """Mean of second minus first, with its paired bootstrap interval."""
    p_permutation: float
    """Two-sided p-value of the sign-flip test of the mean difference, clusters flipped together."""
    wins: int
    """Instances on which the second scores higher."""
    losses: int
    ties: int
    p_sign: float
    """Two-sided p-value of the exact sign test on wins against losses; 1.0 without either."""

    @property
    def detectable(self) -> float:
        """Smallest true difference that so many instances show in 80 of 100 such comparisons."""
        return _DETECTABLE * (self.difference.high - self.difference.low)

    @property
    def fell(self) -> bool:
        """Whether the second model is worse: the whole interval lies below 0."""
        return self.difference.high < 0

    @property
    def rose(self) -> bool:
        """Whether the second model is better: the whole interval lies above 0."""
        return self.difference.low > 0


class _Cluster(NamedTuple):
    total: float
    size: int


def bootstrap(
    values: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    corrected: bool = False,
) -> Interval:
    """The mean of `values` and its interval.

    Args:
        values: one number per instance.
        clusters: the cluster of each instance; None or an empty name: its own.
        seed: of the resampling.
        resamples: how many means are drawn.
        corrected: an interval as `corrected_interval` makes it, instead of plain percentiles.

    Raises:
        ValueError: there are no values, or clusters are not one per value.
    """
    groups = _grouped(values, clusters)
    rng = rng_for(seed, "bootstrap")
    means = sorted(_resampled_means(groups, rng, resamples))
    mean = math.fsum(values) / len(values)
    if corrected:
        return Interval(mean, *corrected_interval(mean, means, _means_without_one(groups, mean)))
    return Interval(mean, percentile(means, (1 - LEVEL) / 2), percentile(means, (1 + LEVEL) / 2))


def corrected_interval(
    value: float, ordered: Sequence[float], left_out: Sequence[tuple[float, int]]
) -> tuple[float, float]:
    """A bootstrap interval corrected for bias, skewness and few items (BCa, then widened).

    Plain percentiles of skewed statistics of 100 items cover the truth in 93 of 100 cases where
    these do in 95.

    Source: Efron, Better Bootstrap Confidence Intervals (1987); widening by the quantile of
    Student's t and sqrt(n / (n - 1)) as in Hesterberg (arXiv:1411.5279).

    Args:
        value: the statistic of all items.
        ordered: the statistic of resamples, sorted.
        left_out: the statistic with one group left out, and for how many groups it is that.

    Returns:
        Lower and upper bound.
    """
    count = sum(times for _, times in left_out)
    below = sum(one < value - 1e-12 for one in ordered)
    equal = sum(one <= value + 1e-12 for one in ordered) - below
    share = (below + equal / 2) / len(ordered)
    least = 1 / (len(ordered) + 1)
    bias = _NORMAL.inv_cdf(min(max(share, least), 1 - least))
    wide = _student(count - 1) * math.sqrt(count / (count - 1)) if count > 1 else _Z
    skew = _acceleration(left_out, count)
    places = []
    for z in (bias - wide, bias + wide):
        stretch = 1 - skew * z
        places.append(_NORMAL.cdf(bias + z / stretch) if stretch > 0 else float(z > 0))
    return percentile(ordered, places[0]), percentile(ordered, places[1])


def _acceleration(left_out: Sequence[tuple[float, int]], count: int) -> float:
    """How fast the standard error changes with the statistic, from the jackknife."""
    if not count:
        return 0.0
    mean = math.fsum(one * times for one, times in left_out) / count
    squares = math.fsum(times * (mean - one) ** 2 for one, times in left_out)
    cubes = math.fsum(times * (mean - one) ** 3 for one, times in left_out)
    return cubes / (6 * squares**1.5) if squares > 1e-24 else 0.0


def _student(freedom: int) -> float:
    """The 97.5th percentile of Student's t, from its expansion around the normal one."""
    z = _Z
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _means_without_one(groups: Sequence[_Cluster], mean: float) -> list[tuple[float, int]]:
    total = math.fsum(group.total for group in groups)
    size = sum(group.size for group in groups)
    return [
        ((total - group.total) / (size - group.size) if size > group.size else mean, times)
        for group, times in Counter(groups).items()
    ]


def paired_test(
    first: Sequence[float],
    second: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PairedTest:
    """Compare two models whose scores stand in the same order of instances.

    Raises:
        ValueError: the scores are not of the same instances, or there are none.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} scores cannot be paired with {len(second)}")
    differences = [after - before for before, after in zip(first, second, strict=True)]
    wins = sum(one > 0 for one in differences)
    losses = sum(one < 0 for one in differences)
    return PairedTest(
        n=len(differences),
        difference=bootstrap(differences, clusters=clusters, seed=seed, resamples=resamples),
        p_permutation=_sign_flip_p(_grouped(differences, clusters), seed, resamples),
        wins=wins,
        losses=losses,
        ties=len(differences) - wins - losses,
        p_sign=sign_test_p(wins, losses),
    )


def sign_test_p(wins: int, losses: int) -> float:
    """Two-sided exact p-value of so uneven a split if both outcomes were equally likely."""
    total, fewer = wins + losses, min(wins, losses)
    tail = sum(math.comb(total, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << total))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, interpolated between neighbours."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _grouped(values: Sequence[float], clusters: Sequence[str] | None) -> list[_Cluster]:
    if not values:
        raise ValueError("an interval needs at least one value")
    if clusters is None:
        return [_Cluster(value, 1) for value in values]
    if len(clusters) != len(values):
        raise ValueError(f"{len(clusters)} clusters were given for {len(values)} values")
    members: dict[tuple[str, int], list[float]] = {}
    for number, (name, value) in enumerate(zip(clusters, values, strict=True)):
        members.setdefault((name, -1 if name else number), []).append(value)
    return [_Cluster(math.fsum(group), len(group)) for group in members.values()]


def _resampled_means(groups: Sequence[_Cluster], rng: random.Random, count: int) -> list[float]:
    """Means of resampled clusters; sizes are only drawn along where they differ from 1."""
    size = len(groups)
    if all(group.size == 1 for group in groups):
        totals = [group.total for group in groups]
        return [sum(rng.choices(totals, k=size)) / size for _ in range(count)]
    means = []
    for _ in range(count):
        drawn = rng.choices(groups, k=size)
        means.append(sum(group.total for group in drawn) / sum(group.size for group in drawn))
    return means


def _sign_flip_p(groups: Sequence[_Cluster], seed: int, flips: int) -> float:
    """Share of random sign patterns whose mean is at least as far from 0 as the observed one."""
    rng = rng_for(seed, "sign-flips")
    totals = [group.total for group in groups]
    observed = abs(math.fsum(totals)) - 1e-12  # equal up to rounding counts as as far
    extreme = 0
    for _ in range(flips):
        bits = rng.getrandbits(len(totals))
        flipped = sum(total if bits >> place & 1 else -total for place, total in enumerate(totals))
        extreme += abs(flipped) >= observed
    return (extreme + 1) / (flips + 1)
