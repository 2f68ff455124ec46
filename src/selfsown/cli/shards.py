"""`selfsown run … --shards N`: the options of a sharded job, and how it is shown and ends."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.arguments import Asked
from selfsown.cli.main import shown
from selfsown.cli.option_sets import with_options

if TYPE_CHECKING:
    from selfsown.scale.executor import Executor
    from selfsown.scale.job import Job, Rows
    from selfsown.scale.ledger import Totals
    from selfsown.scale.tasks import Outcome

shard_options = with_options(
    click.option(
        "--shards",
        metavar="N",
        type=click.IntRange(1, 100_000),
        help="Split the input over N runs of their own in DIR/shards; `selfsown merge` joins them.",
    ),
    click.option(
        "--on",
        "executor",
        type=click.Choice(["processes", "ray"]),
        help="What runs the shards: child processes here (default), or Ray.",
    ),
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(min=1),
        help="Shards in work at once; default: the CPUs of this machine, or of the cluster.",
    ),
    click.option(
        "--address", metavar="ADDRESS", help="Ray cluster; without it, a Ray on this machine."
    ),
    click.option(
        "--store",
        metavar="URL",
        help="Where shards keep their journals against the loss of a node: any fsspec URL.",
    ),
    click.option(
        "--epochs",
        metavar="N",
        type=click.IntRange(min=1),
        help="Let islands of a growing pool exchange what they made N-1 times.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardArguments:
    """The options above as typed."""

    shards: int | None = None
    executor: str | None = None
    workers: int | None = None
    address: str | None = None
    store: str | None = None
    epochs: int | None = None


def wants_shards(given: ShardArguments) -> bool:
    """Whether a job was asked for.

    Raises:
        UsageError: options of a job without `--shards`.
    """
    if given.shards is None and given != ShardArguments():
        raise click.UsageError("--on, --workers, --address, --store and --epochs need --shards N")
    if given.address is not None and given.executor != "ray":
        raise click.UsageError("--address goes with --on ray")
    if given.store is not None and given.store.partition(":")[0] == "memory":
        raise click.UsageError("--store memory: is seen by one process, and workers are others")
    return given.shards is not None


def perform_job(
    asked: Asked,
    given: ShardArguments,
    *,
    update: bool,
    retry_failed: bool,
    resume: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Work on a job to its end or to a stop, say what came of it, and return the exit code."""
    from selfsown.cli.main import print_error
    from selfsown.core.errors import Suspended
    from selfsown.scale.driver import run_job
    from selfsown.scale.job import Job

    assert given.shards is not None
    job = Job(
        config=asked.config,
        recipe=asked.recipe,
        shards=given.shards,
        epochs=given.epochs or 1,
        store=_place(given.store or ""),
        update=update,
        retry_failed=retry_failed,
        resume=resume,
    )
    tell = partial(_tell, job.shards * job.epochs) if not quiet else _say_nothing
    try:
        with _terminable():
            totals = run_job(job, _rows(asked), partial(_open, given), tell)
    except Suspended as error:
        print_error(error)
        click.echo(f"resume: {resume}", err=True)
        return error.exit_code
    if as_json:
        click.echo(_as_json(job, totals))
    if not quiet:
        _print_ending(job, totals)
    return 0


def _place(store: str) -> str:
    """A store's URL; a folder as an absolute path, since workers may be somewhere else."""
    return store if not store or "://" in store else str(Path(store).absolute())


def _rows(asked: Asked) -> Rows:
    """The input, read anew at each iteration."""
    from selfsown.cli.reading import counted
    from selfsown.core.errors import ConfigError
    from selfsown.preparation import copied_documents, given_rows, no_input
    from selfsown.recipes.seeds import read_seeds

    if asked.recipe.inputs == "seeds" and asked.config.documents is not None:
        raise ConfigError(
            "a growing pool with documents cannot be sharded",
            why="islands exchange seeds; each would need all documents and the same split",
            fix="leave out --shards",
        )
    kept = asked.rows if asked.recipe.inputs == "rows" else asked.seeds
    if kept is not None:
        return kept
    if asked.recipe.inputs == "rows":
        if asked.config.documents is not None:
            directory = Path(str(asked.config.out))
            return copied_documents(asked.config, asked.recipe, directory, counted)
        return given_rows(asked.config, asked.recipe)
    if asked.config.seeds is None:
        raise no_input(asked.recipe)
    return [task.to_mapping() for task in read_seeds(asked.config.seeds)]


def _open(given: ShardArguments) -> Executor:
    import os

    if given.executor == "ray":
        from selfsown.scale.on_ray import OnRay

        return OnRay(given.workers, given.address, has_store=given.store is not None)
    from selfsown.scale.processes import Processes

    return Processes(given.workers or os.cpu_count() or 1)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM stops the job like Ctrl-C."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(shards: int, outcome: Outcome, finished: int) -> None:
    """One line per shard that ends."""
    from selfsown.report.words import count, duration, plural

    state = outcome.status if not outcome.what else f"{outcome.status}: {shown(outcome.what)}"
    click.echo(
        f"shard {outcome.shard:05d}  {count(outcome.accepted)} kept,"
        f" {count(outcome.rejected)} rejected, {count(outcome.failed)} failed,"
        f" {plural(outcome.calls, 'call')}, {duration(outcome.wall_s)}; {state}"
        f" ({count(finished)} of {count(shards)})",
        err=True,
    )
    for note in outcome.notes:
        click.echo(f"  {shown(note)}", err=True)


def _say_nothing(outcome: Outcome, finished: int) -> None:
    """Tell nobody."""


def _as_json(job: Job, totals: Totals) -> bytes:
    from dataclasses import asdict

    import orjson

    form = {"directory": str(job.config.out), **asdict(totals)}
    return orjson.dumps(form, option=orjson.OPT_INDENT_2)


def _print_ending(job: Job, totals: Totals) -> None:
    from selfsown.cli.run import program
    from selfsown.core.cost import NANO
    from selfsown.report.words import count, plural, usd

    click.echo(
        f"finished: {plural(totals.shards, 'shard')}, {count(totals.accepted)} kept,"
        f" {count(totals.rejected)} rejected, {count(totals.failures)} failed;"
        f" {plural(totals.calls, 'call')}, {count(totals.tokens)} tokens,"
        f" {usd(totals.nano_usd / NANO)}",
        err=True,
    )
    out = shlex.quote(str(job.config.out))
    click.echo(f"next: {program()} merge {out} -o {out}/merged", err=True)
