"""Texts as points without a downloaded model: hashed n-grams, and latent directions of human text.

`hashed` counts n-grams in a fixed number of slots. `Lsa` weighs the slots of words by how rare they
are in the human reference and keeps the leading directions of the reference (latent semantic
analysis, Deerwester et al. 1990; the decomposition is randomised, Halko et al. 2011, with a fixed
seed). Blind to meaning beyond shared words: paraphrases without a common word are strangers.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from selfsown.guard.ngrams import ngrams_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    """(rows, dimensions)"""

SLOTS: Final = 2048
DIRECTIONS: Final = 128


def hashed(rows: Sequence[Sequence[str]], slots: int = SLOTS, longest: int = 1) -> Points:
    """(rows, slots) log(1 + count) of the n-grams up to a length, by the CRC-32 of each."""
    import numpy as np

    points = np.zeros((len(rows), slots))
    for number, row in enumerate(rows):
        for n in range(1, longest + 1):
            for gram in ngrams_of(row, n):
                code = zlib.crc32("\0".join(gram).encode("utf-8", "surrogatepass"))
                points[number, code % slots] += 1
    return np.log1p(points)


def unit(points: Points) -> Points:
    """The points scaled to length 1; a zero stays zero."""
    import numpy as np

    norms = np.linalg.norm(points, axis=1, keepdims=True)
    scaled: Points = points / np.where(norms == 0, 1, norms)
    return scaled


class Lsa:
    """Directions of a human reference; other texts are placed in them."""

    def __init__(self, rows: Sequence[Sequence[str]], directions: int = DIRECTIONS) -> None:
        """Fit the weights and directions to tokenised rows."""
        import numpy as np

        counted = hashed(rows)
        self._weights = np.log((1 + len(rows)) / (1 + (counted > 0).sum(axis=0))) + 1
        matrix = unit(counted * self._weights)
        self._directions = _leading(matrix, min(directions, len(rows)))

    def place(self, rows: Sequence[Sequence[str]]) -> Points:
        """(rows, directions) unit vectors; zero for a row without a known word."""
        placed: Points = unit(unit(hashed(rows) * self._weights) @ self._directions)
        return placed


def _leading(matrix: Points, count: int) -> Points:
    """(slots, count) leading right singular vectors, signs fixed."""
    import numpy as np

    rng = np.random.default_rng(20110909)
    basis = matrix.T @ (matrix @ rng.standard_normal((matrix.shape[1], count + 8)))
    for _ in range(2):
        basis, _ = np.linalg.qr(basis)
        basis = matrix.T @ (matrix @ basis)
    basis, _ = np.linalg.qr(basis)
    _, _, turned = np.linalg.svd(matrix @ basis, full_matrices=False)
    vectors: Points = basis @ turned[:count].T
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    fixed: Points = vectors * signs
    return fixed
