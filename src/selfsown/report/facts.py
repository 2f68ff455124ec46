"""What the run was: recipe, models, settings, and how it ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selfsown.core.request import JSON
from selfsown.core.rundir import CONFIG
from selfsown.export.run_files import RunFiles, integer, mapping, number, sequence, string
from selfsown.report.shown import shown, shown_line


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One role and the model that held it."""

    role: str
    uri: str
    identity: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Head of the report."""

    name: str
    """Name of the run directory."""
    recipe: str
    recipe_version: str
    status: str
    """`finished`, `suspended`, or `not ended` while there is no manifest."""
    reason: str
    """Why it is suspended; empty otherwise."""
    stop: str
    """Why it came to its end, for example `target` or `saturated`; empty if it did not."""
    resume: str
    """The command that goes on with it."""
    seed: int
    target: int | None
    order: str
    """`arrival` or `strict`."""
    preset: str
    seeds: str
    """Seed file or built-in set, as given; empty for none."""
    models: tuple[ModelFacts, ...]
    started: str
    ended: str
    wall_s: float
    settings: Mapping[str, JSON]
    """Options in force that are not empty; nested ones by their dotted names."""
    versions: Mapping[str, JSON]
    files: Mapping[str, JSON]
    """Data file → sha256, rows, bytes."""
    notes: Mapping[str, JSON]
    """Facts that the recipe left."""
    warnings: tuple[str, ...]
    """What the last session warned about."""


def run_facts(run: RunFiles) -> RunFacts:
    """Read the head of the report from manifest and config; what neither says is empty."""
    data, ended, config = run.data, run.run, run.config
    effective = mapping(config.get("effective"))
    target = config.get("target")
    return RunFacts(
        name=shown_line(run.path.resolve().name),
        recipe=run.recipe,
        recipe_version=str(data.get("recipe_version") or config.get("recipe_version") or ""),
        status=string(ended.get("status")) or "not ended",
        reason=shown_line(string(ended.get("reason"))),
        stop=string(data.get("stop")),
        resume=shown_line(string(ended.get("resume")), 400) or _resume(run),
        seed=integer(data.get("seed")) or integer(config.get("seed")),
        target=target if isinstance(target, int) else None,
        order=string(config.get("order")),
        preset=string(config.get("preset")),
        seeds=shown_line(string(config.get("seeds"))),
        models=tuple(
            _model(role, mapping(model)) for role, model in mapping(effective.get("models")).items()
        ),
        started=string(ended.get("started")),
        ended=string(ended.get("ended")),
        wall_s=number(ended.get("wall_s")),
        settings=dict(_settings(mapping(config.get("options")))),
        versions=mapping(effective.get("versions")),
        files=mapping(data.get("files")),
        notes=mapping(data.get("notes")),
        warnings=tuple(shown(string(line), 1000) for line in sequence(ended.get("warnings"))),
    )


def _resume(run: RunFiles) -> str:
    """How to go on with a run that was killed, from the folder that holds its directory."""
    return "" if run.manifest else f"selfsown run {shlex.quote(run.path.resolve().name)}/{CONFIG}"


def _settings(options: Mapping[str, JSON], above: str = "") -> Iterator[tuple[str, JSON]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{above}{name}.")
        elif value not in (None, "", []):
            yield f"{above}{name}", value


def _model(role: str, model: Mapping[str, JSON]) -> ModelFacts:
    return ModelFacts(role, string(model.get("uri")), string(model.get("identity")))
