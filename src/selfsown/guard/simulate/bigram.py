"""A world of short documents over 200 words whose models are tables of word pairs.

The smallest language model on which all of collapse can be seen: pairs that were not drawn are gone
for ever, sharpened sampling makes it worse, and the loss on human text hardly shows it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from selfsown.core.randomness import rng_for
from selfsown.guard.sample import check_numpy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Documents = NDArray[np.int64]
    """(documents, LENGTH) words"""
    Table = NDArray[np.float64]
    """(types + 1, types) probability of the next word; the last row is that of the first word."""

LENGTH: Final = 6
"""Words of every document, so that sharper sampling cannot make texts shorter and token counts
unequal."""
EVENNESS: Final = 0.15
"""How evenly a word's successors are spread: lower is sparser."""
FLOOR: Final = 1e-4
"""Least probability in the held-out loss, since a table knows zeros."""
RARE: Final = 2
"""Human pairs seen at most so often in the reference are its tail."""


class BigramWorld:
    """Human documents from a random table, models as counted tables."""

    def __init__(self, seed: int = 0, types: int = 200, batch: int = 2000) -> None:
        """Make up the human table: Zipf words, each followed by its own sparse choice.

        Raises:
            MissingExtra: numpy is not installed.
        """
        check_numpy()
        import numpy as np

        self._seed, self._types, self.batch = seed, types, batch
        rng = self._rng("world", 0)
        zipf = 1 / np.arange(1, types + 1)
        words = rng.gamma(EVENNESS * zipf * types / zipf.sum(), size=(types + 1, types))
        self._table = words / words.sum(axis=1, keepdims=True)
        self._held_out = self.human(batch, draw=-1)
        pairs = self._pairs(self.human(batch, draw=-2))
        self._rare = (pairs > 0) & (pairs <= RARE)

    def human(self, count: int, draw: int) -> Documents:
        """Documents of the human table."""
        return self._draw(self._table, count, self._rng("human", draw))

    def joined(self, parts: list[Documents]) -> Documents:
        """All documents of the parts."""
        import numpy as np

        return np.concatenate(parts)

    def fit(self, documents: Documents) -> Table:
        """Relative frequencies of pairs, unsmoothed; after a word never seen comes the first."""
        counts = self._pairs(documents).astype(float)
        counts[counts.sum(axis=1) == 0, 0] = 1
        table: Table = counts / counts.sum(axis=1, keepdims=True)
        return table

    def sample(self, model: Table, count: int, temperature: float, draw: int) -> Documents:
        """Documents of a table, its probabilities to the power 1 / temperature."""
        sharp = model ** (1 / temperature)
        sharp /= sharp.sum(axis=1, keepdims=True)
        return self._draw(sharp, count, self._rng(f"sample {temperature}", draw))

    def measure(self, documents: Documents, model: Table) -> Mapping[str, float]:
        """What a round's documents show, and the model's loss on held-out human ones."""
        import numpy as np

        pairs = self._pairs(documents)
        words = pairs[:-1]  # without the starts
        shares = words[words > 0] / max(1, words.sum())
        text = "\n".join(" ".join(f"w{word}" for word in row) for row in documents.tolist())
        return {
            "distinct_2": float((words > 0).sum() / max(1, words.sum())),
            "entropy_2": float(-(shares * np.log2(shares)).sum()),
            "rare_recall": float((self._rare & (pairs > 0)).sum() / max(1, self._rare.sum())),
            "unique_share": len(np.unique(documents, axis=0)) / len(documents),
            "compression_ratio": len(text) / len(zlib.compress(text.encode(), 9)),
            "nll": self._loss(model),
        }

    def _loss(self, model: Table) -> float:
        """Nats per held-out human word."""
        import numpy as np

        pairs = self._pairs(self._held_out)
        return float(-(pairs * np.log(np.maximum(model, FLOOR))).sum() / pairs.sum())

    def _pairs(self, documents: Documents) -> NDArray[np.int64]:
        """(types + 1, types) how often a word follows another; the last row counts first words."""
        import numpy as np

        start = np.full((len(documents), 1), self._types)
        before = np.hstack([start, documents[:, :-1]])
        flat = (before * self._types + documents).ravel()
        counts = np.bincount(flat, minlength=(self._types + 1) * self._types)
        return counts.reshape(self._types + 1, self._types)

    def _draw(self, table: Table, count: int, rng: np.random.Generator) -> Documents:
        import numpy as np

        reach = np.cumsum(table, axis=1)
        reach[:, -1] = math.inf  # rounding must not reach beyond the last word
        documents = np.empty((count, LENGTH), dtype=np.int64)
        last = np.full(count, self._types)
        for place in range(LENGTH):
            last = (rng.random(count)[:, None] >= reach[last]).sum(axis=1)
            documents[:, place] = last
        return documents

    def _rng(self, stage: str, draw: int) -> np.random.Generator:
        import numpy as np

        return np.random.default_rng(rng_for(self._seed, f"bigram {stage}", draw).getrandbits(64))
