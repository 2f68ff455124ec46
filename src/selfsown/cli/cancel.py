"""`selfsown cancel`: end a run's batches at the provider with what is done by now."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.core.batch_book import Batch, BatchBook
    from selfsown.core.batch_provider import Provider
    from selfsown.core.model import Model


@click.command()
@click.argument("run_dir", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--forget",
    is_flag=True,
    help="Give up also what the provider does not find any more; it counts as paid.",
)
def cancel(run_dir: Path, forget: bool) -> None:
    """Ask the provider to end the batches that the run or sharded job in DIR waits for.

    What was answered by then is paid, and used by the next start; the rest is asked again, in
    batches or, with --no-batch, one by one. Stop the run first.
    """
    from selfsown.cli.run import program
    from selfsown.runner import run_loop

    is_job, directories = _directories(run_dir)
    if not sum(run_loop(_tell(each, forget)) for each in directories):
        click.echo("no batch is waited for", err=True)
        return
    config = shlex.quote(str(run_dir / "config.yaml"))
    again = "the command that began it" if is_job else f"{program()} run {config}"
    click.echo(f"next: {again}{', with' if is_job else ''} --no-batch", err=True)


def _directories(directory: Path) -> tuple[bool, list[Path]]:
    """Whether a directory is that of a sharded job, and its runs: those that have begun, or it."""
    from selfsown.core.rundir import CONFIG, locked
    from selfsown.scale.job import is_job
    from selfsown.scale.places import JobPlaces

    if not is_job(directory):
        return False, [directory]
    with locked(directory):  # whoever works on the job says so, before any shard is touched
        shards = JobPlaces(directory).shard(0).parent
        return True, sorted(path.parent for path in shards.glob(f"*[0-9]/{CONFIG}"))


async def _tell(directory: Path, forget: bool) -> int:
    told = 0
    async for line in cancel_batches(directory, forget=forget):
        click.echo(line)
        told += 1
    return told


async def cancel_batches(directory: Path, *, forget: bool = False) -> AsyncIterator[str]:
    """Cancel what is open; one line for each batch.

    Args:
        directory: of the run.
        forget: close what cannot be canceled, at the worst that it can have cost.

    Raises:
        InputError: no run directory.
        EnvironmentFailure: a process works on the directory, or the provider refuses.
    """
    from selfsown.core.batch_book import BatchBook
    from selfsown.core.batch_model import BatchSettings
    from selfsown.core.batch_provider import Provider
    from selfsown.core.clock import SystemClock
    from selfsown.core.effective import read_effective
    from selfsown.core.errors import EnvironmentFailure
    from selfsown.core.journal import JOURNAL_NAME, Journal
    from selfsown.core.rundir import locked
    from selfsown.recipes.base import get_recipe
    from selfsown.runner import open_models

    tell = partial(click.echo, err=True)
    config, _ = read_effective(directory)
    clock, settings = SystemClock(), BatchSettings(**config.batch.model_dump(exclude={"ahead"}))
    async with open_models(config, get_recipe(config.recipe), {}) as models:
        with locked(directory):
            journal = Journal(directory / JOURNAL_NAME)
            try:
                book = BatchBook(journal, journal.scalar("SELECT max(seq) FROM sessions"), clock)
                named = {model.identity: model for model in models.values()}
                for batch in [each for each in book.open.values() if each.left]:
                    try:
                        model = _model_of(batch, named)
                        provider = Provider(model, settings, clock, tell, patience_s=5.0)
                        yield await _canceled(book, batch, provider)
                        if forget and batch.intent in book.open:
                            await provider.require_results(batch.remote)
                    except EnvironmentFailure as error:
                        if not forget:
                            raise
                        await book.close(batch, "ended", batch.worst)
                        yield f"{shown(batch.name)}: given up ({shown(error.what)})"
            finally:
                journal.close()


def _model_of(batch: Batch, named: Mapping[str, Model]) -> Model:
    from selfsown.core.errors import EnvironmentFailure

    if batch.model in named:
        return named[batch.model]
    raise EnvironmentFailure(
        f"the config has no model `{batch.uri}`, which batch `{batch.name}` was submitted to",
        why="only its provider can cancel the batch",
        fix="put the model back into config.yaml, or add `--forget`: it then counts as paid",
    )


async def _canceled(book: BatchBook, batch: Batch, provider: Provider) -> str:
    from selfsown.core.cost import NOTHING
    from selfsown.report.words import count

    if not batch.remote:
        found = await provider.find(batch, frozenset(book.others))
        if found is None:
            await book.close(batch, "lost", NOTHING, "it was never created")
            return f"{batch.name}: was never created"
        await book.submitted(batch, found.remote)
    state = await provider.cancel(batch.remote)
    book.seen(batch, state.done, state.total or batch.total)
    name = shown(batch.remote)
    if state.phase == "ended":
        return f"{name}: ended, {count(batch.done)} of {count(batch.total)} done"
    return f"{name}: is being canceled, {count(batch.done)} of {count(batch.total)} done so far"
