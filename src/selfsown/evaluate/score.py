"""From answers to numbers: every metric of a suite, with intervals, overall and per category."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfsown.core.errors import InputError
from selfsown.evaluate.intervals import Interval, PairedTest, bootstrap, paired_test
from selfsown.evaluate.metrics import metric_named
from selfsown.evaluate.suite import Instance, Suite


@dataclass(frozen=True, slots=True)
class InstanceScores:
    """The scores of one answer."""

    id: str
    cluster: str
    categories: tuple[str, ...]
    values: Mapping[str, float]
    """Metric → score in [0, 1]."""


@dataclass(frozen=True, slots=True)
class CategoryScores:
    """Mean scores of the instances of one category."""

    category: str
    n: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SuiteScores:
    """All scores of one model on one suite."""

    suite: str
    suite_sha256: str
    questions_sha256: str
    """Results in which it is equal compare in pairs, also between prompt layouts."""
    n: int
    metrics: Mapping[str, Interval]
    """Metric → mean over all instances, pooled, with its interval."""
    task_means: Mapping[str, float]
    """Metric → mean over tasks of the mean within a task; empty without clusters."""
    categories: tuple[CategoryScores, ...]
    instances: tuple[InstanceScores, ...]
    unanswered: int = 0
    """Instances whose call failed for good; each counts as an empty answer."""


def score_answers(
    suite: Suite, answers: Mapping[str, str], *, unanswered: int = 0, seed: int = 0
) -> SuiteScores:
    """Score one model's answers.

    Args:
        suite: what was asked.
        answers: instance id → answer, already cut by the suite's rule; every instance has one.
        unanswered: how many of them are empty because the call failed.
        seed: of the bootstrap.

    Raises:
        InputError: an instance has no answer.
    """
    missing = [one.id for one in suite.instances if one.id not in answers]
    if missing:
        raise InputError(
            f"{len(missing)} instances of suite `{suite.name}` have no answer, the first is "
            f"`{missing[0]}`",
            why="a mean over some of the instances does not compare with one over all",
            fix="let the evaluation run to its end",
        )
    rows = tuple(_scored(suite.metrics, one, answers[one.id]) for one in suite.instances)
    clusters = [row.cluster for row in rows]
    return SuiteScores(
        suite=suite.name,
        suite_sha256=suite.sha256,
        questions_sha256=suite.questions_sha256,
        n=len(rows),
        metrics={
            name: bootstrap([row.values[name] for row in rows], clusters=clusters, seed=seed)
            for name in suite.metrics
        },
        task_means=_task_means(rows, suite.metrics),
        categories=_by_category(rows, suite.metrics),
        instances=rows,
        unanswered=unanswered,
    )


def compare(first: SuiteScores, second: SuiteScores, metric: str, *, seed: int = 0) -> PairedTest:
    """Paired test of two models on one metric and the same questions.

    Raises:
        InputError: the two did not answer the same questions, or one lacks the metric.
    """
    if first.questions_sha256 != second.questions_sha256:
        raise InputError(
            f"`{first.suite}` and `{second.suite}` are not results of the same instances",
            why="a paired test needs both models' scores of each instance",
            fix="evaluate both models with the same suite file and limit",
        )
    if metric not in first.metrics or metric not in second.metrics:
        raise InputError(
            f"suite `{second.suite}` was not scored with `{metric}` both times",
            why="a paired test compares one metric",
            fix=f"use one of {', '.join(f'`{name}`' for name in second.metrics)}",
        )
    return paired_test(
        [row.values[metric] for row in first.instances],
        [row.values[metric] for row in second.instances],
        clusters=[row.cluster for row in second.instances],
        seed=seed,
    )


def _scored(metrics: Sequence[str], instance: Instance, answer: str) -> InstanceScores:
    values = {name: metric_named(name).score(instance, answer) for name in metrics}
    return InstanceScores(instance.id, instance.cluster, instance.categories, values)


def _by_category(
    rows: Sequence[InstanceScores], metrics: Sequence[str]
) -> tuple[CategoryScores, ...]:
    groups: dict[str, list[InstanceScores]] = {}
    for row in rows:
        for category in row.categories:
            groups.setdefault(category, []).append(row)
    return tuple(
        CategoryScores(name, len(group), {metric: _mean(group, metric) for metric in metrics})
        for name, group in sorted(groups.items())
    )


def _task_means(rows: Sequence[InstanceScores], metrics: Sequence[str]) -> dict[str, float]:
    groups: dict[str, list[InstanceScores]] = {}
    for row in rows:
        if row.cluster:
            groups.setdefault(row.cluster, []).append(row)
    if not groups:
        return {}
    return {
        metric: math.fsum(_mean(group, metric) for group in groups.values()) / len(groups)
        for metric in metrics
    }


def _mean(rows: Sequence[InstanceScores], metric: str) -> float:
    return math.fsum(row.values[metric] for row in rows) / len(rows)
