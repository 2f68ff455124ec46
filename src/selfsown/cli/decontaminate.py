"""`selfsown decontaminate`: indexes of benchmarks, and data that repeat nothing of them."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.main import shown
from selfsown.cli.option_sets import out_file

if TYPE_CHECKING:
    from selfsown.evaluate.overlap import TrainingOverlap

_LISTED = 20
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DATA = click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
_INDEX = click.option(
    "--index",
    "indexes",
    multiple=True,
    metavar="NAME",
    help="Index file, or NAME for indexes/NAME.index; may be repeated.",
)
_SUITE = click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="SUITE",
    help="Suite as in `evaluate`, indexed in memory; may be repeated.",
)


@click.group()
def decontaminate() -> None:
    """Keep training data, seeds and prompts apart from what evaluations ask."""


@decontaminate.command()
@click.argument("source", metavar="FILE|SUITE")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: indexes/NAME.index]",
)
@click.option("--name", help="Of the benchmark.  [default: that of the suite or the file]")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME",
    help="Protect this field of the rows of FILE (JSONL, JSON or CSV); may be repeated.",
)
@_JSON
def index(
    source: str, out: Path | None, name: str | None, fields: tuple[str, ...], as_json: bool
) -> None:
    """Write the index of a suite, or of fields of any benchmark FILE."""
    from selfsown.cleaning.indexes import make_index
    from selfsown.report.words import plural

    path, made = make_index(source, out, name=name, fields=fields)
    if as_json:
        click.echo(_dumped({"index": str(path), "benchmarks": made.benchmarks}))
        return
    for benchmark, count in made.benchmarks.items():
        click.echo(f"{benchmark}: {plural(count, 'text')} protected", err=True)
    asked = shlex.quote(str(path))
    click.echo(f"next: selfsown decontaminate check DATA --index {asked}", err=True)
    click.echo(path)


@decontaminate.command()
@_DATA
@_INDEX
@_SUITE
@_JSON
@click.pass_context
def check(
    ctx: click.Context,
    data: Path,
    indexes: tuple[str, ...],
    suites: tuple[str, ...],
    as_json: bool,
) -> None:
    """List the rows of DATA that repeat an item; exit 1 if there are any.

    DATA is a training file, seeds, prompts or other rows: JSONL, JSON, CSV or lines of text.
    """
    from selfsown.cleaning.indexes import open_indexes
    from selfsown.evaluate.overlap import file_overlaps

    _require_any(indexes, suites)
    opened = open_indexes(indexes, suites)
    found = list(file_overlaps(data, opened))
    if as_json:
        lines = [asdict(one) for one in found]
        click.echo(_dumped({"benchmarks": opened.benchmarks, "lines": lines}))
    else:
        click.echo("\n".join(_overlap_lines(found)))
    if found:
        asked = [f"--index {shlex.quote(one)}" for one in indexes]
        asked += [f"--suite {shlex.quote(one)}" for one in suites]
        again = f"selfsown decontaminate clean {shlex.quote(str(data))} {' '.join(asked)} -o CLEAN"
        click.echo(f"hint: {again}", err=True)
        ctx.exit(1)


@decontaminate.command()
@_DATA
@out_file("JSONL file to write; what was removed goes to OUT.overlaps.jsonl.")
@_INDEX
@_SUITE
@_JSON
def clean(
    data: Path, out: Path, indexes: tuple[str, ...], suites: tuple[str, ...], as_json: bool
) -> None:
    """Copy DATA without the rows that repeat an item."""
    from selfsown.cleaning.indexes import open_indexes
    from selfsown.evaluate.overlap import clean_file

    _require_any(indexes, suites)
    opened = open_indexes(indexes, suites)
    cleaned = clean_file(data, out, opened)
    if as_json:
        lines = [asdict(one) for one in cleaned.removed]
        click.echo(_dumped({"benchmarks": opened.benchmarks, "kept": cleaned.kept, "lines": lines}))
        return
    click.echo("\n".join(_overlap_lines(list(cleaned.removed))), err=True)
    click.echo(f"kept: {cleaned.kept}\nremoved: {len(cleaned.removed)}, listed in", err=True)
    click.echo(f"`{cleaned.list_path}`", err=True)
    click.echo(out)


def _require_any(indexes: tuple[str, ...], suites: tuple[str, ...]) -> None:
    if not indexes and not suites:
        raise click.UsageError("name what DATA is compared with: --index NAME or --suite SUITE")


def _overlap_lines(found: list[TrainingOverlap]) -> list[str]:
    from selfsown.cli.summary import aligned
    from selfsown.report.words import plural

    rows: list[list[str]] = []
    for one in found[:_LISTED]:
        first = one.overlaps[0]
        item = f"{first.benchmark} {first.part} {first.item}"
        rows.append(
            [f"row {one.line}", f"{first.ratio:.0%}", first.how, shown(item), shown(one.text[:60])]
        )
    more = [f"and {len(found) - _LISTED} more; --json lists all"] if len(found) > _LISTED else []
    return [f"{plural(len(found), 'row')} in the evaluation", *aligned(rows, right=(1,)), *more]


def _dumped(value: object) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
