"""The config that the arguments of `run`, `plan` and `preview` come to.

A config file is the base, flags lie above it, `--set` lies above both. The config.yaml of a run
directory stands for that run: its directory, and its inputs as they were copied there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsown.cli.run_options import RunArguments

if TYPE_CHECKING:
    from pydantic import BaseModel

    from selfsown.core.config import RunConfig
    from selfsown.core.request import JSON
    from selfsown.recipes.base import Recipe

_ROLE = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)=(.+)", re.DOTALL)
_CONFIG_SUFFIXES = (".yaml", ".yml", ".toml")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the arguments come to."""

    config: RunConfig
    recipe: Recipe[Any]
    options: BaseModel
    """Of the recipe, all of them."""
    rows: Iterable[Mapping[str, JSON]] | None = None
    """Rows to use instead of `config.rows`: those that the run directory keeps."""
    seeds: Iterable[Mapping[str, JSON]] | None = None
    """Seed tasks to use instead of `config.seeds`."""


def resolve(given: RunArguments) -> Asked:
    """The checked config that arguments come to.

    Raises:
        ConfigError: an unknown recipe, key or role, or a value out of range.
        InputError: a file that is named cannot be read.
    """
    from selfsown.core.config import apply_set, make_config, merged
    from selfsown.recipes.base import get_recipe

    base, home = _base(given.source)
    recipe = get_recipe(str(base["recipe"])) if "recipe" in base else None
    models = {**_mapping(base.get("models")), **_models(given.models, recipe)}
    form = merged(_without_replaced(base, given), _flags(given, recipe))
    if models:
        form["models"] = models
    if any(assignment.startswith("models.") for assignment in given.assignments):
        form["models"] = {
            role: {"uri": model} if isinstance(model, str) else model
            for role, model in models.items()
        }
    for assignment in given.assignments:
        apply_set(form, assignment)
    config = make_config(form, source=given.source)
    recipe = get_recipe(config.recipe)
    _check_fit(recipe, given)
    options = recipe.resolve(config.preset, config.options)
    if home is None:
        return Asked(config, recipe, options)
    is_new = given.rows is not None or given.documents
    has_rows = recipe.inputs == "rows" or config.documents is not None
    rows = _kept_inputs(home, "rows") if has_rows and not is_new else None
    has_seeds = recipe.inputs == "seeds" and given.seeds is None
    seeds = _kept_inputs(home, "seeds") if has_seeds else None
    return Asked(config, recipe, options, rows, seeds)


def text_or_file(given: str, option: str) -> str:
    """The text itself, or after `@` the text of a file.

    Raises:
        InputError: the file cannot be read.
    """
    return _read(Path(given[1:]), option) if given.startswith("@") else given


def _base(source: str) -> tuple[dict[str, Any], Path | None]:
    """The mapping to start from, and the run directory if the source is its config."""
    from selfsown.core.config import read_config
    from selfsown.core.errors import InputError
    from selfsown.core.journal import JOURNAL_NAME
    from selfsown.core.rundir import CONFIG

    path = Path(source)
    if path.is_dir() and (path / CONFIG).exists():
        path = path / CONFIG
    elif path.is_dir() and "/" in source:
        raise InputError(
            f"`{source}` is a directory without {CONFIG}",
            why="`run` takes the name of a recipe, a config file, or a run directory",
            fix="give the config file inside it by name, or a recipe with `-o DIR`",
        )
    if path.suffix not in _CONFIG_SUFFIXES and not path.is_file():
        return {"recipe": source}, None
    given = read_config(path)
    form = {key: value for key, value in given.items() if value is not None and key != "effective"}
    if path.name == CONFIG and (path.parent / JOURNAL_NAME).exists():
        form["out"] = str(path.parent)
        return form, path.parent
    return form, None


