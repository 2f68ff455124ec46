"""`selfsown export`: accepted records as the files that trainers read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.option_sets import out_file, refuse_both, suite_options

if TYPE_CHECKING:
    from selfsown.evaluate.suite import Suite
    from selfsown.export.export import ExportResult


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    required=True,
    metavar="FORMAT",
    help="messages, prompt-completion, prompt-completion-chat, alpaca, sharegpt or text.",
)
@out_file("File to write; Parquet if it ends in .parquet, else JSONL.")
@click.option(
    "--validation",
    default=0.0,
    show_default=True,
    help="Share of records for NAME.validation.SUFFIX; no instruction is in both files.",
)
@click.option("--seed", default=7, show_default=True, help="Seed of the split.")
@click.option(
    "--prompt-field",
    metavar="NAME",
    help="Field with the whole request; default `instruction` and `input`, or else what was sent.",
)
@click.option(
    "--completion-field",
    metavar="NAME",
    help="Field with the answer; default `output`, `completion`.",
)
@click.option("--system-field", metavar="NAME", help="Field with the system text; default none.")
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    help="Folder of the tokenizer to count with; without it tokens are estimated from bytes.",
)
@suite_options
@click.option("--unfinished", is_flag=True, help="Export also from a run that has not ended.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(
    run_dir: Path,
    format_name: str,
    out: Path,
    validation: float,
    seed: int,
    prompt_field: str | None,
    completion_field: str | None,
    system_field: str | None,
    tokenizer: Path | None,
    suites: tuple[str, ...],
    no_decontaminate: bool,
    unfinished: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the accepted records of the run in DIR as a trainer's file.

    Prints the files on stdout and a table of lengths on stderr. Beside each file lies
    FILE.provenance.jsonl, which says line by line where the records came from, and, where records
    repeat items of evaluation suites, FILE.overlaps.jsonl, which lists them.
    """
    from selfsown.evaluate.overlap import Sieve, overlaps_path, suite_index
    from selfsown.export.export import ExportOptions, export_run
    from selfsown.export.lengths import format_table
    from selfsown.report.words import plural

    cleaned_of = suites_for(run_dir, suites, is_off=no_decontaminate)
    sieve = Sieve(suite_index(cleaned_of)) if cleaned_of else None
    result = export_run(
        run_dir,
        out,
        ExportOptions(
            format=format_name,
            validation=validation,
            seed=seed,
            prompt_field=prompt_field,
            completion_field=completion_field,
            system_field=system_field,
            tokenizer=tokenizer,
            unfinished=unfinished,
            force=force,
        ),
        admit=sieve.admits if sieve else None,
    )
    removed = sieve.removed if sieve else []
    listed = sieve.write_removed(out) if sieve and removed else None
    if listed is None:
        overlaps_path(out).unlink(missing_ok=True)  # of the export that this one replaces
    if as_json:
        click.echo(_as_json(result, [one.name for one in cleaned_of], len(removed)))
        return
    names = ", ".join(f"`{one.name}`" for one in cleaned_of)
    click.echo(f"clean of: {names or 'no suite'}, {len(removed)} removed", err=True)
    if listed:
        click.echo(f"what was removed is listed in `{listed}`", err=True)
    click.echo(format_table(result.lengths), err=True)
    click.echo(f"tokens: {result.token_source}", err=True)
    for file in result.files:
        counted = plural(file.row_count, "record")
        click.echo(f"{counted}, provenance in `{file.provenance}`", err=True)
        click.echo(file.path)


def suites_for(run_dir: Path, named: tuple[str, ...], *, is_off: bool) -> list[Suite]:
    """The suites that an export is cleaned of: those named, else those at hand.

    `run_dir` may be a file, of which no models are known.
    """
    from selfsown.evaluate.open_suite import open_suites, suites_at_hand
    from selfsown.export.run_files import mapping, open_run, string
    from selfsown.train.decontamination import has_lab_tokenizer
    from selfsown.train.plan import local_folder

    refuse_both(named, no_decontaminate=is_off)
    if named or is_off:
        return open_suites(named)
    models = mapping(open_run(run_dir).config.get("models") if run_dir.is_dir() else None)
    uris = [string(mapping(one).get("uri")) or string(one) for one in models.values()]
    folders = [folder for uri in uris if (folder := local_folder(uri)) is not None]
    is_lab = any(uri.partition(":")[0] == "lab" for uri in uris)
    return open_suites(suites_at_hand(lab=is_lab or any(map(has_lab_tokenizer, folders))))


def _as_json(result: ExportResult, suites: list[str], removed: int) -> bytes:
    import orjson

    return orjson.dumps(
        {
            "files": [
                {"path": str(file.path), "rows": file.row_count, "provenance": str(file.provenance)}
                for file in result.files
            ],
            "clean_of": suites,
            "removed": removed,
            "token_source": result.token_source,
            "lengths": result.lengths,
        },
        option=orjson.OPT_INDENT_2,
    )
