"""What a run needs before it can start: its models, its inputs, and what its data depend on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from selfsown.core.config import DocumentsConfig, RunConfig
from selfsown.core.errors import ConfigError, InputError
from selfsown.core.inputs import adopt_rows, copy_rows, read_rows, stored_rows
from selfsown.core.model import KnowsDepth, Model
from selfsown.core.request import JSON
from selfsown.core.rundir import INPUTS, sha256_of, write_text
from selfsown.core.stages import Origin, writers
from selfsown.models.uri import open_model
from selfsown.recipes.base import Recipe
from selfsown.recipes.seeds import SeedTask, read_seeds

if TYPE_CHECKING:
    from selfsown.documents.options import ReadOptions

SEEDS_BESIDE_DOCUMENTS: Final = "starter"
"""Seeds where documents are given alone: they show what a task is, not what it is about."""
Watch: TypeAlias = Callable[[Iterable[Mapping[str, JSON]]], Iterable[Mapping[str, JSON]]]
"""Gives the rows of documents on as they are read, lazily; `iter` does nothing else."""
_FINGERPRINT: Final = "documents.fingerprint"
"""Beside the copy of the rows: which files, read how, they came from, and the hash of the copy."""


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
    watch: Watch = iter,
) -> Inputs:
    """Copy what the recipe reads into the run directory.

    Args:
        config: names the inputs.
        recipe: of the run.
        directory: of the run.
        rows: instead of those that the config names.
        seeds: likewise.
        watch: sees the documents of the config while they are read from their files.

    Raises:
        InputError: nothing was given, or it cannot be read.
    """
    if recipe.inputs == "rows":
        return _row_inputs(config, recipe, directory, rows, watch)
    has_documents = rows is not None or config.documents is not None
    if has_documents and not recipe.takes_documents:
        raise ConfigError(
            f"recipe `{recipe.name}` takes no documents",
            why="it starts from seeds alone",
            fix="remove `documents` from the config",
        )
    if seeds is None and config.seeds is None and not has_documents:
        raise no_input(recipe)
    tasks = read_seeds(seeds if seeds is not None else config.seeds or SEEDS_BESIDE_DOCUMENTS)
    facts = copy_rows([task.to_mapping() for task in tasks], directory, "seeds.jsonl")
    beside = _row_inputs(config, recipe, directory, rows, watch) if has_documents else None
    if beside is not None and next(iter(beside.rows()), None) is None:
        raise InputError(
            "no document was given",
            why="the pool would grow without one, and in no domain",
            fix="selfsown documents check PATH",
        )

    def adopt() -> None:
        adopt_rows(directory, "seeds.jsonl")
        if beside is not None:
            beside.adopt()
        elif recipe.takes_documents:
            _forget_rows(directory)

    if beside is None:
        return Inputs({"seeds": facts.sha256}, tasks, adopt)
    return Inputs({"seeds": facts.sha256, **beside.digests}, tasks, adopt, beside.rows)


def _row_inputs(
    config: RunConfig,
    recipe: Recipe[Any],
    directory: Path,
    rows: Iterable[Mapping[str, JSON]] | None,
    watch: Watch,
) -> Inputs:
    """Rows, or documents as rows."""
    if rows is None and config.documents is not None:
        return _document_inputs(config, recipe, directory, watch)
    source = rows if rows is not None else given_rows(config, recipe)
    facts = copy_rows(source, directory)
    return Inputs(
        {"rows": facts.sha256},
        adopt=partial(adopt_rows, directory),
        rows=stored_rows(directory, adopted=False),
    )


def _forget_rows(directory: Path) -> None:
    """Remove the documents of an epoch before, which this one does not start from."""
    for name in ("rows.jsonl", _FINGERPRINT):
        (directory / INPUTS / name).unlink(missing_ok=True)


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
    documents = directory / INPUTS / "rows.jsonl"
    if recipe.inputs == "seeds" and recipe.takes_documents and documents.exists():
        digests["rows"] = sha256_of(documents)
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


def given_rows(config: RunConfig, recipe: Recipe[Any]) -> Iterable[Mapping[str, JSON]]:
    """The rows that a config names, read anew at each iteration: of a file, or documents.

    Raises:
        ConfigError: it names none, or both.
        InputError: they cannot be read.
    """
    if config.rows is not None and config.documents is not None:
        raise ConfigError(
            "both `rows` and `documents` were given",
            why="a run has one input",
            fix="leave one of them out; JSONL files are documents, too",
        )
    if config.documents is not None:
        return _Again(partial(_document_rows, config.documents))
    if config.rows is None:
        raise no_input(recipe)
    return _Again(partial(read_rows, Path(config.rows)))


class _Again:
    """What a function yields, anew at each iteration."""

    def __init__(self, read: Callable[[], Iterator[Mapping[str, JSON]]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Mapping[str, JSON]]:
        return self._read()


def _document_rows(config: DocumentsConfig) -> Iterator[Mapping[str, JSON]]:
    from selfsown.documents.reading import read_documents

    return (one.row() for one in read_documents(config.paths, read_options(config)))


def read_options(config: DocumentsConfig) -> ReadOptions:
    """How a config wants its documents read."""
    from selfsown.documents.options import ReadOptions

    return ReadOptions(**config.model_dump(exclude={"paths"}))


def copied_documents(
    config: RunConfig, recipe: Recipe[Any], directory: Path, watch: Watch = iter
) -> Iterable[Mapping[str, JSON]]:
    """The documents of a config by way of a copy in a directory, as a run has one.

    For jobs of many runs: when one goes on, its documents are what they were. The directory must
    be there, and locked, when they are iterated.
    """

    def read() -> Iterator[Mapping[str, JSON]]:
        _document_inputs(config, recipe, directory, watch).adopt()
        return iter(stored_rows(directory)())

    return _Again(read)


def _document_inputs(
    config: RunConfig, recipe: Recipe[Any], directory: Path, watch: Watch
) -> Inputs:
    """The documents of a config, or the copy of them while the files are what they were.

    So a resume need not parse 100,000 files again, and cannot read them otherwise; nor can a plan,
    which is made in another directory than that of the run.
    """
    from selfsown.documents.fingerprint import fingerprint

    rows = given_rows(config, recipe)
    assert config.documents is not None
    seen = fingerprint(config.documents.paths, read_options(config.documents))
    if kept := _copy_of(directory, seen):
        return Inputs({"rows": kept}, rows=stored_rows(directory))
    if config.out and _copy_of(Path(config.out), seen):
        rows = _Again(stored_rows(Path(config.out)))
    facts = copy_rows(watch(rows), directory)

    def adopt() -> None:
        adopt_rows(directory)
        write_text(directory / INPUTS / _FINGERPRINT, f"{seen} {facts.sha256}\n")

    return Inputs({"rows": facts.sha256}, adopt=adopt, rows=stored_rows(directory, adopted=False))


def _copy_of(directory: Path, seen: str) -> str:
    """The hash of a directory's copy of documents, if it is one of those with a fingerprint."""
    copy, mark = directory / INPUTS / "rows.jsonl", directory / INPUTS / _FINGERPRINT
    if not (copy.exists() and mark.exists()):
        return ""
    kept = sha256_of(copy)
    return kept if mark.read_bytes().split() == [seen.encode(), kept.encode()] else ""


def no_input(recipe: Recipe[Any]) -> ConfigError:
    """The error for a recipe that was given nothing to start from."""
    fixes = {
        "rows": "--rows FILE or --documents PATH",
        "seeds": "--seeds FILE, --seeds starter, or --seeds lab"
        + (", or --documents PATH" if recipe.takes_documents else ""),
    }
    is_over_documents = recipe.inputs == "rows" and recipe.takes_documents
    needed = "documents" if is_over_documents else recipe.inputs
    return ConfigError(
        f"recipe `{recipe.name}` needs {needed}",
        why="it has nothing to start from",
        fix=fixes[recipe.inputs],
    )
