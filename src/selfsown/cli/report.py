"""`selfsown report`: the page and the numbers of a run directory."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the numbers instead of the path.")
@click.option("--card", is_flag=True, help="Also write README.md, the data-set card, anew.")
@click.option(
    "--open/--open-nothing",
    "open_page",
    default=False,
    help="Show the page in the browser; by default nothing is opened.",
)
def report(run_dir: Path, as_json: bool, card: bool, open_page: bool) -> None:
    """Write report.html and report.json of the run in DIR, finished or not.

    Prints the path of the page on stdout.
    """
    from selfsown.report.numbers import read_numbers
    from selfsown.report.page import write_report

    numbers = read_numbers(run_dir)
    write_report(run_dir, numbers)
    if card:
        from selfsown.report.card import write_card

        write_card(run_dir, numbers)
        click.echo(f"wrote `{run_dir / 'README.md'}`", err=True)
    click.echo(f"wrote `{run_dir / 'report.html'}` and `report.json`", err=True)
    if as_json:
        click.echo((run_dir / "report.json").read_bytes(), nl=False)
    else:
        click.echo(run_dir / "report.html")
    if open_page:
        click.launch(str(run_dir / "report.html"))
