"""`selfsown suites`: list and fetch evaluation suites, and look into them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.main import shown
from selfsown.cli.option_sets import out_file

if TYPE_CHECKING:
    from selfsown.core.request import JSON

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def suites() -> None:
    """List, fetch and show evaluation suites."""


@suites.command("list")
@_JSON
def list_suites(as_json: bool) -> None:
    """List the suites that have a name, and whether each is there."""
    from selfsown.cli.summary import aligned
    from selfsown.evaluate.lab_suites import lab_suite
    from selfsown.evaluate.open_suite import LAB_NAMES
    from selfsown.evaluate.published_suites import PUBLISHED, suite_file

    rows: list[dict[str, JSON]] = [
        {"suite": name, "about": lab_suite(name).about, "state": "built in"} for name in LAB_NAMES
    ]
    for name, published in PUBLISHED.items():
        there = suite_file(name).exists()
        state = f"at `{suite_file(name)}`" if there else f"selfsown suites get {name}"
        rows.append({"suite": name, "about": published.about, "state": state})
    if as_json:
        click.echo(_dumped(rows))
        return
    click.echo("\n".join(aligned([[str(cell) for cell in row.values()] for row in rows])))


@suites.command()
@click.argument("name")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: suites/NAME.jsonl.")
@click.option("--url", help="Mirror of the repository's files; checksums stay the same.")
def get(name: str, out: Path | None, url: str | None) -> None:
    """Fetch a published suite from its public repository; its checksum is verified."""
    from selfsown.evaluate.published_suites import PUBLISHED, get_suite

    def say(line: str) -> None:
        click.echo(line, err=True)

    path = get_suite(name, out, base=url, say=say)
    published = PUBLISHED[name]
    click.echo(f"{published.about}\nlicense: {published.license}", err=True)
    chosen = name if out is None else f"{name}={out}"
    click.echo(f"next: selfsown evaluate MODEL --suite {chosen} -o evals/NAME", err=True)
    click.echo(path)


@suites.command("held-out")
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@out_file("Suite file to write; it ends in .jsonl.")
@click.option("--open-book", is_flag=True, help="Show the passage with each question.")
@click.option("--hard", is_flag=True, help="Only what the run's model got wrong without passage.")
@click.option("--unfinished", is_flag=True, help="Write also from a run that has not ended.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def held_out(
    run_dir: Path, out: Path, open_book: bool, hard: bool, unfinished: bool, force: bool
) -> None:
    """Write the items of held-out documents of a run of `grounded` in DIR as a suite."""
    from selfsown.export.files import refuse_overwrite
    from selfsown.recipes.grounded.suite import write_suite
    from selfsown.report.words import plural

    refuse_overwrite((out,), force=force)
    facts = write_suite(run_dir, out, open_book=open_book, hard=hard, unfinished=unfinished)
    click.echo(
        f"{plural(facts.rows, 'item')} of documents that no training record is from", err=True
    )
    click.echo(f"next: selfsown evaluate MODEL --suite {shown(str(out))} -o evals/NAME", err=True)
    click.echo(out)


@suites.command()
@click.argument("suite")
@click.option("-n", "count", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--layout", help="Prompts of suites from files: published, task, plain or bare.")
@_JSON
def show(suite: str, count: int, layout: str | None, as_json: bool) -> None:
    """Show what SUITE asks: its settings, and its first COUNT instances as the model sees them."""
    from selfsown.evaluate.open_suite import SuiteChanges, open_suite

    found = open_suite(suite, SuiteChanges(layout=layout))
    form = asdict(found)
    form |= {"instances": form["instances"][:count], "n": len(found.instances)}
    if as_json:
        click.echo(_dumped({**form, "sha256": found.sha256}))
        return
    stops = ", ".join(f"`{shown(repr(stop))}`" for stop in found.stop) or "none"
    click.echo(f"{found.name}: {found.about}\ninstances: {len(found.instances)}")
    click.echo(f"metrics: {', '.join(found.metrics)}\nlongest answer: {found.max_tokens} tokens")
    click.echo(f"stop strings: {stops}\nscored: {found.answer.replace('_', ' ')}")
    click.echo(f"sha256: {found.sha256}")
    for one in found.instances[:count]:
        click.echo(f"--- {shown(one.id)}\n{_lines(one.prompt)}")
        click.echo(f"=> {' | '.join(shown(text) for text in one.references)}")


def _lines(text: str) -> str:
    """A text of several lines, each safe to print."""
    return "\n".join(shown(line) for line in text.split("\n"))


def _dumped(value: object) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
