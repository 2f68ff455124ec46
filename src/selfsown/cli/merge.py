"""`selfsown merge`: runs and sharded jobs become one data set."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument(
    "directories", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o", "--out", metavar="OUT", required=True, type=click.Path(path_type=Path), help="Directory."
)
@click.option(
    "--novelty",
    metavar="X",
    type=click.FloatRange(0, 1),
    help="Drop records whose text has a ROUGE-L above X with an earlier one."
    " Default: what the recipe uses.",
)
@click.option("--no-novelty", is_flag=True, help="Do not compare records with each other.")
@click.option(
    "--field",
    metavar="NAME",
    default="instruction",
    show_default=True,
    help="Field that novelty and near-duplicates are judged by.",
)
@click.option(
    "--near-duplicates",
    metavar="J",
    type=click.FloatRange(0, 1, min_open=True),
    help="Drop records whose text has a Jaccard likeness of J or more with an earlier one.",
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="SUITE",
    help="Drop records that repeat items of it; may be repeated.",
)
@click.option(
    "--index",
    "indexes",
    multiple=True,
    metavar="NAME",
    help="The same for an index of `decontaminate index`; may be repeated.",
)
@click.option(
    "--mix",
    default="",
    metavar="FIELD=VALUE:WEIGHT,...",
    help="Keep the largest set in which the values of FIELD have these shares.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def merge(
    directories: tuple[Path, ...],
    out: Path,
    novelty: float | None,
    no_novelty: bool,
    field: str,
    near_duplicates: float | None,
    suites: tuple[str, ...],
    indexes: tuple[str, ...],
    mix: str,
    as_json: bool,
) -> None:
    """Merge finished runs, or all shards of a job, into the directory OUT.

    The order is that of the input, whoever worked on what: (epoch, ordinal, shard, id). Filters
    over all of them keep the first and make rejected records of the others: nothing disappears.

    \b
      selfsown merge runs/big -o runs/big/merged
      selfsown merge runs/a runs/b -o runs/ab --novelty 0.7 --field completion
    """  # noqa: D301 `\b` tells click not to wrap
    from selfsown.evaluate.open_suite import open_suites
    from selfsown.scale.data_set import Asked, merge_directories

    asked = Asked(
        novelty=novelty,
        no_novelty=no_novelty,
        field=field,
        near_duplicates=near_duplicates,
        suites=open_suites(suites),
        indexes=indexes,
        mix=mix,
    )
    manifest: Any = merge_directories(directories, out, asked)
    if as_json:
        import orjson

        click.echo(orjson.dumps({"directory": str(out), **manifest}, option=orjson.OPT_INDENT_2))
        return
    from selfsown.cli.summary import stage_lines
    from selfsown.report.words import count, plural

    facts = manifest["data"]["notes"]["merge"]
    click.echo("\n".join(stage_lines(manifest["data"]["stages"])), err=True)
    dropped = ", ".join(f"{reason} {count(n)}" for reason, n in facts["rejected"].items())
    click.echo(
        f"merged {plural(facts['runs'], 'run')}: {count(facts['in'])} accepted in,"
        f" {count(facts['accepted'])} kept; dropped: {dropped or 'none'}",
        err=True,
    )
    click.echo(f"wrote `{out / 'accepted.jsonl'}`", err=True)
    click.echo(f"next: {export_command(out, manifest['data']['recipe'])}", err=True)


def export_command(out: Path, recipe: str) -> str:
    """How a merge is exported; without a journal, what was asked is a field of the rows."""
    from selfsown.cli.run import DOCUMENT, TEXTS, mix_words, program, writing_words
    from selfsown.core.rundir import read_lines
    from selfsown.recipes.base import get_recipe

    if get_recipe(recipe).target_unit == "pair":
        return f"{program()} pairs {shlex.quote(str(out))} -o pairs.jsonl"
    if get_recipe(recipe).target_unit in TEXTS:
        return f"{program()} {mix_words(out, None)}"
    if get_recipe(recipe).target_unit == DOCUMENT:
        return f"{program()} {writing_words(out)}"
    asks_by_row = get_recipe(recipe).inputs == "rows" and not get_recipe(recipe).takes_documents
    first = next(read_lines(out / "accepted.jsonl"), None)
    is_named = not asks_by_row or (isinstance(first, dict) and "instruction" in first)
    field = "" if is_named else " --prompt-field NAME"
    return f"{program()} export {shlex.quote(str(out))} --format messages{field} -o train.jsonl"
