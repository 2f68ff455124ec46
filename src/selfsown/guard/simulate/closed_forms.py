"""What theory says about the simulated loops beside what they do: expected, measured, error.

All forms are for one dimension and human data N(0, 1), n samples a round, unless they say "types".
Derived by us where no source is named; each is a test of the simulators.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfsown.core.randomness import rng_for
from selfsown.guard.sample import check_numpy
from selfsown.guard.simulate import categorical
from selfsown.guard.simulate.gaussian import (
    accumulate_loop,
    c4,
    digamma,
    fresh_loop,
    replace_loop,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHAINS = 20_000


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """One prediction and its test."""

    name: str
    expected: float
    measured: float
    standard_error: float

    @property
    def z(self) -> float:
        """Distance in standard errors."""
        return (self.measured - self.expected) / self.standard_error

    @property
    def holds(self) -> bool:
        """Whether it is within three standard errors."""
        return abs(self.z) <= 3


def closed_forms(seed: int = 0) -> list[ClosedForm]:
    """Every closed form, simulated; about 5 CPU-seconds, the same numbers for the same seed.

    Raises:
        MissingExtra: numpy is not installed.
    """
    check_numpy()
    parts = (_replace, _biased, _likelihood, _small_error, _accumulate, _fresh, _types)
    return [form for part in parts for form in part(_generator(seed, part.__name__))]


def _replace(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """E[sd] = c4(n)^t; E[log v] = t (psi((n-1)/2) - log((n-1)/2)); E[mu^2] = t/n.

    The mean of v stays 1 while its median falls: test the sd or the log, never the mean.
    """
    for n, t in ((20, 50), (100, 50)):
        last = replace_loop(rng, CHAINS, t, n)[-1]
        yield _form(f"replace n={n} t={t}: E[sd]", c4(n) ** t, last.variance**0.5)
        logs = t * (digamma((n - 1) / 2) - math.log((n - 1) / 2))
        yield _form(f"replace n={n} t={t}: E[log variance]", logs, _log(last.variance))
        yield _form(f"replace n={n} t={t}: E[drift^2]", t / n, last.mean**2)


def _biased(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """With bias lambda: E[v] = lambda^t, E[sd] = (sqrt(lambda) c4(n))^t, E[mu^2] geometric."""
    n, t, bias = 100, 10, 0.9
    last = replace_loop(rng, CHAINS, t, n, bias=bias)[-1]
    name = f"replace n={n} t={t} lambda={bias}"
    yield _form(f"{name}: E[variance]", bias**t, last.variance)
    yield _form(f"{name}: E[sd]", (math.sqrt(bias) * c4(n)) ** t, last.variance**0.5)
    drift = sum(bias**k for k in range(1, t + 1)) / n
    yield _form(f"{name}: E[drift^2]", drift, last.mean**2)


def _likelihood(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """Dividing by n: E[v] = (1 - 1/n)^t, and E[v] + E[mu^2] = 1 exactly."""
    n, t = 100, 50
    last = replace_loop(rng, CHAINS, t, n, estimator="likelihood")[-1]
    name = f"replace, maximum likelihood, n={n} t={t}"
    yield _form(f"{name}: E[variance]", (1 - 1 / n) ** t, last.variance)
    yield _form(f"{name}: E[variance] + E[drift^2]", 1.0, last.variance + last.mean**2)


def _small_error(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """E[W2^2] = 1.5 t/n while that is small: first order, as in 2305.17493."""
    n, t = 10_000, 10
    last = replace_loop(rng, CHAINS, t, n)[-1]
    yield _form(f"replace n={n} t={t}: E[W2^2], first order", 1.5 * t / n, last.distance())


def _accumulate(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """E[v] = prod (1 - 1/(n k^2)) -> sin(pi/sqrt n)/(pi/sqrt n); E[mu^2] = 1 - E[v]: bounded."""
    for n in (10, 100):
        t = 200
        last = accumulate_loop(rng, CHAINS, t, n)[-1]
        variance = math.prod(1 - 1 / (n * k * k) for k in range(1, t + 1))
        yield _form(f"accumulate n={n} t={t}: E[variance]", variance, last.variance)
        yield _form(f"accumulate n={n} t={t}: E[drift^2]", 1 - variance, last.mean**2)


def _fresh(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """With rho = n_s/(n_r+n_s): v* = (1-rho)/(1-rho lambda) for large n.

    At lambda 1 the mean's error is 1/(n (1-rho^2)), hence n_e/n_r = 1 + rho: synthetic data never
    more than double the worth of fresh human data.
    """
    rho, bias, n, rounds = 0.9, 0.9, 1_000_000, 80
    last = fresh_loop(rng, 4_000, rounds, round(n * (1 - rho)), round(n * rho), bias=bias)[-1]
    limit = (1 - rho) / (1 - rho * bias)
    yield _form(f"fresh rho={rho} lambda={bias}: variance limit", limit, last.variance)
    n = 10_000
    last = fresh_loop(rng, CHAINS, rounds, round(n * (1 - rho)), round(n * rho))[-1]
    error = 1 / (n * (1 - rho**2))
    yield _form(f"fresh rho={rho} lambda=1 n={n}: mean error", error, last.mean**2)
    # Of n_e fresh numbers the mean error is 1/n_e.
    per_real = last.mean**2 * n * (1 - rho)
    yield _form(f"fresh rho={rho} lambda=1 n={n}: n_r/n_e", 1 / (1 + rho), per_real)


def _types(rng: np.random.Generator) -> Iterator[ClosedForm]:
    """Wright-Fisher drift: E[H_t] = H_0 (1 - 1/n)^t, and the survival of types."""
    human = categorical.zipf(1000)
    for n in (10_000, 2_000):
        shares = categorical.drift(rng, human, 20, n, chains=60)
        start = float(categorical.heterozygosity(human[None, :])[0])
        seen = categorical.heterozygosity(shares[20])
        yield _form(f"types n={n} t=20: heterozygosity", start * (1 - 1 / n) ** 20, seen)
        for t in (1, 2, 5, 10, 20):
            expected = categorical.expected_survivors(human, n, t)
            seen = categorical.survivors(shares[t])
            yield _form(f"types n={n} t={t}: surviving types of 1000", expected, seen)


def _form(name: str, expected: float, chains: NDArray[np.float64]) -> ClosedForm:
    error = float(chains.std(ddof=1)) / math.sqrt(len(chains))
    return ClosedForm(name, expected, float(chains.mean()), error)


def _log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    logs: NDArray[np.float64] = np.log(values)
    return logs


def _generator(seed: int, stage: str) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng(rng_for(seed, f"mad{stage}").getrandbits(64))
