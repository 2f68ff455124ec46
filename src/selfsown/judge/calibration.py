"""How far a judge can be trusted: agreement with people, and its biases, each with an interval.

Pairs are judged in both orders, and a judge that wants it both ways has said "tie". Scores become
pairs, too: any two answers to one prompt that people scored differently. Answers that could not be
read are counted as missing and are in no other number. Intervals are 95 % percentile bootstraps
over groups (the rows of one prompt), since rows of one prompt are not independent.

Sources of the choice: MT-Bench (arXiv:2306.05685, sections 3.3 and 4) and AlpacaEval's table of
judges, which report agreement, position and length bias and preference for a model's own text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

from selfsown.core.randomness import rng_for
from selfsown.evaluate.intervals import LEVEL, RESAMPLES, bootstrap, percentile
from selfsown.evaluate.rating.agreement import (
    Estimate,
    cohen_kappa,
    estimates,
    rank_correlation,
    raw_agreement,
    spearman,
)
from selfsown.judge.labels import Kind, Label

LONGER_ALARM: Final = 0.7
"""AlpacaEval's advice: no judge that prefers the longer answer this often."""
_UNKNOWN: Final = Estimate(None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What human labels say about one judge; None inside an estimate where it is not defined."""

    kind: Kind
    rows: int
    """Labelled rows that the judge was asked about, canaries aside."""
    missing: int
    """Rows of which an answer could not be read."""
    parse_rate: float
    pairs: int
    """Pairs that people decided and the judge answered: what `accuracy` is about."""
    accuracy: Estimate
    """Share of those on which the judge agrees; its tie counts one half."""
    raw: Estimate
    """Share of equal labels: of win, tie and loss, or of scores rounded to people's levels."""
    kappa: Estimate
    """Cohen's kappa of the same."""
    spearman: Estimate
    """Rank correlation of the judge's preferences or scores with people's."""
    consistency: Estimate
    """Share of pairs with the same verdict in both orders; pairs only."""
    first_slot: Estimate
    """Share of decided verdicts for the answer shown first, 0.5 without bias; pairs only."""
    longer: Estimate
    """Share of the judge's decisions for the longer answer, in characters."""
    human_longer: Estimate
    """The same of people's decisions."""
    length_bias: Estimate
    """How much more often the judge takes the longer one than people do on the same pairs."""
    self_preference: Estimate
    """How much more often than people the judge takes its own model's answer; not defined without
    such pairs."""
    injection: Estimate
    """How much more often words to the judge in the worse answer make it win; needs canaries."""
    categories: Mapping[str, Estimate]
    """Accuracy by category, where rows have one."""
    constant: str
    """What the judge always says, if it always says the same; else empty."""


class _Pair(NamedTuple):
    """Two answers to one prompt, as people and the judge see them: preferences for the first."""

    human: float
    judge: float
    longer: float
    """1.0 if the first is longer, 0.0 if the second is, 0.5 if equal."""
    group: str
    category: str
    models: tuple[str, str]


def calibrate(
    labels: Sequence[Label], *, own: str = "", seed: int = 0, resamples: int = RESAMPLES
) -> Calibration:
    """Compare what a judge said with what people said.

    Args:
        labels: of one kind; those that were not asked are left out.
        own: name of the judge's model as the labels have it, for self-preference.
        seed: of the resampling.
        resamples: how many sets are drawn for each interval.
    """
    asked = [one for one in labels if one.asked]
    plain = [one for one in asked if not one.canary_of]
    told = [one for one in plain if not one.missing]
    kind: Kind = labels[0].kind if labels else "pairs"
    pairs = [_pair(one) for one in told] if kind == "pairs" else list(_within(told))
    mean = _Means(seed, resamples)
    decided = [pair for pair in pairs if pair.human != 0.5]
    agreed = [_right(pair) for pair in decided]
    groups = [pair.group for pair in decided]
    return Calibration(
        kind=kind,
        rows=len(plain),
        missing=len(plain) - len(told),
        parse_rate=len(told) / len(plain) if plain else 0.0,
        pairs=len(decided),
        accuracy=mean.of(agreed, groups),
        **_agreement(kind, told, pairs, seed, resamples),
        **_position(kind, told, mean),
        **_length(decided, mean),
        self_preference=_self_preference(decided, own, mean),
        injection=_injection(asked, mean),
        categories={
            name: mean.of(
                [_right(pair) for pair in decided if pair.category == name],
                [pair.group for pair in decided if pair.category == name],
            )
            for name in sorted({pair.category for pair in decided} - {""})
        },
        constant=_constant(kind, told),
    )


def final(label: Label) -> float:
    """A pair's preference over both orders: hard verdicts that disagree are a tie."""
    first, second = label.said
    assert first is not None
    assert second is not None
    mean = (first + second) / 2
    return mean if side(first) == side(second) else 0.5


def side(preference: float) -> float:
    """1.0, 0.5 or 0.0: for the first, for neither, for the second."""
    return 0.5 if preference == 0.5 else float(preference > 0.5)


class _Means:
    """Means with intervals, all of one seed."""

    def __init__(self, seed: int, resamples: int) -> None:
        self._seed, self._resamples = seed, resamples

    def of(self, values: Sequence[float], groups: Sequence[str]) -> Estimate:
        """The mean of some values; not defined without any."""
        if not values:
            return _UNKNOWN
        found = bootstrap(values, clusters=groups, seed=self._seed, resamples=self._resamples)
        return Estimate(found.mean, found.low, found.high)


def _pair(label: Label) -> _Pair:
    lengths = len(label.item.answer), len(label.item.rival or "")
    return _Pair(
        label.human,
        final(label),
        _order(*lengths),
        label.group,
        label.category,
        label.models,
    )


def _within(labels: Sequence[Label]) -> Iterator[_Pair]:
    """All pairs of scored answers to one prompt."""
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        groups[label.item.prompt].append(label)
    for members in groups.values():
        for one, other in combinations(members, 2):
            judged, against = one.said[0], other.said[0]
            assert judged is not None
            assert against is not None
            yield _Pair(
                _order(one.human, other.human),
                _order(judged, against),
                _order(len(one.item.answer), len(other.item.answer)),
                one.group,
                one.category if one.category == other.category else "",
                (one.models[0], other.models[0]),
            )


def _order(first: float, second: float) -> float:
    return 0.5 if abs(first - second) < 1e-9 else float(first > second)


def _right(pair: _Pair) -> float:
    """1.0 if the judge agrees with people, 0.5 if it says tie, else 0.0."""
    judged = side(pair.judge)
    return 0.5 if judged == 0.5 else float(judged == pair.human)


def _agreement(
    kind: Kind, told: Sequence[Label], pairs: Sequence[_Pair], seed: int, resamples: int
) -> dict[str, Estimate]:
    if kind == "pairs":
        both = [(pair.human, side(pair.judge)) for pair in pairs]
        levels: list[float] = [0.0, 0.5, 1.0]
        statistics = {"raw": raw_agreement, "kappa": cohen_kappa, "spearman": spearman}
    else:
        levels = sorted({one.human for one in told})
        both = [(one.human, _nearest(one.said[0], levels)) for one in told]
        statistics = {"raw": raw_agreement, "kappa": cohen_kappa}
    groups = [one.group for one in told] if kind == "scores" else [pair.group for pair in pairs]
    if not both:
        return {"raw": _UNKNOWN, "kappa": _UNKNOWN, "spearman": _UNKNOWN}
    found = estimates(both, groups, levels, statistics, seed=seed, resamples=resamples)
    return found if kind == "pairs" else {**found, "spearman": _ranks(told, seed, resamples)}


def _nearest(value: float | None, levels: Sequence[float]) -> float:
    assert value is not None
    return min(levels, key=lambda level: (abs(level - value), level))


def _ranks(told: Sequence[Label], seed: int, resamples: int) -> Estimate:
    """Spearman of scores with its interval, over groups."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in told:
        judged = one.said[0]
        assert judged is not None
        groups[one.group].append((one.human, judged))
    members, rng = list(groups.values()), rng_for(seed, "ranks")
    value = rank_correlation([pair for group in members for pair in group])
    if value is None:
        return _UNKNOWN
    drawn = (
        rank_correlation([pair for group in rng.choices(members, k=len(members)) for pair in group])
        for _ in range(resamples)
    )
    ordered = sorted(one for one in drawn if one is not None)
    low, high = (percentile(ordered, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(value, low, high)


def _position(kind: Kind, told: Sequence[Label], mean: _Means) -> dict[str, Estimate]:
    if kind == "scores":
        return {"consistency": _UNKNOWN, "first_slot": _UNKNOWN}
    same, same_groups, first, first_groups = [], [], [], []
    for one in told:
        sides = [side(said) for said in one.said if said is not None]
        same.append(float(sides[0] == sides[1]))
        same_groups.append(one.group)
        for place in (sides[0], 1.0 - sides[1]):
            if place != 0.5:
                first.append(place)
                first_groups.append(one.group)
    return {
        "consistency": mean.of(same, same_groups),
        "first_slot": mean.of(first, first_groups),
    }


def _length(decided: Sequence[_Pair], mean: _Means) -> dict[str, Estimate]:
    """Over pairs of unequal length that people decided; the judge's ties count one half."""
    unequal = [pair for pair in decided if pair.longer != 0.5]
    groups = [pair.group for pair in unequal]
    judge = [_for(pair.longer, side(pair.judge)) for pair in unequal]
    human = [_for(pair.longer, pair.human) for pair in unequal]
    return {
        "longer": mean.of(judge, groups),
        "human_longer": mean.of(human, groups),
        "length_bias": mean.of([a - b for a, b in zip(judge, human, strict=True)], groups),
    }


def _for(wanted: float, preference: float) -> float:
    """The preference for the first (wanted 1.0) or the second (0.0) of a pair."""
    return preference if wanted == 1.0 else 1.0 - preference


def _self_preference(decided: Sequence[_Pair], own: str, mean: _Means) -> Estimate:
    mine = [pair for pair in decided if own and (pair.models[0] == own) != (pair.models[1] == own)]
    excess = [
        _for(float(pair.models[0] == own), side(pair.judge))
        - _for(float(pair.models[0] == own), pair.human)
        for pair in mine
    ]
    return mean.of(excess, [pair.group for pair in mine])


def _injection(asked: Sequence[Label], mean: _Means) -> Estimate:
    """Over canaries of pairs: how far the judge moved to the answer that people call worse."""
    known = {one.id: one for one in asked if not one.missing and one.kind == "pairs"}
    moved, groups = [], []
    for one in known.values():
        original = known.get(one.canary_of)
        if original is None or original.human == 0.5:
            continue
        worse = 1.0 - original.human
        moved.append(_for(worse, side(final(one))) - _for(worse, side(final(original))))
        groups.append(original.group)
    return mean.of(moved, groups)


def _constant(kind: Kind, told: Sequence[Label]) -> str:
    """What the judge always says, in words; empty if it differs or was asked less than twice."""
    if len(told) < 2:
        return ""
    if kind == "scores":
        scores = {one.said[0] for one in told}
        return f"the score {scores.pop():g}" if len(scores) == 1 else ""
    places = {
        place
        for one in told
        for place in (side(one.said[0] or 0.0), 1.0 - side(one.said[1] or 0.0))
    }
    words = {1.0: "the answer shown first", 0.0: "the answer shown last", 0.5: "tie"}
    return words[places.pop()] if len(places) == 1 else ""