def _flags(given: RunArguments, recipe: Recipe[Any] | None) -> dict[str, Any]:
    """The flags as a nested mapping of config keys, without those not given."""
    flags: dict[str, Any] = {
        name: value
        for name in ("seeds", "rows", "target", "out", "preset", "seed", "order")
        if (value := getattr(given, name)) is not None
    }
    if given.documents:
        flags["documents"] = {"paths": list(given.documents)}
    if given.reuse:
        flags["reuse"] = list(given.reuse)
    budget = {"usd": given.budget_usd, "tokens": given.budget_tokens}
    flags["budget"] = {name: value for name, value in budget.items() if value is not None}
    if given.concurrency is not None:
        flags["limits"] = {"concurrency": given.concurrency}
    if given.batch is not None:
        flags["batch"] = {"enabled": given.batch}
    flags["options"] = _shorthands(given, recipe)
    return flags


def _without_replaced(base: Mapping[str, Any], given: RunArguments) -> dict[str, Any]:
    """The base without the rows or documents in whose place flags put the other."""
    gone = {"documents"} if given.rows is not None else {"rows"} if given.documents else set()
    return {name: value for name, value in base.items() if name not in gone}


def _shorthands(given: RunArguments, recipe: Recipe[Any] | None) -> dict[str, Any]:
    """`--prompt`, `--system` and `--schema` as options of the recipe."""
    from selfsown.core.errors import ConfigError

    options: dict[str, Any] = {}
    if given.prompt is not None:
        options["prompt"] = text_or_file(given.prompt, "--prompt")
    if given.system is not None:
        options["system"] = text_or_file(given.system, "--system")
    if given.schema is not None:
        options["json_schema"] = _schema(Path(given.schema))
    for name in options:
        if recipe is not None and name not in recipe.options.model_fields:
            flag = "--schema" if name == "json_schema" else f"--{name}"
            raise ConfigError(
                f"recipe `{recipe.name}` takes no `{flag}`",
                why=f"it has no option `{name}`; recipe `complete` has",
                fix=f"selfsown recipes {recipe.name}",
            )
    return options


def _schema(path: Path) -> object:
    from selfsown.core.errors import InputError

    try:
        return json.loads(_read(path, "--schema"))
    except ValueError as error:
        raise InputError(
            f"`{path}` is not JSON: {error}",
            why="`--schema` takes a JSON schema",
            fix="correct the file",
        ) from error


def _read(path: Path, option: str) -> str:
    from selfsown.core.errors import InputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"`{path}` cannot be read: {getattr(error, 'strerror', None) or error}",
            why=f"`{option}` names it",
            fix="correct the path; text is read as UTF-8",
        ) from error


def _models(given: tuple[str, ...], recipe: Recipe[Any] | None) -> dict[str, str]:
    """Role → URI; a URI without a role is that of the recipe's first."""
    first = next(iter(recipe.roles)) if recipe is not None else "generator"
    models: dict[str, str] = {}
    for text in given:
        match = _ROLE.fullmatch(text)
        role, uri = match.groups() if match else (first, text)
        models[role] = uri
    return models


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _check_fit(recipe: Recipe[Any], given: RunArguments) -> None:
    """Refuse inputs and targets that the recipe would not look at."""
    from selfsown.core.errors import ConfigError

    others = ("seeds",) if recipe.inputs == "rows" else ("rows", "documents")
    for other in others[:1] if recipe.takes_documents else others:
        if not getattr(given, other):
            continue
        raise ConfigError(
            f"recipe `{recipe.name}` takes no `--{other}`",
            why=f"it starts from {recipe.inputs}",
            fix=f"--{recipe.inputs} FILE",
        )
    if recipe.target is None and given.target is not None:
        raise ConfigError(
            f"recipe `{recipe.name}` takes no `-n`",
            why="it makes one record of each row and ends with its rows",
            fix="give a file with fewer rows; `selfsown preview -n K` tries the first K",
        )


def _kept_inputs(home: Path, name: str) -> Iterable[Mapping[str, JSON]] | None:
    """The rows or seeds that a run directory keeps, if it got so far, as often as wanted."""
    from selfsown.core.rundir import INPUTS
    from selfsown.results import Records

    path = home / INPUTS / f"{name}.jsonl"
    return Records(path, 0) if path.exists() else None
