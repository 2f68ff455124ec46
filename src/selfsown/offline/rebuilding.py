"""Running a recipe against its journal alone: what is not there is never handed over."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from selfsown.core.config import RunConfig
from selfsown.core.flow import JournalEnds
from selfsown.core.inputs import stored_rows
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.model import Model
from selfsown.core.progress import RunSettings
from selfsown.core.run import Run
from selfsown.core.rundir import INPUTS
from selfsown.core.stages import check_conservation
from selfsown.preparation import Inputs, make_origin
from selfsown.recipes.base import Recipe


async def run_recipe(run: Run, recipe: Recipe[Any], options: Any) -> bool:
    """Run a recipe without models; whether it came to its end."""
    complete = True
    try:
        await recipe.run(run, options)
    except JournalEnds:
        complete = False
    await run.settle(None)
    if complete:
        check_conservation(run.stages)
    return complete


def make_run(
    place: Path,
    journal: Journal,
    models: Mapping[str, Model],
    settings: RunSettings,
    config: RunConfig,
    recipe: Recipe[Any],
    inputs: Inputs,
    reuse: Sequence[tuple[str, Journal]] = (),
) -> Run:
    """A run without models that writes nothing outside `place`."""
    home = place if settings.mode == "plan" else Path(str(config.out))
    return Run(
        place,
        journal,
        models,
        None,
        settings,
        make_origin(config, recipe, models),
        seeds=inputs.seeds,
        rows=stored_rows(home),
        reuse=reuse,
    )


@contextlib.contextmanager
def open_journal(directory: Path) -> Iterator[Journal]:
    """The directory's journal, for reading."""
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        yield journal
    finally:
        journal.close()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A private directory that goes when the block ends."""
    path = Path(tempfile.mkdtemp(prefix="selfsown-"))
    (path / INPUTS).mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
