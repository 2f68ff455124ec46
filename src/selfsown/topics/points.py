"""Texts as points on the unit sphere: TF-IDF and SVD of the sample, or a local encoder.

TF-IDF needs nothing but the texts; an encoder sees likeness beyond shared words. Only the first
`READ` characters of a text are read. Points of equal texts are equal on one machine; across
machines they differ in the last digits, so what follows from them is journaled.
Source: Cosmopedia embedded pages with a sentence encoder, 512 tokens each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from selfsown.core.errors import InputError
from selfsown.curate.tokens import tokenize_unicode
from selfsown.topics.packages import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Points = NDArray[np.float32]
    """(texts, dimensions), rows of length 1; rows of zeros for texts without a known word."""

READ: Final = 2_000
"""Characters of a text that are read: about the 512 tokens of the published encoder."""
DIMENSIONS: Final = 50
"""Of the SVD. With 100 densities were so much alike that HDBSCAN saw one cluster (docs/log.md)."""
_VOCABULARY: Final = 50_000
_COMMON: Final = 0.5
"""Words in more than this share of the texts say nothing about a topic."""
_TERMS: Final = 5


class Space(Protocol):
    """Places texts, further ones in the same way as those it was made from."""

    def place(self, texts: Sequence[str]) -> Points:
        """A point per text."""
        ...


class Words:
    """The words of a sample, weighed by TF-IDF; a space by SVD, and the terms of clusters."""

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        """Learn from a sample.

        Raises:
            MissingExtra: scikit-learn is not installed.
            InputError: the texts share no words.
        """
        require("sklearn", "clustering")
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(
            analyzer=_analyse,
            max_features=_VOCABULARY,
            min_df=2,
            max_df=_COMMON if len(texts) >= 10 else 1.0,
            sublinear_tf=True,
        )
        try:
            self._weights = self._vectorizer.fit_transform(list(texts))  # (texts, words), sparse
        except ValueError as error:
            raise InputError(
                f"{len(texts)} documents share no words by which they could be told apart",
                why="documents are clustered by words that some of them share",
                fix="give more documents, or an encoder folder with option `encoder`",
            ) from error
        self._seed = seed
        self._svd: Any = None

    def place(self, texts: Sequence[str]) -> Points:
        """A point per text; the SVD is made when it is first needed."""
        import numpy as np

        if self._svd is None:
            from sklearn.decomposition import TruncatedSVD

            most = min(DIMENSIONS, min(self._weights.shape) - 1)
            self._svd = TruncatedSVD(max(1, most), random_state=self._seed, n_iter=7)
            self._svd.fit(self._weights)
        points = self._svd.transform(self._vectorizer.transform(list(texts)))
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        found: Points = (points / np.where(lengths > 1e-9, lengths, 1)).astype(np.float32)
        return found

    def terms(self, labels: NDArray[np.int64], cluster: int) -> list[str]:
        """The words that tell a cluster of the sample from the rest, most telling first."""
        import numpy as np

        inside = np.asarray(self._weights[labels == cluster].mean(axis=0)).ravel()
        telling = inside - np.asarray(self._weights.mean(axis=0)).ravel()
        names = self._vectorizer.get_feature_names_out()
        order = np.lexsort((names, -telling))[:_TERMS]
        return [str(names[number]) for number in order if telling[number] > 0]


class Encoded:
    """A space by a local encoder, for example a sentence encoder."""

    def __init__(self, folder: Path) -> None:
        """Load it; nothing is downloaded.

        Raises:
            InputError: the folder is absent or cannot be loaded.
            MissingExtra: torch or transformers is not installed.
        """
        from selfsown.models.embedding import Embedder

        self._embedder = Embedder(folder)
        self.identity = self._embedder.identity
        """Hash of the encoder's files."""

    def place(self, texts: Sequence[str]) -> Points:
        """A point per text."""
        import numpy as np

        return np.array(self._embedder.embed(texts), dtype=np.float32)


def _analyse(text: str) -> list[str]:
    """Words of at least three letters, or one character of a script without spaces."""
    return [
        word
        for word in tokenize_unicode(text[:READ])
        if not word.isdigit() and (len(word) > 2 or not word.isascii())
    ]
