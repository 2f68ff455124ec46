"""`selfsown replay`: rebuild a run's data without a model and compare every checksum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfsown.offline import Replay


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--shuffle",
    is_flag=True,
    help="In a fresh process, under another hash seed, with answers delayed at random.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def replay(run_dir: Path, shuffle: bool, as_json: bool) -> int:
    """Rebuild the data of the run in DIR from its journal and compare it with the files there.

    No model is asked and nothing in DIR is written. Exit 1 if anything differs, or if the run has
    not ended, so that there is nothing to compare.
    """
    from selfsown.offline import replay as rebuild

    found = rebuild(run_dir, shuffle=shuffle)
    if as_json:
        click.echo(replay_json(found, shuffle))
    else:
        click.echo("\n".join(replay_lines(found)))
        if found.different:
            click.echo(
                "hint: the files were changed after the run, or the recipe depends on more than"
                f" its config; `selfsown doctor {run_dir}` checks the files",
                err=True,
            )
    return 0 if found.identical else 1


def replay_json(found: Replay, shuffle: bool) -> bytes:
    """The comparison as JSON."""
    import orjson

    form = {
        "complete": found.complete,
        "identical": found.identical,
        "shuffle": shuffle,
        "files": {
            name: {"identical": name not in found.different, **facts}
            for name, facts in found.data["files"].items()
        },
        "different": found.different,
    }
    return orjson.dumps(form, option=orjson.OPT_INDENT_2)


def replay_lines(found: Replay) -> list[str]:
    """One line per file: name, identical or different, rows, checksum as rebuilt."""
    from selfsown.cli.summary import aligned
    from selfsown.report.words import plural

    if not found.complete:
        made = found.data["files"]["accepted.jsonl"]["rows"]
        return [
            "incomplete: the journal does not hold the run's end, so there is nothing to compare",
            f"it leads to {plural(made, 'accepted record')} so far",
        ]
    rows = [
        [
            name,
            "different" if name in found.different else "identical",
            plural(facts["rows"], "row"),
            f"sha256 {facts['sha256'][:16]}",
        ]
        for name, facts in found.data["files"].items()
    ]
    rows.append(["manifest data", "different" if "data" in found.different else "identical"])
    return aligned(rows, right=(2,))
