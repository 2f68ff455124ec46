"""n-grams of a sample as numbers, so that a thousand of half-samples cost milliseconds.

Tokens are those of `curate.tokens.tokenize_unicode`; an n-gram never crosses rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from selfsown.guard.intervals import Mask, Statistic

Ngram = tuple[str, ...]


def ngrams_of(tokens: Sequence[str], n: int) -> list[Ngram]:
    """The n-grams of one row, in order; none if it is shorter than n."""
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))


class NgramTable:
    """All n-grams of a list of rows: which type, in which row."""

    def __init__(self, rows: Sequence[Sequence[str]], n: int) -> None:
        """Number the n-grams of tokenised rows."""
        import numpy as np

        numbers: dict[Ngram, int] = {}
        types: list[int] = []
        owners: list[int] = []
        for number, tokens in enumerate(rows):
            grams = ngrams_of(tokens, n)
            types.extend(numbers.setdefault(gram, len(numbers)) for gram in grams)
            owners.extend([number] * len(grams))
        self.vocabulary = numbers
        self._types: NDArray[np.int64] = np.array(types, dtype=np.int64)
        self._rows: NDArray[np.int64] = np.array(owners, dtype=np.int64)

    def counts(self, mask: Mask) -> NDArray[np.int64]:
        """(types,) how often each n-gram occurs in the rows of the mask."""
        import numpy as np

        return np.bincount(self._types[mask[self._rows]], minlength=len(self.vocabulary))

    def distinct(self, mask: Mask) -> float:
        """Distinct n-grams / all n-grams, in [0, 1]; 0.0 if there are none."""
        counts = self.counts(mask)
        total = int(counts.sum())
        return int((counts > 0).sum()) / total if total else 0.0

    def entropy(self, mask: Mask) -> float:
        """Entropy of the n-gram frequencies in bits; 0.0 if there are none."""
        import numpy as np

        counts = self.counts(mask)
        counts = counts[counts > 0]
        if not len(counts):
            return 0.0
        shares = counts / counts.sum()
        return abs(float(-(shares * np.log2(shares)).sum()))


class HumanNgrams:
    """The n-grams of the human reference: which are rare, and how much of it a sample misses."""

    def __init__(self, rows: Iterable[Sequence[str]], n: int, rare: int = 2) -> None:
        """Count n-grams; those seen at most `rare` times are rare."""
        self.n = n
        self.counts = Counter(gram for tokens in rows for gram in ngrams_of(tokens, n))
        self.total = self.counts.total()
        self.rare = {gram for gram, count in self.counts.items() if count <= rare}

    def rare_recall(self, table: NgramTable) -> Statistic:
        """Share of the rare human n-grams that occur in the sample; 0.0 if none is rare."""
        return self._weighed(table, dict.fromkeys(self.rare, 1), len(self.rare))

    def covered_mass(self, table: NgramTable) -> Statistic:
        """Share of all human n-grams, counted as often as they occur, whose type is produced."""
        return self._weighed(table, self.counts, self.total)

    def _weighed(self, table: NgramTable, weights: Mapping[Ngram, int], total: int) -> Statistic:
        import numpy as np

        weight = np.array([weights.get(gram, 0) for gram in table.vocabulary], dtype=np.float64)
        weight /= max(1, total)
        return lambda mask: float(weight[table.counts(mask) > 0].sum())
