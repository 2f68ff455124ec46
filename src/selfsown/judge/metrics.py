"""The named metrics: correctness, factuality, instruction following; defined here, never averaged.

The three names are in wide use without definitions, so these are ours. They answer different
questions on different scales, and an answer may be obedient and wrong; each is reported alone, with
its interval and with how much of it was decided by programs, models and people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from selfsown.evaluate.intervals import RESAMPLES, Interval, bootstrap
from selfsown.judge.base import Judgement, Source


class Metric(NamedTuple):
    """What a metric asks and how its value reads."""

    question: str
    scale: str
    passes_at: float
    """The least value that counts as met."""
    evidence: str
    """What decides, the preferred kind first."""


METRICS: Final[Mapping[str, Metric]] = {
    "correctness": Metric(
        "Does the answer solve the task, or equal the reference?",
        "1 to 5, right at 4 or more",
        4.0,
        "a reference; a model where it does not decide",
    ),
    "factuality": Metric(
        "Which share of the answer's claims do the given sources support?",
        "0 to 1, and the number of claims",
        1.0,
        "the sources of the row, read by a model claim by claim",
    ),
    "instruction_following": Metric(
        "Which share of the explicit demands does the answer meet?",
        "0 to 1, and whether all are met",
        1.0,
        "verifiable checks; a model for demands without one",
    ),
}
"""Name of the judge -> what it measures."""


@dataclass(frozen=True, slots=True)
class MetricScore:
    """One metric over many answers."""

    name: str
    judged: int
    missing: int
    """Answers that could not be judged; they are in none of the means."""
    mean: Interval | None
    """On the metric's own scale; None if nothing could be judged."""
    passed: Interval | None
    """Share of answers that meet it."""
    decided_by: Mapping[Source, float]
    """Who decided -> share of the judged answers."""


def passes(name: str, judgement: Judgement) -> bool | None:
    """Whether an answer meets a metric; None where that is missing.

    Raises:
        KeyError: there is no such metric.
    """
    if judgement.value is None:
        return None
    return judgement.value >= METRICS[name].passes_at - 1e-9


def metric_scores(
    judgements: Mapping[str, Sequence[Judgement]],
    clusters: Sequence[str] | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, MetricScore]:
    """Each metric on its own.

    Args:
        judgements: metric -> one judgement per answer, all metrics in the same order of answers.
        clusters: the prompt of each answer, where prompts have several.
        seed: of the intervals.
        resamples: how many means are drawn for each.
    """
    found = {}
    for name, given in judgements.items():
        places = [place for place, one in enumerate(given) if one.value is not None]
        values = [one.value for one in given if one.value is not None]
        marks = [float(bool(passes(name, given[place]))) for place in places]
        names = [clusters[place] for place in places] if clusters is not None else None
        sources = Counter(given[place].source for place in places)
        found[name] = MetricScore(
            name=name,
            judged=len(values),
            missing=len(given) - len(values),
            mean=_interval(values, names, seed, resamples),
            passed=_interval(marks, names, seed, resamples),
            decided_by={source: count / len(values) for source, count in sorted(sources.items())},
        )
    return found


def _interval(
    values: Sequence[float], clusters: Sequence[str] | None, seed: int, resamples: int
) -> Interval | None:
    if not values:
        return None
    return bootstrap(values, clusters=clusters, seed=seed, resamples=resamples)
