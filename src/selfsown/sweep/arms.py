"""Arms of a sweep: the share of the tokens that each source has; what became of a student."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from selfsown.core.request import JSON
from selfsown.sweep.measure import Answered
from selfsown.sweep.student import Point

RATIOS: Final = (0.0, 0.15, 0.3, 0.5, 1.0)
"""Shares of synthetic tokens that are swept by default (Cosmopedia's ablation)."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One mixture."""

    name: str
    shares: Mapping[str, float]
    """Source → share of the tokens, in (0, 1]; together 1."""

    @property
    def folder(self) -> str:
        """The name as that of a folder; names of a sweep's arms differ in it, too."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Student:
    """One arm under one seed, when it was trained."""

    arm: str
    seed: int
    tokens: int
    """That it read."""
    human_share: float
    """Of these tokens."""
    epochs: Mapping[str, float]
    """Source → how often each of its texts came, on average."""
    curve: tuple[Point, ...]
    losses: Mapping[str, tuple[float, ...]]
    """Held-out set → nats per token of each document."""
    answers: Mapping[str, tuple[Answered, ...]]
    """Kind of tasks → how each was completed."""
    seconds: float
    """Processor time of its training."""

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON values."""
        return cast("dict[str, JSON]", asdict(self))

    @classmethod
    def of_json(cls, form: Mapping[str, JSON]) -> Student:
        """The student that `to_json` made a form of."""
        given = cast("Mapping[str, Any]", form)
        return cls(
            given["arm"],
            given["seed"],
            given["tokens"],
            given["human_share"],
            given["epochs"],
            tuple(Point(**point) for point in given["curve"]),
            {name: tuple(values) for name, values in given["losses"].items()},
            {kind: tuple(Answered(**one) for one in v) for kind, v in given["answers"].items()},
            given["seconds"],
        )


def ratio_arms(
    real: Mapping[str, float], synthetic: Sequence[str], ratios: Sequence[float] = RATIOS
) -> list[Arm]:
    """Every ratio with every synthetic source; one arm of real text alone.

    Args:
        real: real sources with their share among the real tokens; together 1.
        synthetic: names of synthetic sources: styles, writers, recipes.
        ratios: shares of synthetic tokens, each in [0, 1].
    """
    arms = [Arm("real only", dict(real))] if 0 in ratios else []
    for ratio in sorted(set(ratios) - {0.0}):
        for name in synthetic:
            shares = {one: share * (1 - ratio) for one, share in real.items() if ratio < 1}
            title = f"{name} only" if ratio == 1 else f"{name} {100 * ratio:g} %"
            arms.append(Arm(title, {**shares, name: ratio}))
    return arms
