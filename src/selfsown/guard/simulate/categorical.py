"""A unigram model that is fitted to its own samples: types vanish, and the entropy hardly shows it.

Sampling n tokens from the last round's frequencies and counting them again is Wright-Fisher drift:
a type whose count reaches 0 never comes back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Shares = NDArray[np.float64]
    """(chains, types) or (types,) probabilities"""


def zipf(types: int) -> Shares:
    """(types,) probabilities proportional to 1 / rank."""
    import numpy as np

    shares = 1 / np.arange(1, types + 1, dtype=np.float64)
    normalised: Shares = shares / shares.sum()
    return normalised


def drift(
    rng: np.random.Generator,
    human: Shares,
    rounds: int,
    n: int,
    *,
    chains: int = 1,
    temperature: float = 1.0,
    fresh_share: float = 0.0,
    accumulate: bool = False,
) -> list[Shares]:
    """Frequencies of rounds 0 (human) to `rounds`, each (chains, types).

    Args:
        rng: of the draw.
        human: (types,) the human distribution.
        rounds: how often it is sampled and counted.
        n: tokens drawn each round.
        chains: independent loops.
        temperature: of sampling from the model: probabilities to the power 1 / temperature.
        fresh_share: part of each round's tokens that is drawn from the human distribution.
        accumulate: count all rounds so far, not only the last; the first is a human draw.
    """
    import numpy as np

    world = np.tile(human, (chains, 1))
    fresh = round(n * fresh_share)
    found = [world]
    pool = np.zeros_like(world)
    for round_ in range(rounds):
        source = found[-1] if round_ else world
        sharp = source ** (1 / temperature)
        sharp /= sharp.sum(axis=1, keepdims=True)
        counts = rng.multinomial(n - fresh, sharp).astype(np.float64)
        if fresh:
            counts += rng.multinomial(fresh, world)
        pool = pool + counts if accumulate else counts
        found.append(pool / pool.sum(axis=1, keepdims=True))
    return found


def heterozygosity(shares: Shares) -> NDArray[np.float64]:
    """(chains,) probability that two tokens differ: 1 - sum of squares."""
    found: NDArray[np.float64] = 1 - (shares**2).sum(axis=1)
    return found


def survivors(shares: Shares) -> NDArray[np.float64]:
    """(chains,) types with a positive frequency."""
    found: NDArray[np.float64] = (shares > 0).sum(axis=1).astype(float)
    return found


def missing_mass(shares: Shares, human: Shares) -> NDArray[np.float64]:
    """(chains,) human probability of the types that are gone."""
    found: NDArray[np.float64] = ((shares == 0) * human).sum(axis=1)
    return found


def entropy_nats(shares: Shares) -> NDArray[np.float64]:
    """(chains,) entropy of the frequencies."""
    import numpy as np

    logs = np.log(np.where(shares > 0, shares, 1.0))
    found: NDArray[np.float64] = -(shares * logs).sum(axis=1)
    return found


def expected_survivors(human: Shares, n: int, rounds: int) -> float:
    """Types expected to survive: a branching process with Poisson(1) offspring for each token.

    A lineage is gone after k rounds with probability f_k: f_0 = 0, f_{k+1} = exp(f_k - 1). A type
    is gone after t rounds with probability (1 - p + p f_{t-1})^n.
    """
    gone = 0.0
    for _ in range(rounds - 1):
        gone = math.exp(gone - 1)
    lost = (1 - human + human * gone) ** n
    return float((1 - lost).sum())
