"""Whether the run still finds something new: what each answer yields, over the order of deliveries.

A growing pool rejects what it already holds, so the yield of an answer falls as the pool fills. The
curve counts the candidates that passed the second stage per answer of the first. Answers are ranked
by the ordinal of their delivery, 8 bytes each, because other deliveries lie between them.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from selfsown.export.run_files import Row, RunFiles, integer, sequence
from selfsown.report.absent import Absent
from selfsown.report.funnel import Funnel

EIGHTHS: Final = 8
POINTS: Final = 48
"""Points of the smoothed curve, at most."""


@dataclass(frozen=True, slots=True)
class Point:
    """Mean yield around one position of the run."""

    answer: float
    """Position: how many answers had been delivered."""
    accepted_per_answer: float


@dataclass(frozen=True, slots=True)
class Saturation:
    """Yield over the run."""

    stage: str
    """The stage whose accepted candidates are counted."""
    unit: str
    answers: int
    accepted: int
    eighths: tuple[float, ...]
    """Accepted per answer in each eighth of the answers, oldest first; fewer below 8 answers."""
    curve: tuple[Point, ...]
    """Means over a sliding window of about a fifth of the run."""


def read_saturation(run: RunFiles, funnel: Funnel | Absent) -> Saturation | Absent:
    """Count yields from the provenance, if the recipe has a stage of completions and a next one."""
    if isinstance(funnel, Absent):
        return funnel
    if len(funnel.stages) < 2 or funnel.stages[0].unit != "completion":
        return Absent("the rows of this recipe are independent: there is no pool that fills up")
    first, stage = funnel.stages[:2]
    ordinals = array("Q", sorted(_ordinal(row) for row in _rows(run, first.stage)))
    answers = len(ordinals)
    if not answers:
        return Absent("no answer has been delivered yet")
    parts, fine = min(EIGHTHS, answers), min(POINTS, answers)
    eighths, bins = [0] * parts, [0] * fine
    for row in _rows(run, stage.stage):
        if row.get("end") in ("accepted", "passed"):
            rank = bisect_right(ordinals, _ordinal(row)) - 1
            eighths[rank * parts // answers] += 1
            bins[rank * fine // answers] += 1
    return Saturation(
        stage=stage.stage,
        unit=stage.unit,
        answers=answers,
        accepted=sum(bins),
        eighths=tuple(
            round(count / size, 4)
            for count, size in zip(eighths, _sizes(answers, parts), strict=True)
        ),
        curve=_smooth(bins, answers),
    )


def _rows(run: RunFiles, stage: str) -> Iterator[Row]:
    return (row for row in run.rows("provenance") if row.get("stage") == stage)


def _smooth(bins: list[int], answers: int) -> tuple[Point, ...]:
    sizes = _sizes(answers, len(bins))
    reach = len(bins) // 12
    points = []
    for middle in range(len(bins)):
        window = slice(max(0, middle - reach), middle + reach + 1)
        position = sum(sizes[:middle]) + sizes[middle] / 2
        mean = sum(bins[window]) / sum(sizes[window])
        points.append(Point(round(position, 1), round(mean, 4)))
    return tuple(points)


def _sizes(answers: int, parts: int) -> list[int]:
    """How many ordinals below `answers` fall into each part by `ordinal * parts // answers`."""
    edges = [-(-part * answers // parts) for part in range(parts + 1)]
    return [high - low for low, high in itertools.pairwise(edges)]


def _ordinal(row: Row) -> int:
    order = sequence(row.get("order"))
    return integer(order[0]) if order else 0
