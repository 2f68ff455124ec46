"""Judged labels as comparisons: two answers to one prompt, as people and the judge see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from selfsown.evaluate.intervals import bootstrap
from selfsown.evaluate.rating.agreement import Estimate
from selfsown.judge.labels import Label

UNDEFINED: Final = Estimate(None, None, None)
"""Where there is nothing to take a mean of."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to one prompt; preferences are for the first, from 0.0 to 1.0."""

    human: float
    """1.0, 0.0 or 0.5."""
    judge: float
    """Over both orders of showing: hard verdicts that disagree are 0.5."""
    longer: float
    """1.0 if the first is longer, 0.0 if the second is, 0.5 if equal, in characters."""
    group: str
    category: str
    models: tuple[str, str]

    @property
    def is_decided(self) -> bool:
        """Whether people prefer one of the two."""
        return self.human != 0.5

    @property
    def verdict(self) -> float:
        """The judge's preference as 1.0, 0.5 or 0.0."""
        return side(self.judge)

    @property
    def agreement(self) -> float:
        """Of decided ones: 1.0 if the judge agrees, 0.5 if it says tie, else 0.0."""
        return 0.5 if self.verdict == 0.5 else float(self.verdict == self.human)


@dataclass(frozen=True, slots=True)
class Means:
    """Means with intervals, all of one seed and number of resamples."""

    seed: int
    resamples: int

    def of(self, values: Sequence[float], groups: Sequence[str]) -> Estimate:
        """The mean of some values, with groups resampled together; not defined without any."""
        if not values:
            return UNDEFINED
        found = bootstrap(
            values, clusters=groups, seed=self.seed, resamples=self.resamples, corrected=True
        )
        return Estimate(found.mean, found.low, found.high)


def comparisons(labels: Sequence[Label]) -> list[Comparison]:
    """Pairs as they are; of scores all pairs of answers to one prompt.

    Args:
        labels: of one kind, each judged and read.
    """
    pairs = [_of_pair(label) for label in labels if label.kind == "pairs"]
    return pairs + list(_within([label for label in labels if label.kind == "scores"]))


def final(label: Label) -> float:
    """A pair's preference over both orders: the mean, or a tie where the orders disagree."""
    first, second = label.said
    assert first is not None
    assert second is not None
    return (first + second) / 2 if side(first) == side(second) else 0.5


def side(preference: float) -> float:
    """1.0, 0.5 or 0.0: for the first, for neither, for the second."""
    return 0.5 if preference == 0.5 else float(preference > 0.5)


def towards(wanted: float, preference: float) -> float:
    """A preference for the first (`wanted` 1.0) or for the second (0.0) of two."""
    return preference if wanted == 1.0 else 1.0 - preference


def order(first: float, second: float) -> float:
    """1.0 if the first number is the larger one, 0.0 if the second is, 0.5 if they are equal."""
    return 0.5 if abs(first - second) < 1e-9 else float(first > second)


def _of_pair(label: Label) -> Comparison:
    return Comparison(
        human=label.human,
        judge=final(label),
        longer=order(len(label.item.answer), len(label.item.rival or "")),
        group=label.group,
        category=label.category,
        models=label.models,
    )


def _within(labels: Sequence[Label]) -> Iterator[Comparison]:
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        groups[label.item.prompt].append(label)
    for members in groups.values():
        for one, other in combinations(members, 2):
            judged, against = one.said[0], other.said[0]
            assert judged is not None
            assert against is not None
            yield Comparison(
                human=order(one.human, other.human),
                judge=order(judged, against),
                longer=order(len(one.item.answer), len(other.item.answer)),
                group=one.group,
                category=one.category if one.category == other.category else "",
                models=(one.models[0], other.models[0]),
            )
