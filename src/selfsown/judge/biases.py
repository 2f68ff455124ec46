"""What draws a judge besides quality: the place, the length, its own model, words in the answer.

Each is measured beside what people prefer on the same pairs, since better answers are often longer
as well. Sources of the list: MT-Bench (arXiv:2306.05685, section 3.3) and AlpacaEval's table of
judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.evaluate.rating.agreement import Estimate
from selfsown.judge.comparisons import UNDEFINED, Comparison, Means, final, side, towards
from selfsown.judge.labels import Label

LONGER_ALARM: Final = 0.7
"""AlpacaEval's advice: no judge that prefers the longer answer this often."""


@dataclass(frozen=True, slots=True)
class Position:
    """How much the order of showing decides; of judges that see both answers."""

    consistency: Estimate
    """Share of pairs with the same verdict in both orders."""
    first_slot: Estimate
    """Share of decided verdicts for the answer shown first; 0.5 without bias."""


@dataclass(frozen=True, slots=True)
class Length:
    """Over pairs of unequal length, in characters, that people decided."""

    longer: Estimate
    """Share of the judge's verdicts for the longer answer; its ties count one half."""
    human: Estimate
    """The same of people's."""
    bias: Estimate
    """Mean difference of the two."""

    @property
    def is_alarming(self) -> bool:
        """Whether the judge takes the longer one too often, and clearly more often than people."""
        if self.longer.value is None or self.bias.low is None:
            return False
        return self.longer.value >= LONGER_ALARM and self.bias.low > 0


def position(told: Sequence[Label], means: Means) -> Position:
    """The position bias over judged pairs; not defined for scores."""
    same: list[float] = []
    first: list[float] = []
    same_groups: list[str] = []
    first_groups: list[str] = []
    for label in told:
        if label.kind == "pairs":
            sides = [side(said) for said in label.said if said is not None]
            same.append(float(sides[0] == sides[1]))
            same_groups.append(label.group)
            decided = [place for place in (sides[0], 1.0 - sides[1]) if place != 0.5]
            first += decided
            first_groups += [label.group] * len(decided)
    return Position(means.of(same, same_groups), means.of(first, first_groups))


def length(pairs: Sequence[Comparison], means: Means) -> Length:
    """The length bias over pairs that people decided."""
    unequal = [pair for pair in pairs if pair.is_decided and pair.longer != 0.5]
    groups = [pair.group for pair in unequal]
    judge = [towards(pair.longer, pair.verdict) for pair in unequal]
    human = [towards(pair.longer, pair.human) for pair in unequal]
    excess = [one - other for one, other in zip(judge, human, strict=True)]
    return Length(means.of(judge, groups), means.of(human, groups), means.of(excess, groups))


def self_preference(pairs: Sequence[Comparison], own: str, means: Means) -> Estimate:
    """How much more often than people the judge takes the answer of one model, its own.

    Not defined without decided pairs of which exactly one answer is that model's.
    """
    mine = [
        pair
        for pair in pairs
        if own and pair.is_decided and (pair.models[0] == own) != (pair.models[1] == own)
    ]
    excess = [
        towards(place, pair.verdict) - towards(place, pair.human)
        for pair in mine
        for place in (float(pair.models[0] == own),)
    ]
    return means.of(excess, [pair.group for pair in mine])


def injection(asked: Sequence[Label], means: Means) -> Estimate:
    """How far words to the judge, put into the worse answer, move it there: -1.0 to 1.0.

    Over canaries whose verdict and whose original's verdict could be read.
    """
    known = {one.id: one for one in asked if not one.missing and one.kind == "pairs"}
    moved, groups = [], []
    for one in known.values():
        original = known.get(one.canary_of)
        if original is None or original.human == 0.5:
            continue
        worse = 1.0 - original.human
        moved.append(towards(worse, side(final(one))) - towards(worse, side(final(original))))
        groups.append(original.group)
    return means.of(moved, groups) if moved else UNDEFINED


def constant(told: Sequence[Label]) -> str:
    """What the judge always says, in words; empty if it differs or was read less than twice."""
    if len(told) < 2:
        return ""
    if told[0].kind == "scores":
        scores = {one.said[0] for one in told}
        return f"the score {scores.pop():g}" if len(scores) == 1 else ""
    places = {
        place
        for one in told
        for place in (side(one.said[0] or 0.0), 1.0 - side(one.said[1] or 0.0))
    }
    words = {1.0: "the answer shown first", 0.0: "the answer shown last", 0.5: "tie"}
    return words[places.pop()] if len(places) == 1 else ""
