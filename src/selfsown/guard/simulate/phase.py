"""How much synthetic data a loop with fresh human data can take before it hurts.

The worth of a loop is n_e, the number of fresh human rows that would give the same error: the loop
helps while n_e/n_r >= 1. With n_r much larger than n_s the threshold is 6/(1-lambda)^2 in one
dimension and about (d+5)/(1-lambda)^2 in d: it does not grow with n_r, so it is not a ratio
(2307.01850, section 5, shows the transition; the formula is our derivation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfsown.core.randomness import rng_for
from selfsown.guard.sample import check_numpy
from selfsown.guard.simulate.gaussian import fresh_loop

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Worth:
    """What one amount of synthetic data is worth."""

    bias: float
    """lambda"""
    n_real: int
    n_synthetic: int
    ratio: float
    """n_e / n_r"""
    standard_error: float
    threshold: float
    """Predicted n_s at which the ratio falls below 1."""


def threshold(bias: float, dimensions: int = 1) -> float:
    """Predicted largest admissible n_s for 0 <= lambda < 1; infinite for lambda = 1."""
    return math.inf if bias == 1 else (dimensions + 5) / (1 - bias) ** 2


def worth(
    bias: float, n_real: int, amounts: Sequence[int], *, chains: int = 100_000, seed: int = 0
) -> list[Worth]:
    """n_e/n_r for each amount of synthetic data, from the loop's squared W2 distance.

    n_e solves 1.5/n_e = distance, which holds for n_e in the hundreds and more. The rounds run
    until what the first model was is forgotten to a thousandth.

    Raises:
        MissingExtra: numpy is not installed.
    """
    check_numpy()
    import numpy as np

    found: list[Worth] = []
    for amount in amounts:
        stage = f"mad-phase {bias} {n_real} {amount}"
        rng = np.random.default_rng(rng_for(seed, stage).getrandbits(64))
        share = amount / (n_real + amount)
        rounds = 3 if share < 0.1 else math.ceil(math.log(1e-3) / math.log(share))
        distance = fresh_loop(rng, chains, rounds, n_real, amount, bias=bias)[-1].distance()
        mean = float(distance.mean())
        error = float(distance.std(ddof=1)) / math.sqrt(chains) / mean
        ratio = 1.5 / mean / n_real
        found.append(Worth(bias, n_real, amount, ratio, ratio * error, threshold(bias)))
    return found
