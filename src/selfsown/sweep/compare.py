"""Students beside each other: losses and tasks with intervals, tokens to a target, the choice.

Seeds and documents are crossed: every seed's student reads every held-out document. So intervals
come from a bootstrap that resamples both (`report.intervals.crossed`), and differences between arms
are taken within seed and document.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

from selfsown.core.request import JSON
from selfsown.report.intervals import crossed
from selfsown.report.loop_numbers import Measure
from selfsown.sweep.arms import Student

Table = Sequence[Sequence[float]]
"""A row per seed, a column per document or task."""


@dataclass(frozen=True, slots=True)
class Row:
    """One arm over all seeds."""

    arm: str
    human_share: float
    epochs: Mapping[str, float]
    loss: Measure
    """Nats per token, mean of the documents of the sets that decide."""
    difference: Measure | None
    """The same less that of the reference arm; negative is better. None for the reference."""
    losses: Mapping[str, Measure]
    """Held-out set → nats per token, mean of its documents."""
    differences: Mapping[str, Measure]
    """The same less that of the reference arm; empty for the reference."""
    tasks: Mapping[str, Measure]
    """Kind of tasks → share completed rightly."""
    task_differences: Mapping[str, Measure]
    tokens_to_target: Mapping[str, Sequence[float | None]]
    """Held-out set → for each seed the tokens after which the loss was that of the reference arm at
    its end, by a straight line between points; None: never."""
    seconds: float
    """Processor time of its training, mean of the seeds."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A whole sweep."""

    reference: str
    decided_by: tuple[str, ...]
    """Held-out sets whose mean loss decides."""
    tokens: int
    """That every student read."""
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    candidates: tuple[str, ...]
    """Arms whose loss is not shown to be above the lowest one; what is all synthetic is left out
    unless it is allowed."""
    chosen: str
    """Of the candidates the one with the best tasks, then the lowest loss."""

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON values."""
        return cast("dict[str, JSON]", asdict(self))


def compare(
    students: Sequence[Student],
    *,
    reference: str,
    decided_by: Sequence[str],
    allow_all_synthetic: bool = False,
) -> Comparison:
    """Compare the students of a sweep.

    Args:
        students: of every arm and seed, arms in the order of the table.
        reference: the arm that others are compared with.
        decided_by: held-out sets of real text.
        allow_all_synthetic: arms without human text may be chosen, too.
    """
    arms: dict[str, list[Student]] = {}
    for student in students:
        arms.setdefault(student.arm, []).append(student)
    rows = tuple(_row(own, arms[reference], decided_by) for own in arms.values())
    allowed = {
        name: own for name, own in arms.items() if allow_all_synthetic or own[0].human_share > 0
    }
    candidates = _candidates(allowed or arms, decided_by)
    chosen = max(candidates, key=lambda name: (_solved(arms[name]), -_loss(arms[name], decided_by)))
    seeds = tuple(student.seed for student in arms[reference])
    return Comparison(
        reference, tuple(decided_by), students[0].tokens, seeds, rows, tuple(candidates), chosen
    )


def _row(own: Sequence[Student], reference: Sequence[Student], decided_by: Sequence[str]) -> Row:
    def against(table: Callable[[Sequence[Student]], Table]) -> Measure:
        return crossed(_less(table(own), table(reference)))

    is_other = own is not reference
    sets, kinds = own[0].losses, own[0].answers
    return Row(
        arm=own[0].arm,
        human_share=statistics.fmean(student.human_share for student in own),
        epochs={
            name: statistics.fmean(student.epochs[name] for student in own)
            for name in own[0].epochs
        },
        loss=crossed(_losses(own, decided_by)),
        difference=against(partial(_losses, held_out=decided_by)) if is_other else None,
        losses={name: crossed(_losses(own, [name])) for name in sets},
        differences={name: against(partial(_losses, held_out=[name])) for name in sets if is_other},
        tasks={kind: crossed(_right(own, kind)) for kind in kinds},
        task_differences={kind: against(partial(_right, kind=kind)) for kind in kinds if is_other},
        tokens_to_target={
            name: [
                tokens_to(student, name, other.curve[-1].losses[name])
                for student, other in zip(own, reference, strict=True)
            ]
            for name in sets
        },
        seconds=statistics.fmean(student.seconds for student in own),
    )


def tokens_to(student: Student, held_out: str, target: float) -> float | None:
    """Tokens after which the curve first is at the target or below; None if it never is."""
    before = None
    for point in student.curve:
        loss = point.losses[held_out]
        if loss <= target:
            if before is None or loss == target:
                return float(point.tokens)
            tokens, above = before
            return tokens + (point.tokens - tokens) * (above - target) / (above - loss)
        before = (point.tokens, loss)
    return None


def _candidates(arms: Mapping[str, Sequence[Student]], decided_by: Sequence[str]) -> list[str]:
    """The arm of the lowest loss, and those that are not shown to be above it."""
    best = min(arms, key=lambda name: _loss(arms[name], decided_by))
    lowest = _losses(arms[best], decided_by)
    return [
        name
        for name, own in arms.items()
        if name == best or crossed(_less(_losses(own, decided_by), lowest)).low <= 0
    ]


def _loss(own: Sequence[Student], decided_by: Sequence[str]) -> float:
    return statistics.fmean(map(statistics.fmean, _losses(own, decided_by)))


def _solved(own: Sequence[Student]) -> float:
    """Mean over the kinds of tasks; 0 without tasks."""
    shares = [
        statistics.fmean(one.is_right for one in answers)
        for student in own
        for answers in student.answers.values()
    ]
    return statistics.fmean(shares) if shares else 0.0


def _losses(own: Sequence[Student], held_out: Sequence[str]) -> Table:
    """Of each student the losses of all documents of some sets."""
    return [[loss for name in held_out for loss in student.losses[name]] for student in own]


def _right(own: Sequence[Student], kind: str) -> Table:
    return [[float(one.is_right) for one in student.answers[kind]] for student in own]


def _less(first: Table, second: Table) -> Table:
    """Differences of two tables, place by place."""
    return [
        [a - b for a, b in zip(one, other, strict=True)]
        for one, other in zip(first, second, strict=True)
    ]
