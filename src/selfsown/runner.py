"""From a config to a finished run directory: the Python face of `selfsown run`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from selfsown.core.config import RunConfig, make_config
from selfsown.core.errors import ConfigError
from selfsown.core.model import Model
from selfsown.core.request import JSON
from selfsown.core.rundir import locked
from selfsown.preparation import open_models, prepare_inputs
from selfsown.recipes.base import Recipe, get_recipe
from selfsown.results import Records, RunResult
from selfsown.session import Session, Start, View

__all__ = [
    "Records",
    "RunResult",
    "Start",
    "View",
    "arun",
    "execute",
    "open_models",
    "run",
    "run_loop",
]


def run(recipe: str | Recipe[Any], **given: Any) -> RunResult:
    """Run a recipe and wait for it; `arun` says what it takes.

    Raises:
        ConfigError: called inside a running event loop; await `arun` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        result: RunResult = run_loop(arun(recipe, **given))
        return result
    raise ConfigError(
        "`selfsown.run` was called inside a running event loop",
        why="it would block that loop",
        fix="await selfsown.arun(...) instead",
    )


async def arun(
    recipe: str | Recipe[Any],
    *,
    out: str | Path,
    model: str | Mapping[str, Any] | Model | None = None,
    models: Mapping[str, str | Mapping[str, Any] | Model] | None = None,
    rows: str | Path | Iterable[Mapping[str, JSON]] | None = None,
    documents: str | Path | Sequence[str | Path] | Mapping[str, Any] | None = None,
    seeds: str | Path | Iterable[Mapping[str, JSON]] | None = None,
    target: int | None = None,
    preset: str = "default",
    seed: int = 0,
    order: str = "arrival",
    concurrency: int | None = None,
    budget_usd: float | None = None,
    budget_tokens: int | None = None,
    limits: Mapping[str, Any] | None = None,
    batch: bool | Mapping[str, Any] = False,
    reuse: Sequence[str | Path] = (),
    update: bool = False,
    retry_failed: bool = False,
    **options: Any,
) -> RunResult:
    """Run a recipe in this event loop. The same directory again resumes or extends it.

    Args:
        recipe: name, for example `complete` or `self-instruct`; `module:ATTRIBUTE` of one of
            your own; or the recipe itself.
        out: run directory.
        model: the recipe's first role: a URI, settings with `uri`, or an open model.
        models: role → the same, for recipes with several roles.
        rows: input of row recipes: a file, or rows; every row ends as one record.
        documents: instead of rows: a file or folder, several of them, or a mapping with `paths` and
            how to read them (`licence`, `text_field`, ...).
        seeds: seed tasks: a file, a built-in name (`lab`, `starter`), or tasks.
        target: how many accepted units to stop at.
        preset: named set of options.
        seed: of every random choice.
        order: `arrival` or `strict`.
        concurrency: calls in flight at the start.
        budget_usd: hard cap in US dollars.
        budget_tokens: hard cap in tokens.
        limits: other limits (`requests_per_minute`, `timeout_s`, ...).
        batch: go through the provider's batch API; a mapping sets when to submit and to look.
        reuse: run directories whose journaled answers are copied in.
        update: go on in a new epoch if the config changed.
        retry_failed: ask again what failed for good.
        options: options of the recipe, for example `prompt=`.

    Raises:
        InputError: something given cannot be used; nothing was spent.
        Suspended: budget, environment or Ctrl-C stopped it; the same call resumes.
    """
    known = recipe if isinstance(recipe, Recipe) else get_recipe(recipe)
    named: dict[str, Any] = dict(models or {})
    if model is not None:
        named.setdefault(next(iter(known.roles)), model)
    opened = {role: value for role, value in named.items() if isinstance(value, Model)}
    source = {"rows": rows, "seeds": seeds}
    given = {name: value for name, value in source.items() if not isinstance(value, (str, Path))}
    config = make_config(
        {
            "recipe": recipe if isinstance(recipe, str) else known.name,
            "preset": preset,
            "models": {r: m.uri if r in opened else m for r, m in named.items()},
            **{k: str(v) for k, v in source.items() if isinstance(v, (str, Path))},
            "documents": _paths(documents),
            "target": target,
            "seed": seed,
            "order": order,
            "options": options,
            "budget": {"usd": budget_usd, "tokens": budget_tokens},
            "limits": {
                **({} if concurrency is None else {"concurrency": concurrency}),
                **(limits or {}),
            },
            "batch": {"enabled": bool(batch), **(batch if isinstance(batch, Mapping) else {})},
            "reuse": [str(path) for path in reuse],
            "out": str(out),
        },
        source="arguments",
    )
    start = Start(update=update, retry_failed=retry_failed)
    return await execute(config, start, recipe=known, opened=opened, **given)


def _paths(given: object) -> object:
    """Paths of documents as a config holds them."""
    if isinstance(given, Path):
        return str(given)
    if isinstance(given, Mapping):
        return {name: _paths(value) if name == "paths" else value for name, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [str(one) for one in given]
    return given


def run_loop(work: Any) -> Any:
    """`asyncio.run`, on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def execute(
    config: RunConfig,
    start: Start,
    *,
    recipe: Recipe[Any] | None = None,
    opened: Mapping[str, Model] | None = None,
    rows: Iterable[Mapping[str, JSON]] | None = None,
    seeds: Iterable[Mapping[str, JSON]] | None = None,
) -> RunResult:
    """Run a config into its directory.

    Args:
        config: what to run; `out` must be given.
        start: how to start.
        recipe: the recipe, where it is not to be looked up by its name.
        opened: models that are open already, by role; the caller closes them.
        rows: rows instead of `config.rows`.
        seeds: seed tasks instead of `config.seeds`.
    """
    recipe = recipe or get_recipe(config.recipe)
    options = recipe.resolve(config.preset, config.options)
    if not config.out:
        raise ConfigError(
            "no run directory was given",
            why="everything a run pays for is kept there",
            fix="-o runs/NAME",
        )
    directory = Path(config.out)
    async with open_models(config, recipe, opened or {}) as models:
        with locked(directory):
            inputs = prepare_inputs(config, recipe, directory, rows, seeds, start.watch)
            session = Session(config, recipe, options, models, inputs, directory, start)
            return await session.run()
