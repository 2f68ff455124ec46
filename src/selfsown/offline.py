"""Without asking any model: rebuild a run from its journal, or say what a run would ask.

Both run the recipe against the journal; what the journal does not have is never handed over.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from selfsown.core.config import RunConfig
from selfsown.core.cost import NANO, Tariff
from selfsown.core.effective import StandIn, read_effective
from selfsown.core.epochs import changes, last_epoch, order_to_prefer
from selfsown.core.errors import CheckFailed, SelfsownError
from selfsown.core.finish import write_data
from selfsown.core.flow import JournalEnds
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.model import Model
from selfsown.core.request import JSON
from selfsown.core.run import Missing, Run, RunSettings
from selfsown.core.rundir import DATA_FILES, INPUTS, read_manifest
from selfsown.core.stages import check_conservation
from selfsown.recipes.base import CallBound, Recipe, get_recipe
from selfsown.runner import (
    Inputs,
    data_form,
    make_origin,
    open_models,
    prepare_inputs,
    run_loop,
    stored_inputs,
)


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
    with _journal(directory) as journal:
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
        with _scratch(directory) as scratch:
            run = _make_run(scratch, journal, models, settings, config, recipe, inputs)
            complete = await _run(run, recipe, options)
            data = write_data(run, make_origin(config, recipe, models))
            run.close()
    return _compared(directory, complete, orjson.loads(orjson.dumps(data, default=list)))


@dataclass(frozen=True, slots=True)
class Plan:
    """What starting a config would ask, given what its directory already has."""

    exact: bool
    """Whether `new_calls` is exact (independent rows) rather than a bound (growing pool)."""
    cached_calls: int
    """Asks that the journal answers."""
    new_calls: int
    """Calls to pay for; an upper bound unless `exact`."""
    expected_calls: int | None
    """Best guess: the directory's own calls per accepted unit so far, else the recipe's usual
    figure. None if neither is known; equal to `new_calls` if `exact`."""
    bounds: tuple[CallBound, ...]
    """The same by kind."""
    input_tokens: int
    """Upper bound of prompt tokens of the new calls that can be seen; estimated beyond."""
    output_tokens: int
    """Upper bound of generated tokens."""
    worst_usd: float | None
    """Upper bound of the cost; None if a price is unknown."""
    first_divergent_draw: int | None
    """Growing pool after a change: first recorded draw whose request is not in the journal."""
    changes: tuple[str, ...]
    """What differs from the directory's config; `--update` is needed if any."""
    keys: frozenset[str] = field(default=frozenset(), repr=False)
    """Hex keys of the calls that would be made first (all of them if `exact`)."""


async def plan(
    config: RunConfig,
    *,
    recipe: Recipe[Any] | None = None,
    retry_failed: bool = False,
    opened: Mapping[str, Model] | None = None,
    rows: Iterable[Mapping[str, JSON]] | None = None,
    seeds: Iterable[Mapping[str, JSON]] | None = None,
) -> Plan:
    """Say what a run of this config would ask. Nothing is sent and no directory is written."""
    recipe = recipe or get_recipe(config.recipe)
    options = recipe.resolve(config.preset, config.options)
    directory = Path(config.out) if config.out else None
    async with open_models(config, recipe, opened or {}) as models:
        with _scratch(directory) as scratch:
            inputs = prepare_inputs(config, recipe, scratch, rows, seeds)
            with _planning_journal(directory, scratch) as journal:
                form = data_form(config, recipe, options, models, inputs)
                changed = tuple(changes(journal, form))
                epoch = last_epoch(journal)
                number = (epoch.number if epoch else 0) + bool(changed or retry_failed)
                settings = RunSettings(
                    seed=config.seed,
                    order=config.order,
                    target=config.target or recipe.target,
                    mode="plan",
                    epoch=number,
                    earlier_epoch=order_to_prefer(journal, number, form),
                )
                run = _make_run(scratch, journal, models, settings, config, recipe, inputs)
                run.forget_failures = retry_failed
                await _run(run, recipe, options)
                run.close()
                return _planned(run, journal, recipe, options, models, changed)


