"""What a run needs before it can start: its models, its inputs, and what its data depend on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from selfsown.core.config import RunConfig
from selfsown.core.errors import ConfigError, InputError
from selfsown.core.inputs import adopt_rows, copy_rows, read_rows, stored_rows
from selfsown.core.model import KnowsDepth, Model
from selfsown.core.request import JSON
from selfsown.core.rundir import INPUTS, sha256_of
from selfsown.core.stages import Origin, writers
from selfsown.models.uri import open_model
from selfsown.recipes.base import Recipe
from selfsown.recipes.seeds import SeedTask, read_seeds


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs as copied into the run directory."""

    digests: Mapping[str, str]
    """`seeds` or `rows` → SHA-256 of the copy."""
    seeds: Sequence[SeedTask] = ()
    adopt: Callable[[], None] = lambda: None
    """Makes the copy the one that the directory works on; call it when the run may start."""
    rows: Callable[[], Iterable[Mapping[str, JSON]]] = tuple
    """The rows of the copy, until it is adopted."""


@contextlib.asynccontextmanager
async def open_models(
    config: RunConfig, recipe: Recipe[Any], opened: Mapping[str, Model]
) -> AsyncIterator[dict[str, Model]]:
    """The models of a config by role; those opened here are closed again.

    Raises:
        ConfigError: the first role has no model, or a role is unknown to the recipe.
    """
    first = next(iter(recipe.roles))
    for role in config.models:
        if role not in recipe.roles:
            raise ConfigError(
                f"recipe `{recipe.name}` has no role `{role}`",
                why=f"its roles are {', '.join(f'`{name}`' for name in recipe.roles)}",
                fix=f"selfsown recipes {recipe.name}",
            )
    if first not in config.models and first not in opened:
        raise ConfigError(
            f"recipe `{recipe.name}` has no model for its role `{first}`",
            why=f"it {recipe.roles[first]}",
            fix="--model lab  (embedded), --model http://localhost:8000/v1#NAME, ...",
        )
    models: dict[str, Model] = dict(opened)
    made: list[Model] = []
    try:
        for role, settings in config.models.items():
            if role not in models:
                models[role] = open_model(settings)
                made.append(models[role])
        yield models
    finally:
        for model in made:
            await model.close()


def prepare_inputs(
    config: RunConfig,
    recipe: Recipe[Any],
    directory: Path,
    rows: Iterable[Mapping[str, JSON]] | None,
    seeds: Iterable[Mapping[str, JSON]] | None,
) -> Inputs:
    """Copy what the recipe reads into the run directory.

    Raises:
        InputError: nothing was given, or it cannot be read.
    """
    if recipe.inputs == "rows":
        source = rows if rows is not None else _given_rows(config, recipe)
        facts = copy_rows(source, directory)
        return Inputs(
            {"rows": facts.sha256},
            adopt=partial(adopt_rows, directory),
            rows=stored_rows(directory, adopted=False),
        )
    if seeds is None and config.seeds is None:
        raise no_input(recipe)
    tasks = read_seeds(seeds if seeds is not None else str(config.seeds))
    facts = copy_rows([task.to_mapping() for task in tasks], directory, "seeds.jsonl")
    return Inputs({"seeds": facts.sha256}, tasks, partial(adopt_rows, directory, "seeds.jsonl"))


def stored_inputs(recipe: Recipe[Any], directory: Path) -> Inputs:
    """The inputs of an existing run directory.

    Raises:
        InputError: it keeps none.
    """
    name = "rows.jsonl" if recipe.inputs == "rows" else "seeds.jsonl"
    path = directory / INPUTS / name
    if not path.exists():
        raise InputError(
            f"`{directory}` has no {INPUTS}/{name}",
            why="a run is replayed and planned from the inputs that it keeps",
            fix="give a run directory; of a merge, one of the runs that were merged",
        )
    digests: dict[str, str] = {recipe.inputs: sha256_of(path)}
    return Inputs(digests, read_seeds(path) if recipe.inputs == "seeds" else ())


def with_true_depth(config: RunConfig, models: Mapping[str, Model]) -> RunConfig:
    """The config with the depth that its records get: that of the model's folder, if it is larger.

    A smaller value given by hand is never stamped: the folder's was counted by the training that
    wrote it. A larger one is, since a model may have been tuned elsewhere before. Without a role
    that writes, all roles count, as the guard reads provenance.

    Raises:
        InputError: a folder's record of its training is damaged or belongs to other weights.
    """
    known = max(
        (one.model_depth for one in writers(models) if isinstance(one, KnowsDepth)), default=0
    )
    return config.model_copy(update={"model_depth": max(known, config.model_depth)})


def data_form(
    config: RunConfig,
    recipe: Recipe[Any],
    options: Any,
    models: Mapping[str, Model],
    inputs: Inputs,
) -> dict[str, JSON]:
    """What the data depend on; a change of it needs `--update`."""
    return {
        "recipe": recipe.name,
        "recipe_version": recipe.version,
        "options": recipe.data_options(options),
        "models": {role: model.identity for role, model in sorted(models.items())},
        "inputs": inputs.digests,
        "seed": config.seed,
        "order": config.order,
        "model_depth": config.model_depth,
        **({"round": config.round} if config.round else {}),
        **({"shard": config.shard} if config.shard else {}),
    }


def make_origin(config: RunConfig, recipe: Recipe[Any], models: Mapping[str, Model]) -> Origin:
    """What all records of a run share."""
    return Origin(
        recipe.name,
        recipe.version,
        {role: model.identity for role, model in sorted(models.items())},
        config.model_depth,
        config.round,
        config.shard,
    )


def _given_rows(config: RunConfig, recipe: Recipe[Any]) -> Iterable[Mapping[str, JSON]]:
    if config.rows is None:
        raise no_input(recipe)
    return read_rows(Path(config.rows))


def no_input(recipe: Recipe[Any]) -> ConfigError:
    """The error for a recipe that was given nothing to start from."""
    fixes = {"rows": "--rows FILE", "seeds": "--seeds FILE, --seeds starter, or --seeds lab"}
    return ConfigError(
        f"recipe `{recipe.name}` needs {recipe.inputs}",
        why="it has nothing to start from",
        fix=fixes[recipe.inputs],
    )
