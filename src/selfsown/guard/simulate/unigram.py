"""A world of independent words, as a world of loops: documents are word counts, models shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from selfsown.core.randomness import rng_for
from selfsown.guard.sample import check_numpy
from selfsown.guard.simulate.categorical import entropy_nats, missing_mass, zipf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    """(types,) how often each word occurs"""
    Shares = NDArray[np.float64]

FLOOR: Final = 1e-6
"""Least probability in the held-out loss, since shares know zeros."""
RARE_COUNT: Final = 2
"""Words that a human draw has at most so often, on average, are the tail."""


class UnigramWorld:
    """Zipf words; a batch counts words, so `count` is a number of words everywhere."""

    def __init__(self, seed: int = 0, types: int = 1000, batch: int = 10_000) -> None:
        """A world of `types` words.

        Raises:
            MissingExtra: numpy is not installed.
        """
        check_numpy()
        self._seed, self.batch = seed, batch
        self._shares = zipf(types)
        self._rare = self._shares * batch <= RARE_COUNT
        if not self._rare.any():
            self._rare = self._shares == self._shares.min()

    def human(self, count: int, draw: int) -> Counts:
        """Counts of human words."""
        counts: Counts = self._rng("human", draw).multinomial(count, self._shares)
        return counts

    def joined(self, parts: list[Counts]) -> Counts:
        """Counts of all parts together."""
        import numpy as np

        together: Counts = np.sum(parts, axis=0)
        return together

    def fit(self, documents: Counts) -> Shares:
        """Relative frequencies."""
        shares: Shares = documents / documents.sum()
        return shares

    def sample(self, model: Shares, count: int, temperature: float, draw: int) -> Counts:
        """Counts of a model's words, its shares to the power 1 / temperature."""
        sharp = model ** (1 / temperature)
        rng = self._rng(f"sample {temperature}", draw)
        counts: Counts = rng.multinomial(count, sharp / sharp.sum())
        return counts

    def measure(self, documents: Counts, model: Shares) -> Mapping[str, float]:
        """What a round's words show, and the model's loss in nats per human word."""
        import numpy as np

        shares = self.fit(documents)
        return {
            "distinct_1": float((documents > 0).sum() / documents.sum()),
            "entropy_1": float(entropy_nats(shares[None, :])[0] / np.log(2)),
            "rare_recall": float((self._rare & (documents > 0)).sum() / self._rare.sum()),
            "missing_mass": float(missing_mass(shares[None, :], self._shares)[0]),
            "nll": float(-(self._shares * np.log(np.maximum(model, FLOOR))).sum()),
        }

    def _rng(self, stage: str, draw: int) -> np.random.Generator:
        import numpy as np

        return np.random.default_rng(rng_for(self._seed, f"unigram {stage}", draw).getrandbits(64))
