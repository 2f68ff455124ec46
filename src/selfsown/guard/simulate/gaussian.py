"""Gaussian models that are fitted to their own samples: many independent loops at once.

Human data are N(0, 1). Each round a model N(mu, v) is fitted to a training set whose synthetic part
is drawn from the last model with its variance multiplied by the sampling bias lambda (1 = unbiased,
0 = modes only). The three loops are those of "Self-Consuming Generative Models Go MAD"
(2307.01850, section 3).

A sample of n normal numbers enters a fit only through its mean and its sum of squares, which are
independent and exactly N(mu, v/n) and v chi^2 with n - 1 degrees of freedom (Cochran). We draw
these two numbers instead of n: the same distribution, n times faster.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Column = NDArray[np.float64]
    """(chains,)"""

Estimator = Literal["unbiased", "likelihood"]


class Models(NamedTuple):
    """One Gaussian per chain."""

    mean: Column
    variance: Column

    def distance(self) -> Column:
        """(chains,) squared Wasserstein-2 distance to the human N(0, 1): mu^2 + (sd - 1)^2."""
        return self.mean**2 + (self.variance**0.5 - 1) ** 2


class Sums(NamedTuple):
    """Rows, sum and sum of squares of a training set, per chain."""

    rows: float
    total: Column
    squares: Column

    def __add__(self, other: Sums) -> Sums:  # type: ignore[override]
        """Both sets together."""
        return Sums(self.rows + other.rows, self.total + other.total, self.squares + other.squares)


def human(chains: int) -> Models:
    """The human distribution, once per chain."""
    import numpy as np

    return Models(np.zeros(chains), np.ones(chains))


def draw(rng: np.random.Generator, models: Models, count: int, bias: float = 1.0) -> Sums:
    """`count` numbers from each model, variance times `bias`; none if `count` is 0."""
    variance = models.variance * bias
    if count == 0:
        return Sums(0, 0 * variance, 0 * variance)
    mean = models.mean + (variance / count) ** 0.5 * rng.standard_normal(len(variance))
    centred = variance * (rng.chisquare(count - 1, len(variance)) if count > 1 else 0)
    return Sums(count, count * mean, centred + count * mean**2)


def fit(data: Sums, estimator: Estimator) -> Models:
    """The Gaussian of a training set; the unbiased variance divides by n - 1."""
    mean = data.total / data.rows
    centred = data.squares - data.rows * mean**2
    return Models(mean, centred / (data.rows - (estimator == "unbiased")))


def replace_loop(
    rng: np.random.Generator,
    chains: int,
    rounds: int,
    n: int,
    *,
    bias: float = 1.0,
    estimator: Estimator = "unbiased",
) -> list[Models]:
    """Fully synthetic: each model sees only the last one's n samples. Models 0 (human) to `rounds`.

    Round 1 is drawn from the human distribution with the same bias, as in the closed forms.
    """
    models = [human(chains)]
    for _ in range(rounds):
        models.append(fit(draw(rng, models[-1], n, bias), estimator))
    return models


def accumulate_loop(rng: np.random.Generator, chains: int, rounds: int, n: int) -> list[Models]:
    """Augmentation: each model sees every batch so far, the first one human (2404.01413)."""
    models = [human(chains)]
    pool = draw(rng, models[0], 0)
    for _ in range(rounds):
        pool = pool + draw(rng, models[-1], n)
        models.append(fit(pool, "likelihood"))
    return models


def fresh_loop(
    rng: np.random.Generator,
    chains: int,
    rounds: int,
    n_real: int,
    n_synthetic: int,
    *,
    bias: float = 1.0,
) -> list[Models]:
    """Fresh data: each model sees a new human draw and samples of the last model."""
    world = human(chains)
    models = [world]
    for _ in range(rounds):
        data = draw(rng, world, n_real) + draw(rng, models[-1], n_synthetic, bias)
        models.append(fit(data, "unbiased"))
    return models


def wide_fresh_loop(
    rng: np.random.Generator,
    dimensions: int,
    rounds: int,
    first: int,
    n_real: int,
    n_synthetic: int,
    *,
    bias: float = 1.0,
) -> list[float]:
    """The fresh loop with full covariances in many dimensions: squared W2 distance of each round.

    One chain, real samples. Reproduces 2307.01850, figure 10 (d = 100, n_r = 100, n_s = 900): the
    limit does not depend on the size of the first human set.

    Args:
        rng: of the draw.
        dimensions: of the data; N(0, I).
        rounds: at least 1.
        first: human rows behind the first model.
        n_real: human rows of each later round.
        n_synthetic: rows of each later round drawn from the last model.
        bias: what the covariance is multiplied with in sampling.
    """
    import numpy as np

    data = rng.standard_normal((first, dimensions))
    found: list[float] = []
    for _ in range(rounds):
        mean, covariance = data.mean(axis=0), np.cov(data, rowvar=False)
        values, vectors = np.linalg.eigh(covariance)
        sds = np.sqrt(np.maximum(values, 0.0))
        found.append(float(mean @ mean + ((sds - 1) ** 2).sum()))
        noise = rng.standard_normal((n_synthetic, dimensions)) * (sds * bias**0.5)
        fresh = rng.standard_normal((n_real, dimensions))
        data = np.concatenate([fresh, mean + noise @ vectors.T])
    return found


def c4(n: int) -> float:
    """E[sd] / sigma of n normal numbers with the unbiased variance; n of at least 2."""
    return math.sqrt(2 / (n - 1)) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))


def digamma(x: float) -> float:
    """Derivative of log Gamma for x > 0: upward recurrence to 10, then the asymptotic series."""
    value = 0.0
    while x < 10:
        value -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return value + math.log(x) - 0.5 / x - series
