"""A moment of a run as numbers: what the live view shows, and at what pace it changes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from selfsown.core.caller import Caller
    from selfsown.core.run import Run
    from selfsown.core.stages import Stage
    from selfsown.recipes.base import Recipe

_WINDOW_S: Final = 60.0
"""Over which rates are taken."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a run."""

    elapsed_s: float
    accepted: int
    """Units that count towards `target`."""
    target: int | None
    """Where the run ends; the number of rows where a row gives at most one unit."""
    unit: str
    rejected: Mapping[str, int]
    failed: Mapping[str, int]
    calls: int
    """Made by this process."""
    from_journal: int
    input_tokens: int
    output_tokens: int
    spent_usd: float
    in_flight: int = 0
    limit: int = 0
    waiting: int = 0
    backing_off: int = 0
    retries: int = 0
    silent_s: float | None = None
    """Seconds since the endpoint said anything; None before it did."""
    batches: tuple[str, ...] = ()
    """What is waited for, in words."""
    is_stopping: bool = False
    stages: tuple[str, ...] = ()
    rows_name: str = ""
    """What the rows are, in the plural, where each may give many units or none; else empty."""
    rows_done: int = 0
    """Rows of which nothing is open any more."""
    rows_total: int | None = None
    """None: the recipe is not over rows."""
    calls_per_s: float = 0.0
    eta_s: float | None = None


def snapshot(
    run: Run, caller: Caller | None, recipe: Recipe[Any], counted: str, rows: int | None
) -> Snapshot:
    """The numbers of this moment.

    Args:
        run: the run.
        caller: its caller; None before there is one.
        recipe: its recipe.
        counted: the stage that the target counts; empty if the recipe does not say.
        rows: number of input rows, for row recipes.
    """
    progress = run.progress
    kept = _target_stage(run.stages, recipe, counted)
    rejected: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for stage in run.stages:
        rejected.update(stage.counts.rejected)
        failed.update(stage.counts.failed)
    accepted = kept.counts.kept if kept is not None else 0
    of_rows = [stage.counts for stage in run.stages if stage.name == recipe.row_stage]
    done = sum(counts.entered - counts.open for counts in of_rows)
    if rows is not None and not recipe.row_stage:  # a row is done however it ends
        done = accepted + rejected.total() + failed.total()
    now = caller.counters if caller is not None else None
    return Snapshot(
        elapsed_s=0.0,
        accepted=accepted,
        target=run.target if rows is None else None if recipe.row_stage else rows,
        unit=recipe.target_unit,
        rejected=rejected,
        failed=failed,
        calls=progress.calls,
        from_journal=progress.from_journal,
        input_tokens=progress.input_tokens,
        output_tokens=progress.output_tokens,
        spent_usd=now.spent_usd if now else 0.0,
        in_flight=now.in_flight if now else 0,
        limit=now.limit if now else 0,
        waiting=now.waiting if now else 0,
        backing_off=now.backing_off if now else 0,
        retries=now.retries if now else 0,
        silent_s=now.last_reply_age_s if now else None,
        batches=tuple(str(batch) for batch in now.batches) if now else (),
        is_stopping=run.closing,
        stages=tuple(stage.name for stage in run.stages),
        rows_name=recipe.row_stage,
        rows_done=done,
        rows_total=rows,
    )


@dataclass(slots=True)
class Pace:
    """Rates over the last minute, from moments seen."""

    seen: deque[tuple[float, int, int]] = field(default_factory=deque)
    """(time, calls, units done)."""

    def look(
        self, now: float, calls: int, done: int, total: int | None
    ) -> tuple[float, float | None]:
        """Calls per second, and seconds until `total` units are done (None: cannot be said)."""
        if not calls:  # what the journal answers says nothing about the pace
            self.seen.clear()
        self.seen.append((now, calls, done))
        while now - self.seen[0][0] > _WINDOW_S:
            self.seen.popleft()
        began, calls_then, done_then = self.seen[0]
        span = now - began
        if span < 1:
            return 0.0, None
        rate = (done - done_then) / span
        left = None if total is None else max(0, total - done)
        eta = left / rate if left is not None and rate > 0 else None
        return (calls - calls_then) / span, eta


def row_count(directory: Path) -> int:
    """Rows of the copied input, by its newlines."""
    path = directory / "inputs" / "rows.jsonl"
    if not path.exists():
        return 0
    with path.open("rb") as handle:
        return sum(block.count(b"\n") for block in iter(lambda: handle.read(1 << 20), b""))


def _target_stage(stages: Iterable[Stage], recipe: Recipe[Any], counted: str) -> Stage | None:
    """The stage whose kept candidates count: the recipe's choice, else by unit, else the output."""
    known = list(stages)
    by_choice = [stage for stage in known if stage.name == counted]
    by_unit = [stage for stage in known if stage.counts.unit == recipe.target_unit]
    output = [stage for stage in known if stage.counts.output]
    return next(iter([*by_choice, *by_unit, *output]), None)
