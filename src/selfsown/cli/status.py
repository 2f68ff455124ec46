"""`selfsown status`: how far a run is, whether it goes on, has ended, was stopped or was killed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.core.config import RunConfig
    from selfsown.core.journal import Journal

State = Literal["running", "finished", "suspended", "killed"]


@dataclass(frozen=True, slots=True)
class Status:
    """What a run directory says about its run."""

    directory: str
    recipe: str
    state: State
    reason: str
    """Why it ended or was suspended; empty while it runs and after a kill."""
    process: int | None
    """The process that writes the directory now."""
    target: int | None
    stages: tuple[Mapping[str, Any], ...] | None
    """Counts as in the manifest; None if they were not asked for and no manifest is current."""
    sessions: int
    """How often it was started."""
    started: str
    """Stamp of the last start."""
    last_outcome: str
    """Stamp of the last answer; empty if there is none."""
    failures: int
    """Calls that failed for good and were not voided since."""
    batches: tuple[Mapping[str, Any], ...]
    """Batches that are waited for: `name`, `done`, `total`, `created` (stamp of the intent), and
    `submitted`, whether the provider is known to have it."""
    totals: Mapping[str, Any]
    """Calls, attempts, tokens and cost of the directory's whole life."""
    resume: str
    """The command that resumes a run that has not finished; empty for one that has or goes on."""
    extend: str
    """The command that extends a finished run; empty where there is no target."""


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Do not count stages where that takes a replay.")
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def status(run_dir: Path, quick: bool, as_json: bool) -> None:
    """Print how far the run, job, evaluation, loop or training in DIR is, and how to go on.

    Reads only, so it works while the run goes on, and on one that was killed.
    """
    from selfsown.cli.status_of_others import other_lines, read_other

    other = read_other(run_dir, lock_holder)
    if other is not None:
        if as_json:
            import orjson

            click.echo(orjson.dumps(asdict(other), option=orjson.OPT_INDENT_2))
        else:
            click.echo("\n".join(other_lines(other)))
        return
    found = read_status(run_dir, count_stages=not quick)
    if as_json:
        import orjson

        click.echo(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(status_lines(found)))


def read_status(directory: Path, *, count_stages: bool = True) -> Status:
    """The status of a run directory.

    Args:
        directory: of the run.
        count_stages: where no manifest is current, count by replaying the journal.

    Raises:
        InputError: no run directory.
        JournalDamaged: a row fails its checksum.
    """
    from selfsown.cli.run import program
    from selfsown.cli.summary import ending_words, extend_command
    from selfsown.core.effective import read_effective
    from selfsown.core.finish import journal_totals
    from selfsown.core.journal import JOURNAL_NAME, Journal
    from selfsown.evaluation import RECIPE_NAME
    from selfsown.recipes.base import get_recipe

    config, _ = read_effective(directory)
    process = lock_holder(directory)
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        starts = [str(row[1]) for row in journal.rows("sessions")]
        manifest = _current_manifest(directory, starts[-1] if starts else "")
        state: State = "running" if process else "killed"
        if manifest is not None and process is None:
            state = manifest["run"]["status"]
        target = config.target or get_recipe(config.recipe).target
        again = f"{program()} run {shlex.quote(str(directory / 'config.yaml'))}"
        is_evaluation = config.recipe == RECIPE_NAME
        if is_evaluation:
            again = _evaluation_command(directory, config)
        if manifest is not None and manifest["run"]["resume"]:
            again = manifest["run"]["resume"]
        ended = manifest if state in ("finished", "suspended") else None
        return Status(
            directory=str(directory),
            recipe="evaluation" if is_evaluation else config.recipe,
            state=state,
            reason=ending_words(ended) if ended else "",
            process=process,
            target=target,
            stages=_stages(directory, ended, count_stages),
            sessions=len(starts),
            started=starts[-1] if starts else "",
            last_outcome=_last_outcome(journal),
            failures=journal.scalar(
                "SELECT count(*) FROM outcomes WHERE ok=0"
                " AND seq NOT IN (SELECT outcome_seq FROM voids)"
            ),
            batches=tuple(_batches(journal)),
            totals=journal_totals(journal),
            resume=again if state in ("suspended", "killed") else "",
            extend=extend_command(program(), directory, target)
            if target and state == "finished"
            else "",
        )
    finally:
        journal.close()


def lock_holder(directory: Path) -> int | None:
    """The process that writes a run directory now; None if none does.

    The lock is only tried, for an instant and shared, and nothing is written. Where the system has
    no such locks (Windows) the answer is None.
    """
    path = directory / "run.lock"
    if os.name == "nt" or not path.exists():
        return None
    import fcntl

    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = handle.read().strip()
            return int(text) if text.isdigit() else -1
    return None


