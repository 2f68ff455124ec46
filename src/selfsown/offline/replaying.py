"""Rebuild a run from its journal and compare: the proof that it can be reproduced."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from selfsown.core.effective import StandIn, read_effective
from selfsown.core.epochs import changes, last_epoch
from selfsown.core.errors import CheckFailed, SelfsownError
from selfsown.core.finish import json_text, write_data
from selfsown.core.journal import Journal
from selfsown.core.model import Model
from selfsown.core.progress import RunSettings
from selfsown.core.request import JSON
from selfsown.core.rundir import DATA_FILES, read_manifest
from selfsown.offline.rebuilding import make_run, open_journal, run_recipe, scratch
from selfsown.preparation import data_form, make_origin, stored_inputs
from selfsown.recipes.base import Recipe, get_recipe
from selfsown.runner import run_loop


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found."""

    complete: bool
    """Whether the journal holds the whole run."""
    identical: bool
    """Whether every data file and the manifest's data part came out as they are on disk."""
    different: tuple[str, ...]
    """Names of files (or `data`, the manifest's part) that came out otherwise."""
    data: Mapping[str, Any]
    """The data part as rebuilt."""


def replay(
    directory: str | Path, *, shuffle: bool = False, recipe: Recipe[Any] | None = None
) -> Replay:
    """Rebuild a run's data from its journal in a scratch directory and compare.

    Args:
        directory: a run directory. Nothing in it is written.
        shuffle: do it in a fresh process under another hash seed, with answers delayed at random.
        recipe: the recipe, where it is not to be looked up by its name (without `shuffle`).

    Raises:
        ReplayMismatch: a draw asks for something else than recorded: recipe code has changed.
        InputError: no run directory.
    """
    path = Path(directory)
    if shuffle:
        return _replay_elsewhere(path)
    found: Replay = run_loop(_replay(path, None, recipe))
    return found


async def _replay(directory: Path, shuffle: int | None, recipe: Recipe[Any] | None) -> Replay:
    config, effective = read_effective(directory)
    recipe = recipe or get_recipe(config.recipe)
    options = recipe.resolve(config.preset, config.options)
    models: dict[str, Model] = {role: StandIn(form) for role, form in effective["models"].items()}
    inputs = stored_inputs(recipe, directory)
    with open_journal(directory) as journal:
        form = data_form(config, recipe, options, models, inputs)
        _refuse_changes(directory, journal, form)
        epoch = last_epoch(journal)
        target = config.target or recipe.target
        settings = RunSettings(
            seed=config.seed,
            order=config.order,
            target=target,
            mode="replay",
            epoch=epoch.number if epoch else 0,
            shuffle=shuffle,
        )
        with scratch() as place:
            run = make_run(place, journal, models, settings, config, recipe, inputs)
            complete = await run_recipe(run, recipe, options)
            data = write_data(run, make_origin(config, recipe, models))
            run.close()
    return _compared(directory, complete, orjson.loads(json_text(data)))


def _compared(directory: Path, complete: bool, data: dict[str, Any]) -> Replay:
    different: tuple[str, ...] = ()
    if complete:
        manifest: Any = read_manifest(directory)
        old = manifest["data"]
        different = tuple(
            name for name in DATA_FILES if old["files"].get(name) != data["files"][name]
        )
        rest = [{k: v for k, v in part.items() if k != "files"} for part in (old, data)]
        if rest[0] != rest[1]:
            different = (*different, "data")
    return Replay(complete, complete and not different, different, data)


def _refuse_changes(directory: Path, journal: Journal, form: Mapping[str, JSON]) -> None:
    changed = changes(journal, form)
    if changed:
        raise CheckFailed(
            f"`{directory}` cannot be replayed by this config:\n  " + "\n  ".join(changed[:20]),
            why="its inputs, its config.yaml or the recipe's version have changed since",
            fix="undo the change, or run it with `--update` first",
        )


def _replay_elsewhere(directory: Path) -> Replay:
    """Replay in a child process under another hash seed, with answers delayed at random."""
    seed = random.SystemRandom().randrange(1, 2**32)
    command = [sys.executable, "-m", "selfsown.offline", str(directory), str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    child = subprocess.run(  # noqa: S603 our own interpreter and module
        command, env=environment, capture_output=True, check=False
    )
    if child.returncode != 0:
        text = child.stderr.decode(errors="replace").strip()
        raise CheckFailed(
            f"the shuffled replay of `{directory}` failed: {text.splitlines()[-1] if text else ''}",
            why=f"hash seed {seed}; a replay must not depend on it, nor on the order of answers",
            fix=f"PYTHONHASHSEED={seed} python -m selfsown.offline {directory} {seed}",
        )
    form = orjson.loads(child.stdout)
    form["different"] = tuple(form["different"])
    return Replay(**form)


def answer_parent(arguments: Sequence[str]) -> int:
    """What the child process of a shuffled replay does: `DIRECTORY SEED`, the finding on stdout."""
    directory, seed = Path(arguments[0]), int(arguments[1])
    try:
        found: Replay = run_loop(_replay(directory, seed, None))
    except SelfsownError as error:
        sys.stderr.write(f"{error.what}\n")
        return error.exit_code
    form = {name: getattr(found, name) for name in Replay.__slots__}
    sys.stdout.buffer.write(orjson.dumps(form))
    return 0
