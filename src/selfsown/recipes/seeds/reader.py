"""Read seed tasks from a file, a built-in set or Python rows, refusing what a run cannot use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from selfsown.recipes.seeds.json_rows import Row
from selfsown.recipes.seeds.opening import Source, open_source
from selfsown.recipes.seeds.shapes import read_row
from selfsown.recipes.seeds.survey import PlacedTask, merge_rows, review
from selfsown.recipes.seeds.task import SeedProblem, SeedReport, SeedTask, seed_file_error

SeedSource = str | Path | Iterable[Mapping[str, object] | SeedTask]


def read_seeds(source: SeedSource, *, require_instances: bool = True) -> list[SeedTask]:
    """Read all seed tasks of `source`, in order; never an empty list.

    Args:
        source: A built-in name (`lab`, `starter`; `lab:25` is its first 25), the path of a JSONL,
            JSON, CSV or TXT file in UTF-8, or rows given from Python (mappings or `SeedTask`). A
            file called like a built-in set is reached as `./lab`.
        require_instances: Whether a seed without a worked example is an error. Recipes that only
            need instructions pass False; a TXT file (one instruction per line) is then usable.

    Raises:
        SeedFileError: if anything in `source` cannot be used; it lists the first errors by line
            and carries all of them. Nothing is skipped silently.
    """
    report = _read(source, require_instances).report
    if report.errors:
        raise seed_file_error(report)
    return list(report.tasks)


def check_seeds(source: SeedSource, *, require_instances: bool = True) -> list[SeedProblem]:
    """Return every error and warning about `source`, in file order; an empty list is a clean bill.

    Takes what `read_seeds` takes and does not raise for what it finds.
    """
    return list(inspect_seeds(source, require_instances=require_instances).problems)


def inspect_seeds(source: SeedSource, *, require_instances: bool = True) -> SeedReport:
    """Return the usable tasks of `source` together with every error and warning about it."""
    report, placed = _read(source, require_instances)
    return _with_problems(report, [*report.problems, *review(placed, report.unit)])


class _Reading(NamedTuple):
    """A report with errors only and, for checks of the whole set, where each task began."""

    report: SeedReport
    placed: list[PlacedTask]


def _read(source: SeedSource, require_instances: bool) -> _Reading:
    opened = open_source(source) if isinstance(source, str | Path) else _given(source)
    rows = [
        read_row(row, position=position, require_instances=require_instances)
        for position, row in enumerate(opened.rows)
    ]
    placed, problems = merge_rows(rows, opened.unit)
    problems += [problem for row in rows for problem in row.problems]
    if opened.problem is not None:
        problems.append(opened.problem)
    elif not rows:
        problems.append(_nothing())
    elif opened.limit is not None and opened.limit > len(placed):
        problems.append(_too_large_limit(opened.limit, len(placed)))
    placed = placed[: opened.limit]
    tasks = tuple(one.task for one in placed)
    report = SeedReport(opened.name, opened.unit, len(rows), tasks, ())
    return _Reading(_with_problems(report, problems), placed)


def _given(source: Iterable[Mapping[str, object] | SeedTask]) -> Source:
    values = (one.to_mapping() if isinstance(one, SeedTask) else one for one in source)
    rows = [Row(position, value) for position, value in enumerate(values, 1)]
    return Source("the given rows", "row", rows)


def _with_problems(report: SeedReport, problems: list[SeedProblem]) -> SeedReport:
    in_order = sorted(problems, key=lambda problem: problem.line or 0)
    return replace(report, problems=tuple(in_order))


def _nothing() -> SeedProblem:
    return SeedProblem(
        rule="no-seeds",
        severity="error",
        what="there is no seed in it",
        why="a run needs seed tasks to start from",
        fix="add seeds, or use `--seeds starter`",
    )


def _too_large_limit(limit: int, available: int) -> SeedProblem:
    return SeedProblem(
        rule="too-few-built-in",
        severity="error",
        what=f"{limit} seeds were asked for, the set has {available}",
        why="a run with other seeds than asked for would mislead",
        fix=f"ask for at most {available}",
    )
