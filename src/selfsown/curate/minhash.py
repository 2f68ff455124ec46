"""Which kept texts may be like a new one, for long texts: MinHash signatures in bands (LSH).

Source: Broder 1997 (MinHash); Indyk and Motwani 1998 (bands). The signatures are those of package
`rensa` (R-MinHash after Dahlgaard et al., arXiv:1704.04370). Two texts of Jaccard likeness j agree
in a row with probability j, and become candidates if they agree in all rows of some band:
1 - (1 - j^rows)^bands, the S-curve. The default, 20 bands of 7 rows, is steepest at 0.65 and finds
0.991 of the pairs at 0.8 and 0.9996 at 0.85 (16 of 8: 0.947 and 0.994, for a twentieth less CPU);
more bands of fewer rows find more and compare more. `tests/curate/test_minhash.py` measures it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import ConfigError, MissingExtra
from selfsown.curate.shingles import Shingles

if TYPE_CHECKING:
    from rensa import RMinHash

BANDS: Final = 20
ROWS: Final = 7
_SEED: Final = 1
"""Of the permutations: fixed, so that equal texts in equal order give equal candidates."""
_UNUSED: Final = 0.5
"""`RMinHashLSH` asks for a likeness, which only its own comparison of signatures uses."""


@dataclass(frozen=True, slots=True)
class Banding:
    """How a signature is cut."""

    bands: int = BANDS
    rows: int = ROWS
    """Values per band."""

    def __post_init__(self) -> None:
        """Refuse numbers below 1, and signatures beyond any use."""
        if self.bands < 1 or self.rows < 1 or self.size > 4096:
            raise ConfigError(
                f"{self.bands} bands of {self.rows} rows make no signature",
                why="both are at least 1, and together at most 4,096 values",
                fix=f"use {BANDS} and {ROWS}",
            )

    @property
    def size(self) -> int:
        """Values of the whole signature."""
        return self.bands * self.rows

    def found_rate(self, jaccard: float) -> float:
        """Probability in [0, 1] that two texts of this likeness become candidates: the S-curve."""
        rate: float = 1 - (1 - jaccard**self.rows) ** self.bands
        return rate


class MinHashIndex:
    """Kept texts by number, found through equal bands; about 1.1 kB per text at 20 bands."""

    def __init__(self, banding: Banding) -> None:
        """An empty index.

        Raises:
            MissingExtra: `rensa` is not installed.
        """
        try:
            from rensa import RMinHash, RMinHashLSH
        except ImportError as error:
            raise MissingExtra(
                "MinHash needs the package `rensa`, which is not installed",
                why="it makes the signatures by which long texts are compared",
                fix="pip install 'selfsown[curate]', or `method: exact`, which needs no package"
                " and about 25 bytes per shingle",
            ) from error
        self._new = RMinHash
        self._banding = banding
        self._bands = RMinHashLSH(threshold=_UNUSED, num_perm=banding.size, num_bands=banding.bands)
        self._last: tuple[Shingles, RMinHash] | None = None

    def candidates(self, of: Shingles) -> Iterable[int]:
        """Numbers of the kept texts that agree in a band, each once."""
        found: list[int] = self._bands.query(self._signature(of))
        return found

    def add(self, number: int, of: Shingles) -> None:
        """Index a text; one without shingles is never found."""
        if of:
            self._bands.insert(number, self._signature(of))

    def _signature(self, of: Shingles) -> RMinHash:
        """The signature; the last one is remembered, since what is asked is added next."""
        if self._last is not None and self._last[0] is of:
            return self._last[1]
        made = self._new(num_perm=self._banding.size, seed=_SEED)
        made.update(of)
        self._last = (of, made)
        return made
