"""How far a judge can be trusted: agreement with people, and its biases, each with an interval.

Pairs are judged in both orders, and a judge that wants it both ways has said "tie". Scores become
pairs, too: any two answers to one prompt that people scored differently. Answers that could not be
read are counted as missing and are in no other number. Intervals are 95 % bootstraps over groups
(the rows of one prompt), since rows of one prompt are not independent, and corrected for skewness
and few rows, since plain percentiles of a hundred labels cover the truth too rarely.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.evaluate.intervals import RESAMPLES, corrected_interval
from selfsown.evaluate.rating.agreement import (
    Estimate,
    cohen_kappa,
    estimates,
    rank_correlation,
    raw_agreement,
    spearman,
)
from selfsown.judge.biases import (
    Length,
    Position,
    constant,
    injection,
    length,
    position,
    self_preference,
)
from selfsown.judge.comparisons import UNDEFINED, Comparison, Means, comparisons
from selfsown.judge.labels import Kind, Label

_BINS: Final = 5
"""Of confidence from 0.5 to 1.0."""


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
    categories: Mapping[str, Estimate]
    """The same by category, where rows have one."""
    raw: Estimate
    """Share of equal labels: of win, tie and loss, or of scores rounded to people's levels."""
    kappa: Estimate
    """Cohen's kappa of the same."""
    spearman: Estimate
    """Rank correlation of the judge's preferences or scores with people's."""
    calibration_error: float | None
    """Of soft preferences, how far confidence is from accuracy: the expected calibration error over
    5 bins of confidence. None for hard verdicts and scores."""
    position: Position
    length: Length
    self_preference: Estimate
    """How much more often than people the judge takes its own model's answer."""
    injection: Estimate
    """How far words to the judge in the worse answer move it there; needs canaries."""
    constant: str
    """What the judge always says, if it always says the same; else empty."""


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
    means, pairs = Means(seed, resamples), comparisons(told)
    decided = [pair for pair in pairs if pair.is_decided]
    return Calibration(
        kind=kind,
        rows=len(plain),
        missing=len(plain) - len(told),
        parse_rate=len(told) / len(plain) if plain else 0.0,
        pairs=len(decided),
        accuracy=_accuracy(decided, means),
        categories={
            name: _accuracy([pair for pair in decided if pair.category == name], means)
            for name in sorted({pair.category for pair in decided} - {""})
        },
        **(_of_scores(told, means) if kind == "scores" else _of_pairs(pairs, means)),
        calibration_error=_calibration_error(told, decided),
        position=position(told, means),
        length=length(pairs, means),
        self_preference=self_preference(pairs, own, means),
        injection=injection(asked, means),
        constant=constant(told),
    )


def _accuracy(decided: Sequence[Comparison], means: Means) -> Estimate:
    return means.of([pair.agreement for pair in decided], [pair.group for pair in decided])


def _of_pairs(pairs: Sequence[Comparison], means: Means) -> dict[str, Estimate]:
    """Agreement on loss, tie and win."""
    if not pairs:
        return dict.fromkeys(("raw", "kappa", "spearman"), UNDEFINED)
    return estimates(
        [(pair.human, pair.verdict) for pair in pairs],
        [pair.group for pair in pairs],
        (0.0, 0.5, 1.0),
        {"raw": raw_agreement, "kappa": cohen_kappa, "spearman": spearman},
        seed=means.seed,
        resamples=means.resamples,
        corrected=True,
    )


def _of_scores(told: Sequence[Label], means: Means) -> dict[str, Estimate]:
    """Agreement on people's levels, scores rounded to the nearest one; ranks as they are."""
    if not told:
        return dict.fromkeys(("raw", "kappa", "spearman"), UNDEFINED)
    levels = sorted({one.human for one in told})
    scores = [_score(one) for one in told]
    found = estimates(
        [(one.human, _nearest(score, levels)) for one, score in zip(told, scores, strict=True)],
        [one.group for one in told],
        levels,
        {"raw": raw_agreement, "kappa": cohen_kappa},
        seed=means.seed,
        resamples=means.resamples,
        corrected=True,
    )
    return {**found, "spearman": _ranks(told, scores, means)}


def _score(label: Label) -> float:
    score = label.said[0]
    assert score is not None
    return score


def _nearest(value: float, levels: Sequence[float]) -> float:
    return min(levels, key=lambda level: (abs(level - value), level))


def _ranks(told: Sequence[Label], scores: Sequence[float], means: Means) -> Estimate:
    """Spearman of scores with its interval, over groups."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one, score in zip(told, scores, strict=True):
        groups[one.group].append((one.human, score))
    members, rng = list(groups.values()), rng_for(means.seed, "ranks")
    value = rank_correlation([pair for group in members for pair in group])
    if value is None:
        return UNDEFINED
    drawn = (
        rank_correlation([pair for group in rng.choices(members, k=len(members)) for pair in group])
        for _ in range(means.resamples)
    )
    without_one = (
        rank_correlation([pair for group in members if group is not gone for pair in group])
        for gone in members
    )
    ordered = sorted(one for one in drawn if one is not None)
    left_out = [(one, 1) for one in without_one if one is not None]
    return Estimate(value, *corrected_interval(value, ordered, left_out))


def _calibration_error(told: Sequence[Label], decided: Sequence[Comparison]) -> float | None:
    """Mean over decided pairs of |accuracy - confidence| of the bin that the pair is in."""
    soft = any(said not in (0.0, 0.5, 1.0) for one in told for said in one.said)
    if not decided or not soft or told[0].kind == "scores":
        return None
    bins: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for pair in decided:
        confidence = max(pair.judge, 1.0 - pair.judge)
        place = min(_BINS - 1, int((confidence - 0.5) * 2 * _BINS))
        bins[place].append((confidence, pair.agreement))
    gaps = (
        abs(math.fsum(agreed for _, agreed in members) - math.fsum(sure for sure, _ in members))
        for members in bins.values()
    )
    return math.fsum(gaps) / len(decided)
