"""Students beside each other: losses and tasks with intervals, tokens to a target, the choice.

Seeds and documents are crossed: every seed's student reads every held-out document. So intervals
come from a bootstrap that resamples both (`report.intervals.crossed`), and differences between arms
are taken within seed and document.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from selfsown.core.request import JSON
from selfsown.report.intervals import crossed
from selfsown.report.loop_numbers import Measure
from selfsown.sweep.arms import Student


@dataclass(frozen=True, slots=True)
class Row:
    """One arm over all seeds."""

    arm: str
    human_share: float
    epochs: Mapping[str, float]
    losses: Mapping[str, Measure]
    """Held-out set → nats per token, mean of its documents."""
    differences: Mapping[str, Measure]
    """The same less that of the reference arm; negative is better. Empty for the reference."""
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
    rows = tuple(_row(own, arms[reference]) for own in arms.values())
    allowed = {
        name: own for name, own in arms.items() if allow_all_synthetic or own[0].human_share > 0
    }
    candidates = _candidates(allowed or arms, decided_by)
    chosen = max(candidates, key=lambda name: (_solved(arms[name]), -_loss(arms[name], decided_by)))
    seeds = tuple(student.seed for student in arms[reference])
    return Comparison(
        reference, tuple(decided_by), students[0].tokens, seeds, rows, tuple(candidates), chosen
    )


def difference(own: Sequence[Student], other: Sequence[Student], held_out: str) -> Measure:
    """Loss of an arm less that of another on a held-out set, paired by seed and document."""
    return crossed(_less(_table(own, held_out), _table(other, held_out)))


def _row(own: Sequence[Student], reference: Sequence[Student]) -> Row:
    first = own[0]
    is_reference = own is reference
    return Row(
        first.arm,
        statistics.fmean(student.human_share for student in own),
        {
            name: statistics.fmean(student.epochs.get(name, 0.0) for student in own)
            for name in first.epochs
        },
        {name: crossed(_table(own, name)) for name in first.losses},
        {} if is_reference else {name: difference(own, reference, name) for name in first.losses},
        {kind: crossed(_right(own, kind)) for kind in first.answers},
        {}
        if is_reference
        else {
            kind: crossed(_less(_right(own, kind), _right(reference, kind)))
            for kind in first.answers
        },
        {
            name: [
                tokens_to(student, name, other.curve[-1].losses[name])
                for student, other in zip(own, reference, strict=True)
            ]
            for name in first.losses
        },
        statistics.fmean(student.seconds for student in own),
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
    found = []
    for name, own in arms.items():
        tables = [_less(_table(own, one), _table(arms[best], one)) for one in decided_by]
        joined = [[value for row in rows for value in row] for rows in zip(*tables, strict=True)]
        if name == best or crossed(joined).low <= 0:
            found.append(name)
    return found


def _loss(own: Sequence[Student], decided_by: Sequence[str]) -> float:
    return statistics.fmean(
        value for student in own for name in decided_by for value in student.losses[name]
    )


def _solved(own: Sequence[Student]) -> float:
    """Mean over the kinds of tasks; 0 without tasks."""
    shares = [
        statistics.fmean(one.is_right for one in answers)
        for student in own
        for answers in student.answers.values()
    ]
    return statistics.fmean(shares) if shares else 0.0


def _table(own: Sequence[Student], held_out: str) -> list[Sequence[float]]:
    return [student.losses[held_out] for student in own]


def _right(own: Sequence[Student], kind: str) -> list[Sequence[float]]:
    return [[float(one.is_right) for one in student.answers[kind]] for student in own]


def _less(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]
) -> list[Sequence[float]]:
    """Differences of two tables, place by place."""
    return [
        [a - b for a, b in zip(one, other, strict=True)]
        for one, other in zip(first, second, strict=True)
    ]
