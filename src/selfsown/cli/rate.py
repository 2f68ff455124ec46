"""`selfsown rate`: blind human rating of answers on four levels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.evaluate.rating.agreement import Estimate
    from selfsown.evaluate.rating.reading import RatingSummary


@click.group()
def rate() -> None:
    """Let people rate answers blindly, A to D, and read their ratings back."""


@rate.command()
@click.argument("answers", nargs=-1, required=True, metavar="[NAME=]EVAL_OR_FILE...")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="New directory.")
@click.option("--suite", help="Suite to rate, where evaluations have several.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="So many instances, at random.")
@click.option("--seed", default=0, show_default=True, help="Seed of order and choice.")
def make(
    answers: tuple[str, ...], out: Path, suite: str | None, limit: int | None, seed: int
) -> None:
    """Make a blind sheet of the answers of one or more models to the same instances.

    Each argument is the directory of an evaluation or a prediction file. Raters get sheet.csv or
    rate.html; key.json stays with you.
    """
    from selfsown.evaluate.rating.sheet import KEY, PAGE, SHEET, make_sheet
    from selfsown.evaluate.rating.sources import answers_of

    sheet = make_sheet(answers_of(answers, suite), out, seed=seed, limit=limit)
    if sheet.leaks:
        click.echo(
            f"warning: {sheet.leaks} answers contain the name of a model; raters may see whose "
            "they are",
            err=True,
        )
    click.echo(f"items: {len(sheet.items)}", err=True)
    click.echo(f"for raters: `{out / PAGE}` or `{out / SHEET}`", err=True)
    click.echo(f"keep to yourself: `{out / KEY}`", err=True)
    click.echo(f"next: selfsown rate read {out} RATER1.csv RATER2.csv", err=True)
    click.echo(out)


@rate.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("ratings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def read(directory: Path, ratings: tuple[Path, ...], as_json: bool) -> None:
    """Read raters' CSV files of the sheet in DIRECTORY: counts, shares, agreement."""
    from dataclasses import asdict

    import orjson

    from selfsown.evaluate.rating.reading import read_ratings

    summary = read_ratings(directory, ratings)
    if as_json:
        click.echo(orjson.dumps(asdict(summary), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(summary_lines(summary)))


def summary_lines(summary: RatingSummary) -> list[str]:
    """Ratings as aligned text; shares times 100."""
    from selfsown.cli.summary import aligned
    from selfsown.evaluate.rating.agreement import LEVELS

    rows = [["rater", "model", *LEVELS, "n", "A or B, %"]]
    for rater in summary.raters:
        for one in rater.models:
            share = one.a_or_b
            cell = f"{100 * share.mean:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"
            counts = [str(one.counts[level]) for level in LEVELS]
            rows.append([shown(rater.rater), shown(one.model), *counts, str(one.n), cell])
    lines = aligned(rows, right=(2, 3, 4, 5, 6))
    lines += [
        f"unrated by {shown(one.rater)}: {one.unrated}" for one in summary.raters if one.unrated
    ]
    for pair in summary.pairs:
        found = pair.agreement
        lines.append(f"\n{shown(pair.first)} and {shown(pair.second)}, {found.n} items")
        for word, estimate in (
            ("same level", found.raw),
            ("kappa, four levels", found.kappa),
            ("kappa, A or B against C or D", found.kappa_two_classes),
            ("kappa, quadratic weights", found.weighted_kappa),
            ("Spearman", found.spearman),
        ):
            lines.append(f"  {word}: {_words(estimate)}")
    return lines


def _words(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "not defined, since a rater always says the same"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