def _planned(
    run: Run,
    journal: Journal,
    recipe: Recipe[Any],
    options: Any,
    models: Mapping[str, Model],
    changed: tuple[str, ...],
) -> Plan:
    distinct = {missing.key: missing for missing in run.missing}
    exact = recipe.bound is None
    done = left = 0
    if recipe.bound is None:
        bounds = _by_role(distinct.values())
    else:
        counted = recipe.target_stage(options) if recipe.target_stage else ""
        done = next((s.counts.kept for s in run.stages if s.name == counted), 0)
        left = max(0, (run.target or 0) - done)
        over = bool(run.stop_reason)
        bounds = () if over else recipe.bound(options, left, len(run.seeds))
    prompt = [missing.prompt_bytes for missing in distinct.values()] or [0]
    new = sum(bound.calls for bound in bounds)
    input_tokens = sum(prompt) if exact else max(prompt) * new
    output_tokens = sum(bound.calls * bound.max_tokens for bound in bounds)
    return Plan(
        exact=exact,
        cached_calls=run.progress.from_journal,
        new_calls=new,
        expected_calls=new if exact else _expected(recipe, run.progress.from_journal, done, left),
        bounds=bounds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        worst_usd=_worst_usd(bounds, models, max(prompt), distinct.values() if exact else None),
        first_divergent_draw=_first_divergent(run, journal, distinct.values()),
        changes=changed,
        keys=frozenset(key.hex() for key in distinct),
    )


def _expected(recipe: Recipe[Any], calls: int, done: int, left: int) -> int | None:
    per_unit = calls / done if done else recipe.calls_per_unit
    return None if per_unit is None else round(per_unit * left)


def _by_role(missing: Iterable[Missing]) -> tuple[CallBound, ...]:
    grouped: dict[tuple[str, int], int] = {}
    for call in missing:
        grouped[call.role, call.max_tokens] = grouped.get((call.role, call.max_tokens), 0) + 1
    return tuple(
        CallBound("calls", role, count, most) for (role, most), count in sorted(grouped.items())
    )


def _first_divergent(run: Run, journal: Journal, missing: Iterable[Missing]) -> int | None:
    """The first draw that was handed over before and now asks for something new."""
    draws = [
        call.draw
        for call in missing
        if call.flow
        and any(
            next(journal.deliveries(epoch, call.flow, draw=call.draw), None)
            for epoch in (run.settings.epoch, run.settings.earlier_epoch)
        )
    ]
    return min(draws, default=None)


def _worst_usd(
    bounds: Iterable[CallBound],
    models: Mapping[str, Model],
    longest_prompt: int,
    exact: Iterable[Missing] | None,
) -> float | None:
    total = 0
    calls = (
        [(call.role, 1, call.prompt_bytes, call.max_tokens) for call in exact]
        if exact is not None
        else [(bound.role, bound.calls, longest_prompt, bound.max_tokens) for bound in bounds]
    )
    for role, count, prompt, most in calls:
        model = models.get(role) or next(iter(models.values()))
        tariff = Tariff.of(model.price)
        if tariff is None:
            return None
        total += count * tariff.worst(prompt, most)
    return total / NANO


async def _run(run: Run, recipe: Recipe[Any], options: Any) -> bool:
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


def _make_run(
    scratch: Path,
    journal: Journal,
    models: Mapping[str, Model],
    settings: RunSettings,
    config: RunConfig,
    recipe: Recipe[Any],
    inputs: Inputs,
) -> Run:
    from selfsown.core.inputs import stored_rows

    home = scratch if settings.mode == "plan" else Path(str(config.out))
    return Run(
        scratch,
        journal,
        models,
        None,
        settings,
        make_origin(config, recipe, models),
        seeds=inputs.seeds,
        rows=stored_rows(home),
    )


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


@contextlib.contextmanager
def _journal(directory: Path) -> Iterator[Journal]:
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    try:
        yield journal
    finally:
        journal.close()


@contextlib.contextmanager
def _planning_journal(directory: Path | None, scratch: Path) -> Iterator[Journal]:
    """The directory's journal for reading, or an empty one if there is none yet."""
    if directory is not None and (directory / JOURNAL_NAME).exists():
        with _journal(directory) as journal:
            yield journal
        return
    Journal(scratch / JOURNAL_NAME).close()
    with _journal(scratch) as journal:
        yield journal


@contextlib.contextmanager
def _scratch(directory: Path | None) -> Iterator[Path]:
    """A private directory that goes when the block ends."""
    path = Path(tempfile.mkdtemp(prefix="selfsown-"))
    (path / INPUTS).mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


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


def _child(arguments: list[str]) -> int:
    directory, seed = Path(arguments[0]), int(arguments[1])
    try:
        found: Replay = run_loop(_replay(directory, seed, None))
    except SelfsownError as error:
        sys.stderr.write(f"{error.what}\n")
        return error.exit_code
    form = {name: getattr(found, name) for name in Replay.__slots__}
    sys.stdout.buffer.write(orjson.dumps(form))
    return 0


if __name__ == "__main__":
    sys.exit(_child(sys.argv[1:]))
