"""Rows that say the same as an earlier one in other words, by the cosine of their embeddings.

Embeddings are dear, so each is committed to a journal before it counts: the same command again
computes none twice, and decides the same. Rows are compared with all kept ones, exactly. How much a
cosine means differs from encoder to encoder; look at what went before trusting a threshold.
"""

from __future__ import annotations

import base64
import contextlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from selfsown.core.clock import SystemClock
from selfsown.core.codec import decode_value, encode_value
from selfsown.core.errors import ConfigError
from selfsown.core.journal import Journal, Row
from selfsown.core.request import JSON, canonical_json, effect_key
from selfsown.core.rundir import held
from selfsown.curate.near_duplicates import Repeat
from selfsown.models.embedding import Embedder, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REASON: Final = "semantic_near_duplicate"
COSINE: Final = 0.95
AHEAD: Final = 64
"""Rows that are judged, and whose embeddings are computed, together."""

_EFFECT: Final = ("embedding", "1")


class SemanticDuplicates:
    """A growing set of kept texts that knows which new texts lie near one of them."""

    def __init__(self, embedder: Embedder, journal: Journal, threshold: float = COSINE) -> None:
        """An empty set.

        Args:
            embedder: places texts.
            journal: where its results are committed; open, and this set's alone.
            threshold: cosine from which on a text repeats another, in (0, 1].

        Raises:
            ConfigError: the threshold is outside.
        """
        if not 0 < threshold <= 1:
            raise ConfigError(
                f"a cosine of {threshold} makes no sense as a threshold",
                why="texts that say the same have a cosine of nearly 1",
                fix=f"use a number like {COSINE}",
            )
        self._embedder, self._journal, self._threshold = embedder, journal, threshold
        self._near: dict[str, Vector] = {}
        self._kept: NDArray[np.float64] | None = None
        self._size = 0
        self.computed = 0
        """Embeddings that were not in the journal."""

    def prefetch(self, texts: Sequence[str]) -> None:
        """Embed texts that will be asked about next; those of before are forgotten."""
        wanted = list(dict.fromkeys(texts))
        keys = [effect_key(*_EFFECT, self._inputs(text)) for text in wanted]
        self._near = {}
        missing: list[tuple[bytes, str]] = []
        for key, text in zip(keys, wanted, strict=True):
            stored = self._journal.lookup(key)
            if stored is None:
                missing.append((key, text))
            else:
                self._near[text] = _unpacked(str(decode_value(stored.outcome)))
        made = self._embedder.embed([text for _, text in missing])
        self._commit(missing, made)
        self._near.update((text, one) for (_, text), one in zip(missing, made, strict=True))
        self.computed += len(missing)

    def nearest(self, text: str) -> Repeat | None:
        """The kept text nearest to a prefetched one, the first of equals; None if none is near."""
        import numpy as np

        if self._kept is None or not self._size:
            return None
        cosines = self._kept[: self._size] @ np.array(self._near[text], dtype=np.float64)
        number = int(cosines.argmax())
        cosine = float(cosines[number])
        return Repeat(number, cosine) if cosine >= self._threshold else None

    def add(self, text: str) -> None:
        """Keep a prefetched text."""
        import numpy as np

        vector = np.array(self._near[text], dtype=np.float64)
        if self._kept is None:
            self._kept = np.zeros((AHEAD, len(vector)))  # (room for rows, dimensions)
        elif self._size == len(self._kept):
            self._kept = np.concatenate([self._kept, np.zeros_like(self._kept)])
        self._kept[self._size] = vector
        self._size += 1

    def _inputs(self, text: str) -> JSON:
        return {"encoder": self._embedder.identity, "text": text}

    def _commit(self, missing: Sequence[tuple[bytes, str]], made: Sequence[Vector]) -> None:
        label, stamp = " ".join(_EFFECT), SystemClock().stamp()
        rows = [
            Row(
                "outcomes",
                (
                    *(key, "effect", label, canonical_json(self._inputs(text)).decode()),
                    *(encode_value(_packed(vector)), 1, "", stamp),
                ),
            )
            for (key, text), vector in zip(missing, made, strict=True)
        ]
        if rows:
            self._journal.append_now(rows)


@contextlib.contextmanager
def open_semantic(
    folder: Path, out: Path, threshold: float = COSINE
) -> Iterator[SemanticDuplicates]:
    """A set for a file that will be written, with its journal `OUT.embeddings.sqlite`.

    Raises:
        EnvironmentFailure: another process writes that journal.
        InputError: the folder holds no encoder.
        MissingExtra: its packages are not installed.
        ConfigError: the threshold is out of range.
    """
    embedder = Embedder(folder)
    path = out.with_name(f"{out.name}.embeddings.sqlite")
    with held(path.with_suffix(".lock"), out), contextlib.closing(Journal(path)) as journal:
        yield SemanticDuplicates(embedder, journal, threshold)


def _packed(vector: Vector) -> str:
    return base64.b64encode(vector.tobytes()).decode()


def _unpacked(text: str) -> Vector:
    return array("f", base64.b64decode(text))