def status_lines(found: Status) -> list[str]:
    """The status in words."""
    from selfsown.cli.summary import stage_lines
    from selfsown.report.words import count, plural, usd

    totals = found.totals
    is_evaluation = found.recipe == "evaluation"
    state = {
        "running": f"running, in process {found.process}",
        "killed": "not finished: its process ended without a word (killed, or the machine went"
        " down)",
    }.get(found.state, f"{found.state}: {found.reason}")
    lines = [f"{found.directory}: {found.recipe}, {shown(state)}"]
    if found.stages is not None:
        lines += stage_lines(found.stages)
    lines += [
        f"calls: {count(totals['calls'])} in {plural(totals['attempts'], 'attempt')},"
        f" {count(found.failures)} failed for good",
        f"tokens: {count(totals['input_tokens'])} + {count(totals['output_tokens'])},"
        f" cost {usd(totals['cost_usd'])}",
        f"started: {found.started}"
        + (f" ({plural(found.sessions, 'start')} in all)" if found.sessions > 1 else ""),
        f"last answer: {found.last_outcome or 'none yet'}",
    ]
    lines += [_batch_line(batch) for batch in found.batches]
    lines += [f"resume: {found.resume}"] if found.resume else []
    lines += [f"more: {found.extend}"] if found.extend else []
    if is_evaluation and found.state == "finished":
        lines.append(_scores_line(Path(found.directory)))
    return lines


def _evaluation_command(directory: Path, config: RunConfig) -> str:
    """The command that finishes an evaluation, from what its directory keeps."""
    from selfsown.cli.run import program
    from selfsown.core.rundir import INPUTS, read_lines
    from selfsown.evaluate.lab_suites import is_lab_suite
    from selfsown.evaluate.published_suites import PUBLISHED

    rows = read_lines(directory / INPUTS / "rows.jsonl")
    names = dict.fromkeys(str(row["suite"]) for row in rows if isinstance(row, dict))
    known = [name if is_lab_suite(name) or name in PUBLISHED else f"{name}=FILE" for name in names]
    model = next(iter(config.models.values()))
    uri = model if isinstance(model, str) else str(model.get("uri", "MODEL"))
    suites = " ".join(f"--suite {shlex.quote(name)}" for name in known)
    return f"{program()} evaluate {shlex.quote(uri)} {suites} -o {shlex.quote(str(directory))}"


def _scores_line(directory: Path) -> str:
    """Where the scores of a finished evaluation are."""
    from selfsown.evaluate.results import RESULTS

    path = directory / RESULTS
    if path.is_file():
        return f"scores: `{path}`; tests against it: selfsown evaluate … --against {directory}"
    return f"scores: not written yet; the same `selfsown evaluate … -o {directory}` writes them"


def _batches(journal: Journal) -> Iterator[Mapping[str, Any]]:
    from selfsown.core.batch_book import open_batches

    for batch in open_batches(journal):
        if batch.left:
            yield {
                "name": batch.name,
                "done": batch.done,
                "total": batch.total,
                "created": batch.created,
                "submitted": bool(batch.remote),
            }


def _batch_line(batch: Mapping[str, Any]) -> str:
    from selfsown.report.words import count

    if not batch["submitted"]:
        return (
            f"batch {shown(batch['name'])} of {count(batch['total'])} calls was being submitted;"
            " the run finds out what became of it"
        )
    return (
        f"waiting for batch {shown(batch['name'])}, {count(batch['done'])} of"
        f" {count(batch['total'])} done at the last look"
    )


def _current_manifest(directory: Path, last_start: str) -> dict[str, Any] | None:
    """The manifest, if it is about the last start."""
    from selfsown.core.rundir import MANIFEST, read_manifest

    if not (directory / MANIFEST).exists():
        return None
    manifest: dict[str, Any] = read_manifest(directory)
    return manifest if manifest["run"]["started"] == last_start else None


def _stages(
    directory: Path, manifest: Mapping[str, Any] | None, count_stages: bool
) -> tuple[Mapping[str, Any], ...] | None:
    """The manifest's counts, else those that the journal leads to."""
    from selfsown.core.errors import CheckFailed, InputError
    from selfsown.offline import replay

    if manifest is not None:
        return tuple(manifest["data"]["stages"])
    if not count_stages:
        return None
    try:
        return tuple(replay(directory).data["stages"])
    except (InputError, CheckFailed):  # no manifest yet to compare with, or inputs changed since
        return None


def _last_outcome(journal: Journal) -> str:
    rows = journal.rows("outcomes", "WHERE seq=(SELECT max(seq) FROM outcomes)")
    return next((str(row[-1]) for row in rows), "")
