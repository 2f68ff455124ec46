"""`selfsown seeds`: list, show, check and fetch the tasks a run starts from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfsown.recipes.seeds import SeedReport, SeedTask

_UNREADABLE = ("no-such-file", "not-a-file", "not-readable")


@click.group()
def seeds() -> None:
    """List, show, check and fetch seed tasks."""


@seeds.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.option("--drop-invalid", is_flag=True, help="Write the seeds without errors to --out.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for --drop-invalid: JSONL with id, name, instruction, instances, is_classification.",
)
@click.option("--force", is_flag=True, help="Replace --out if it exists.")
@click.option(
    "--instructions-only", is_flag=True, help="Accept seeds without a worked example (only warn)."
)
def check(
    file: str,
    as_json: bool,
    drop_invalid: bool,
    out: Path | None,
    force: bool,
    instructions_only: bool,
) -> None:
    """Explain every problem of a seed FILE by line.

    FILE is JSONL, JSON, CSV or TXT in UTF-8, or a built-in set. Exit 0 without errors (warnings
    may remain) or after --drop-invalid wrote the rest, 1 with errors, 2 if FILE cannot be opened.
    """
    from selfsown.core.errors import CheckFailed
    from selfsown.recipes.seeds import inspect_seeds

    if drop_invalid != (out is not None):
        raise click.UsageError("`--drop-invalid` and `-o FILE` belong together")
    if out is not None:
        _refuse_to_lose(Path(file), out, force)
    report = inspect_seeds(file, require_instances=not instructions_only)
    _raise_if_unreadable(report)
    click.echo(_as_json(report) if as_json else _as_text(report))
    if out is not None:
        _write_valid(report, out)
    elif report.errors:
        raise CheckFailed(
            f"`{file}` has {_count(len(report.errors), 'error')}",
            why="a run starts from every seed, so it refuses this file",
            fix=f"correct the lines above, or keep the {_count(len(report.tasks), 'valid seed')}: "
            f"`selfsown seeds check {shlex.quote(file)} --drop-invalid -o clean.jsonl`",
        )


@seeds.command()
@click.argument("source", metavar="NAME_OR_FILE")
@click.option("-n", "count", type=click.IntRange(min=1), help="Show only the first N tasks.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per task.")
def show(source: str, count: int | None, as_json: bool) -> None:
    """Print the tasks of a built-in set (lab, starter) or of a seed file."""
    from selfsown.recipes.seeds import read_seeds
    from selfsown.recipes.seeds.writing import seeds_to_jsonl

    tasks = read_seeds(source, require_instances=False)
    chosen = tasks[:count]
    if as_json:
        click.echo(seeds_to_jsonl(chosen), nl=False)
    else:
        click.echo("\n\n".join(_task_as_text(task) for task in chosen))
    click.echo(f"{len(chosen)} of {_count(len(tasks), 'seed task')} in `{source}`", err=True)


@seeds.command()
@click.argument("name", metavar="NAME")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: NAME.jsonl]",
)
@click.option("--force", is_flag=True, help="Replace a different file that is already there.")
@click.option("--url", help="Ask this mirror instead; the checksum stays the same.")
def get(name: str, out: Path | None, force: bool, url: str | None) -> None:
    """Fetch a published seed set (self-instruct) and verify its checksum.

    This is the only command of the group that uses the network. If the file is already there, it
    is verified and nothing is fetched.
    """
    from selfsown.recipes.seeds import PUBLISHED, get_seeds

    path = get_seeds(name, out or Path(f"{name}.jsonl"), overwrite=force, url=url)
    published = PUBLISHED[name]
    click.echo(str(path))
    click.echo(f"verified: {published.about}, {published.license}", err=True)
    click.echo(
        f"next: selfsown run self-instruct --seeds {shlex.quote(str(path))} "
        "--model URI -n 200 -o runs/x",
        err=True,
    )


@seeds.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_command(as_json: bool) -> None:
    """List the seed sets: built in, and published ones that `get` fetches."""
    from selfsown.recipes.seeds import BUILT_IN, PUBLISHED

    rows = [
        {"name": one.name, "kind": "built in", "about": one.about, "license": one.license}
        for one in BUILT_IN.values()
    ]
    rows += [
        {"name": one.name, "kind": "to fetch", "about": one.about, "license": one.license}
        for one in PUBLISHED.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']:<14} {row['kind']:<9} {row['about']} ({row['license']})")
    click.echo("next: selfsown seeds show starter -n 3", err=True)


def _refuse_to_lose(source: Path, out: Path, force: bool) -> None:
    """Refuse to write over the seeds being checked, or over another file unless told to."""
    from selfsown.core.errors import InputError

    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(
            f"`{out}` is the file being checked",
            why="the seeds with errors would be lost instead of corrected",
            fix="write to another file, for example `-o clean.jsonl`",
        )
    if out.exists() and not force:
        raise InputError(
            f"`{out}` exists",
            why="it would be replaced",
            fix="name another file, or add `--force`",
        )


def _raise_if_unreadable(report: SeedReport) -> None:
    from selfsown.recipes.seeds.task import seed_file_error

    if any(problem.rule in _UNREADABLE for problem in report.errors):
        raise seed_file_error(report)


def _write_valid(report: SeedReport, out: Path) -> None:
    from selfsown.core.errors import CheckFailed, EnvironmentFailure
    from selfsown.recipes.seeds.writing import seeds_to_jsonl, write_atomically

    if not report.tasks:
        raise CheckFailed(
            f"`{report.source}` has no valid seed, so `{out}` was not written",
            why="a run needs seed tasks to start from",
            fix="correct the errors above, or use `--seeds starter`",
        )
    try:
        write_atomically(out, seeds_to_jsonl(report.tasks).encode())
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot write `{out}`: {error.strerror or error}",
            why="the valid seeds were not stored",
            fix="name a file in an existing, writable folder",
        ) from error
    dropped = {problem.line for problem in report.errors} - {None}
    click.echo(
        f"wrote `{out}`: {_count(len(report.tasks), 'seed')}; "
        f"{_count(len(dropped), 'row')} left out for errors",
        err=True,
    )


def _as_text(report: SeedReport) -> str:
    from selfsown.recipes.seeds.task import shown

    lines = []
    explained: set[tuple[str, str]] = set()
    for problem in report.problems:
        lines.append(f"{problem.severity:<8} {problem.headline(report.unit)}")
        for label, text in (("why", problem.why), ("fix", problem.fix)):
            if (problem.rule, text) not in explained:  # each explanation once is enough
                explained.add((problem.rule, text))
                lines.append(f"         {label}: {text}")
    counts = _counts(report)
    lines.append(
        f"`{shown(report.source)}`: {_count(counts['row_count'], 'row')}, "
        f"{_count(counts['usable_count'], 'usable seed')}, "
        f"{_count(counts['error_count'], 'error')}, {_count(counts['warning_count'], 'warning')}"
    )
    return "\n".join(lines)


def _as_json(report: SeedReport) -> str:
    problems = [
        {
            "line": problem.line,
            "seed_id": problem.seed_id,
            "severity": problem.severity,
            "rule": problem.rule,
            "what": problem.what,
            "why": problem.why,
            "fix": problem.fix,
        }
        for problem in report.problems
    ]
    found = {"source": report.source, **_counts(report), "problems": problems}
    return json.dumps(found, indent=2)  # ASCII: ids may hold characters that are no valid text


def _counts(report: SeedReport) -> dict[str, int]:
    return {
        "row_count": report.row_count,
        "usable_count": len(report.tasks),
        "error_count": len(report.errors),
        "warning_count": len(report.problems) - len(report.errors),
    }


def _task_as_text(task: SeedTask) -> str:
    kind = {True: "classification", False: "open", None: "kind not given"}[task.is_classification]
    lines = [f"{task.id}  {task.name}  ({kind})".replace("    ", "  ")]
    lines += _labelled("instruction", task.instruction)
    for instance in task.instances:
        lines += _labelled("input", instance.input) if instance.input else []
        lines += _labelled("output", instance.output)
    return "\n".join(lines)


def _labelled(label: str, text: str) -> list[str]:
    """Return `text` with its label before the first line and the rest aligned below it."""
    from selfsown.recipes.seeds.task import shown

    first, *rest = [shown(line, limit=len(line) + 1) for line in text.splitlines() or [""]]
    return [f"  {label:<12} {first}", *(f"  {'':<12} {line}".rstrip() for line in rest)]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
