"""How often one system's answers beat another's: as judged, and with length taken out.

Judges like long answers, so a win rate alone rewards padding. The length-controlled rate is what a
logistic model of the preferences says at equal length: intercept, which is the system, and one
slope on tanh of the difference in length over its standard deviation. Both rates stand side by
side, and a large correction is a finding of its own: it may hide real under-answering.

Source: length-controlled AlpacaEval (arXiv:2404.04475).
Differs from the paper: no term for the difficulty of each instruction, which takes many systems to
estimate; ridge 1 on both coefficients instead of cross-validation; the whole fit is bootstrapped
over prompts. Of what a judge of nothing but length gives to a system that pads, about a fifth
stays, since no logistic curve is a step.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from selfsown.core.randomness import rng_for
from selfsown.evaluate.intervals import LEVEL, Interval, bootstrap, percentile, sign_test_p

RESAMPLES: Final = 500
"""Each one is a fit."""
_RIDGE: Final = 1.0
_STEPS: Final = 50
_POWER: Final = 2.8 / 3.92
"""From the width of a 95 % interval to the difference that 80 % of such comparisons find."""


class Contest(NamedTuple):
    """One prompt answered by two systems."""

    preference: float | None
    """For the first, from 0.0 to 1.0; 0.5 for a tie; None if it could not be judged."""
    lengths: tuple[int, int]
    """Characters of the first's and of the second's answer."""
    group: str
    """Contests of one group are resampled together; empty: alone."""


@dataclass(frozen=True, slots=True)
class WinRate:
    """The first system against the second."""

    contests: int
    """Judged ones."""
    missing: int
    wins: int
    ties: int
    losses: int
    rate: Interval
    """Share won, ties one half."""
    length_controlled: Interval
    """The same at equal length."""
    p_sign: float
    """Two-sided p-value of the exact sign test of wins against losses."""
    mean_lengths: tuple[float, float]

    @property
    def detectable(self) -> float:
        """Smallest distance from one half that so many prompts show in 80 of 100 comparisons."""
        return _POWER * (self.rate.high - self.rate.low)

    @property
    def is_much_corrected(self) -> bool:
        """Whether length control moves the rate by more than 0.1 or a quarter of it."""
        moved = abs(self.length_controlled.mean - self.rate.mean)
        return moved > max(0.1, 0.25 * self.rate.mean)


def win_rate(contests: Sequence[Contest], *, seed: int = 0, resamples: int = RESAMPLES) -> WinRate:
    """Both rates with their intervals.

    Args:
        contests: one per prompt and pair of answers.
        seed: of the resampling.
        resamples: how many sets are drawn.

    Raises:
        ValueError: none of them is judged.
    """
    judged = [one for one in contests if one.preference is not None]
    preferences = [one.preference or 0.0 for one in judged]
    wins = sum(preference > 0.5 for preference in preferences)
    losses = sum(preference < 0.5 for preference in preferences)
    groups = [one.group for one in judged]
    return WinRate(
        contests=len(judged),
        missing=len(contests) - len(judged),
        wins=wins,
        ties=len(judged) - wins - losses,
        losses=losses,
        rate=bootstrap(preferences, clusters=groups, seed=seed, resamples=resamples),
        length_controlled=_controlled(judged, preferences, seed, resamples),
        p_sign=sign_test_p(wins, losses),
        mean_lengths=(
            math.fsum(one.lengths[0] for one in judged) / len(judged),
            math.fsum(one.lengths[1] for one in judged) / len(judged),
        ),
    )


class _Point(NamedTuple):
    x: float
    y: float


_Points = Mapping[_Point, int]
"""Point -> how often; lengths of short answers leave few different ones."""


def _controlled(
    judged: Sequence[Contest], preferences: Sequence[float], seed: int, resamples: int
) -> Interval:
    longer = [float(one.lengths[0] - one.lengths[1]) for one in judged]
    mean = math.fsum(longer) / len(longer)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in longer) / len(longer))
    groups: dict[tuple[str, int], list[_Point]] = defaultdict(list)
    for number, (one, length, preference) in enumerate(
        zip(judged, longer, preferences, strict=True)
    ):
        x = math.tanh(length / spread) if spread else 0.0
        groups[one.group, -1 if one.group else number].append(_Point(x, preference))
    members, rng = list(groups.values()), rng_for(seed, "length-control")
    whole = _fit(Counter(chain.from_iterable(members)), (0.0, 0.0))
    rates = sorted(
        _sigmoid(_fit(Counter(chain.from_iterable(drawn)), whole)[0])
        for drawn in (rng.choices(members, k=len(members)) for _ in range(resamples))
    )
    return Interval(
        _sigmoid(whole[0]),
        percentile(rates, (1 - LEVEL) / 2),
        percentile(rates, (1 + LEVEL) / 2),
    )


def _fit(points: _Points, start: tuple[float, float]) -> tuple[float, float]:
    """Intercept and slope of the ridge logistic model, by Newton's method.

    The penalised likelihood is strictly concave, so there is one maximum. A step is halved until it
    rises, which makes Newton's method find it from any start.
    """
    at = start
    value = _likelihood(points, at)
    for _ in range(_STEPS):
        step = _newton_step(points, at)
        scale = 1.0
        while scale > 1e-6:
            new = at[0] + scale * step[0], at[1] + scale * step[1]
            risen = _likelihood(points, new)
            if risen >= value:
                break
            scale /= 2
        else:
            break
        moved, at, value = max(abs(new[0] - at[0]), abs(new[1] - at[1])), new, risen
        if moved < 1e-7:
            break
    return at


def _newton_step(points: _Points, at: tuple[float, float]) -> tuple[float, float]:
    gradient0, gradient1 = -_RIDGE * at[0], -_RIDGE * at[1]
    h00, h01, h11 = _RIDGE, 0.0, _RIDGE
    for (x, y), times in points.items():
        p = _sigmoid(at[0] + at[1] * x)
        weight = times * p * (1 - p)
        gradient0 += times * (y - p)
        gradient1 += times * (y - p) * x
        h00 += weight
        h01 += weight * x
        h11 += weight * x * x
    determinant = h00 * h11 - h01 * h01
    return (
        (h11 * gradient0 - h01 * gradient1) / determinant,
        (h00 * gradient1 - h01 * gradient0) / determinant,
    )


def _likelihood(points: _Points, at: tuple[float, float]) -> float:
    """The penalised log-likelihood: y z - log(1 + e^z), less half the ridge times the squares."""
    total = -0.5 * _RIDGE * (at[0] ** 2 + at[1] ** 2)
    for (x, y), times in points.items():
        z = at[0] + at[1] * x
        total += times * (y * z - max(z, 0.0) - math.log1p(math.exp(-abs(z))))
    return total


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else 1 - 1 / (1 + math.exp(z))
