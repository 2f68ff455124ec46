"""`selfsown dedup`: a file without rows that nearly repeat an earlier one."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.main import shown
from selfsown.cli.option_sets import out_file
from selfsown.curate.minhash import BANDS, ROWS

if TYPE_CHECKING:
    from selfsown.cleaning.near_duplicates import Deduplicated
    from selfsown.curate.near_duplicates import Method


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@out_file("JSONL file to write; what was removed goes to OUT.removed.jsonl.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME",
    help="Compare the text of this field; may be repeated. Default: all text of a row.",
)
@click.option(
    "--threshold",
    default=0.8,
    show_default=True,
    help="Jaccard likeness from which on a row repeats another.",
)
@click.option(
    "--words",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="Words of a shingle; texts are compared as sets of shingles.",
)
@click.option(
    "--method",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "exact", "minhash"]),
    help="What finds candidates: exact misses none; auto is exact up to 64 shingles.",
)
@click.option(
    "--bands", default=BANDS, show_default=True, type=click.IntRange(min=1), help="Of minhash."
)
@click.option(
    "--rows",
    default=ROWS,
    show_default=True,
    type=click.IntRange(min=1),
    help="Of a band.",
)
@click.option(
    "--semantic",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Local encoder (Hugging Face folder): remove also what says the same in other words.",
)
@click.option(
    "--cosine",
    default=0.95,
    show_default=True,
    help="Cosine of embeddings from which on a row repeats another; for --semantic.",
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Rows that are there already: what repeats one of them goes, too; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print counts and largest clusters as JSON.")
def dedup(
    file: Path,
    out: Path,
    fields: tuple[str, ...],
    threshold: float,
    words: int,
    method: Method,
    bands: int,
    rows: int,
    semantic: Path | None,
    cosine: float,
    against: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Copy FILE (JSONL, JSON or CSV) without rows that nearly repeat an earlier one.

    The first row of several that are alike stays. Every candidate is compared exactly, so no row
    goes that is less alike than --threshold.
    """
    from selfsown.cleaning.near_duplicates import dedup_file
    from selfsown.curate.minhash import Banding
    from selfsown.curate.near_duplicates import EXACT_UP_TO, NearDuplicates

    banding = Banding(bands, rows)
    near = NearDuplicates(threshold, words=words, method=method, banding=banding)
    with contextlib.ExitStack() as stack:
        points = None
        if semantic is not None:
            from selfsown.cleaning.semantic import open_semantic

            points = stack.enter_context(open_semantic(semantic, out, cosine))
        done = dedup_file(file, out, near, fields=fields, semantic=points, against=against)
    if points is None:
        click.echo("not compared by meaning: no encoder was given with --semantic", err=True)
    else:
        click.echo(f"embeddings: {points.computed} computed, others journaled before", err=True)
    if method != "exact":
        of = "" if method == "minhash" else f" of more than {EXACT_UP_TO} shingles"
        rate = f"{banding.found_rate(threshold):.3f}"
        click.echo(f"minhash finds pairs{of} at the threshold with probability {rate}", err=True)
    _report(done, as_json=as_json)


def _report(done: Deduplicated, *, as_json: bool) -> None:
    import orjson

    from selfsown.cli.summary import aligned
    from selfsown.report.words import plural

    if as_json:
        click.echo(orjson.dumps(asdict(done), default=str, option=orjson.OPT_INDENT_2))
        return
    table = [
        [
            plural(one.removed, "row"),
            "like",
            f"row {one.line}" + (f" of {one.file}" if done.known else ""),
            shown(one.text[:60]),
        ]
        for one in done.largest
    ]
    if table:
        click.echo("\n".join(aligned(table)), err=True)
    click.echo(
        f"rows: {done.rows} in, {done.kept} kept, {done.removed} removed, which repeat "
        f"{plural(done.clusters, 'kept row')}",
        err=True,
    )
    click.echo(f"what was removed is listed in `{done.list_path}`", err=True)
    click.echo(done.path)
