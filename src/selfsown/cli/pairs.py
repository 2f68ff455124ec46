"""`selfsown pairs`: preference pairs of a run or a file, in the columns of a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.export import suites_for
from selfsown.cli.option_sets import out_file, suite_options

if TYPE_CHECKING:
    from selfsown.preference.export import ExportedPairs


@click.command()
@click.argument("origin", metavar="DIR|FILE", type=click.Path(path_type=Path))
@out_file("File to write; Parquet if it ends in .parquet, else JSONL.")
@click.option(
    "--format",
    "format_name",
    default="records",
    show_default=True,
    metavar="FORMAT",
    help="records (all fields), trl, trl-chat, axolotl, llama-factory or llama-factory-alpaca.",
)
@click.option(
    "--also",
    multiple=True,
    metavar="REASON",
    help="Use records rejected for this reason, too; may be repeated.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="REASON",
    help="Do not use records rejected for this reason; may be repeated.",
)
@click.option(
    "--prompt-field",
    metavar="NAME",
    help="Field with the whole request; default `instruction` and `input`.",
)
@click.option(
    "--completion-field",
    metavar="NAME",
    help="Field with the answer; default `output`, `completion`.",
)
@click.option("--system-field", metavar="NAME", help="Field with the system text; default none.")
@suite_options
@click.option("--unfinished", is_flag=True, help="Read also a run that has not ended.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def pairs(
    origin: Path,
    out: Path,
    format_name: str,
    also: tuple[str, ...],
    without: tuple[str, ...],
    prompt_field: str | None,
    completion_field: str | None,
    system_field: str | None,
    suites: tuple[str, ...],
    no_decontaminate: bool,
    unfinished: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the preference pairs of the run in DIR, or those of a FILE, for a trainer.

    The accepted records of a preference recipe are pairs. Of any other run, a record that was
    rejected for a fault of its answer, such as votes that disagree, becomes the rejected side of a
    pair with an accepted answer to the same prompt. Records that give no pair are listed with why
    beside the output in .left_out.jsonl, and where pairs came from in .provenance.jsonl.
    """
    from selfsown.evaluate.overlap import row_overlaps, suite_index
    from selfsown.preference.export import PairOptions, export_pairs

    cleaned_of = suites_for(origin, suites, is_off=no_decontaminate)
    index = suite_index(cleaned_of) if cleaned_of else None
    result = export_pairs(
        origin,
        out,
        PairOptions(
            format=format_name,
            also=also,
            without=without,
            prompt_field=prompt_field,
            completion_field=completion_field,
            system_field=system_field,
            unfinished=unfinished,
            force=force,
        ),
        admit=(lambda row: not row_overlaps(row, index)) if index is not None else None,
    )
    _report(result, [one.name for one in cleaned_of], as_json=as_json)


def _report(result: ExportedPairs, cleaned_of: list[str], *, as_json: bool) -> None:
    import orjson

    from selfsown.cli.summary import aligned
    from selfsown.report.words import plural

    if as_json:
        click.echo(orjson.dumps(_form(result, cleaned_of), option=orjson.OPT_INDENT_2))
        return
    head = "picked by" if result.is_recorded else "rejected for"
    table = [[head, "records", "pairs", "left out"]]
    for reason, count in result.by_reason.items():
        whys = sorted(result.left_out.get(reason, {}).items())
        words = ", ".join(f"{why} {number:,}" for why, number in whys)
        table.append([reason, f"{count:,}", f"{result.pairs[reason]:,}", words])
    click.echo("\n".join(aligned(table, right=(1, 2))), err=True)
    names = ", ".join(f"`{name}`" for name in cleaned_of)
    click.echo(f"clean of: {names or 'no suite'}", err=True)
    click.echo(
        f"records: {result.records:,} in, {plural(result.pair_count, 'pair')},"
        f" {result.left_out_count:,} left out, listed in `{result.left_out_path}`",
        err=True,
    )
    click.echo(f"provenance in `{result.provenance}`", err=True)
    click.echo(result.path)


def _form(result: ExportedPairs, cleaned_of: list[str]) -> dict[str, object]:
    return {
        "path": str(result.path),
        "provenance": str(result.provenance),
        "left_out_path": str(result.left_out_path),
        "clean_of": cleaned_of,
        "records": result.records,
        "pairs": result.pair_count,
        "left_out": result.left_out_count,
        "by_reason": {
            reason: {
                "records": count,
                "pairs": result.pairs[reason],
                "left_out": dict(sorted(result.left_out.get(reason, {}).items())),
            }
            for reason, count in result.by_reason.items()
        },
    }
