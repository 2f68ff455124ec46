"""What the guard measures: rows of text, the settings of a measurement, and measured values.

The sizes of the samples that are compared are always equal, because distinct-n, the Vendi score,
precision and coverage all change with the number of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from selfsown.core.errors import ConfigError, MissingExtra
from selfsown.core.randomness import rng_for

SampleKind = Literal["unbiased", "raw", "curated"]
"""Drawn at temperature 1 and top-p 1; all candidates of production; those that were accepted."""

SAMPLE_KINDS: Final[tuple[SampleKind, ...]] = ("unbiased", "raw", "curated")

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text to measure."""

    text: str
    label: str = ""
    """Category, skill or language; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a measurement is made; two measurements compare only under equal settings."""

    m: int = 1000
    """Rows of each sample; fewer where the sample or half of the reference has fewer."""
    seed: int = 0
    """Of the draw, the splits, the clusters and the intervals."""
    replicates: int = 60
    """Half-samples behind each interval."""
    neighbours: int = 5  # 2307.01850 section 3: k = 5
    """k of precision, recall, density and coverage."""
    topics: int = 50  # ours; 50-200 are usual
    """Clusters of the human reference at most; at least eight reference rows stand behind each."""
    bleu_rows: int = 200
    """Rows whose BLEU against all others is taken."""

    def __post_init__(self) -> None:
        """Refuse sizes that no metric can work with."""
        for name, least in (("m", 2), ("replicates", 2), ("neighbours", 1), ("topics", 2)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"`{name}` of the guard is {getattr(self, name)}",
                    why=f"a measurement needs at least {least}",
                    fix=f"set `{name}` to {least} or more",
                )


@dataclass(frozen=True, slots=True)
class Value:
    """One measured number beside what human text gives at the same size."""

    value: float
    error: float
    """Standard error of the value."""
    lo: float
    """Lower end of the 95 % interval, within the metric's bounds."""
    hi: float
    baseline: float | None
    """The same metric of an equally large human sample against the same reference; None where the
    reference is too small for one."""
    baseline_error: float
    """0.0 without a baseline, like the ends of its interval."""
    baseline_lo: float
    baseline_hi: float

    @property
    def ratio(self) -> float | None:
        """Value / baseline; None without a baseline or where it is 0."""
        return self.value / self.baseline if self.baseline else None


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every metric of one sample."""

    m: int
    """Rows measured."""
    values: Mapping[str, Value]
    skipped: Mapping[str, str]
    """Metric → why it is missing."""


def drawn(rows: Sequence[ItemT], count: int, seed: int, stage: str) -> list[ItemT]:
    """`count` different rows in random order (all of them if there are fewer); seeded."""
    return rng_for(seed, stage).sample(rows, min(count, len(rows)))


def first_tokens(rows: Iterable[list[str]], budget: int) -> Iterator[list[str]]:
    """The first tokenised rows up to `budget` tokens in all; the last row is cut."""
    for tokens in rows:
        if budget <= 0:
            return
        yield tokens[:budget]
        budget -= len(tokens)


def rows_hash(rows: Iterable[TextRow]) -> str:
    """SHA-256 of texts and labels in order: names a reference."""
    digest = hashlib.sha256()
    for row in rows:
        for part in (row.text, row.label):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8) + data)
    return digest.hexdigest()


def check_numpy() -> None:
    """Say which extra is missing instead of failing on an import.

    Raises:
        MissingExtra: numpy is not installed.
    """
    try:
        import numpy  # noqa: F401 only whether it is there
    except ImportError as error:
        raise MissingExtra(
            "the guard needs `numpy`, which is not installed",
            why="its metrics and simulators work on arrays",
            fix="pip install 'selfsown[local]'",
        ) from error
