"""The run of one round: who writes it, what it starts from, and its directory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from selfsown.core.config import RunConfig, difference, make_config
from selfsown.core.effective import read_effective
from selfsown.core.errors import ConfigChanged
from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.rundir import MANIFEST, read_lines, read_manifest, write_lines
from selfsown.loop.config import LoopConfig, writer
from selfsown.loop.places import RoundPlaces
from selfsown.recipes.base import get_recipe
from selfsown.recipes.seeds import read_seeds
from selfsown.report.card import CARD
from selfsown.runner import Start, execute, run_loop


def round_seed(seed: int, number: int) -> int:
    """The seed of one round's run, from the loop's: another one in each."""
    return rng_for(seed, "loop-round", number).randrange(2**31)


def run_config(config: LoopConfig, places: RoundPlaces, number: int, generator: str) -> RunConfig:
    """The config of one round's run.

    Args:
        config: of the loop.
        places: of the round.
        number: of the round.
        generator: URI of the promoted model.
    """
    return make_config(
        {
            "recipe": config.recipe,
            "preset": config.preset,
            "models": {writer(config): generator, **config.models},
            "seeds": str(places.seeds) if places.seeds.is_file() else config.seeds,
            "target": config.target,
            "seed": round_seed(config.seed, number),
            "order": "strict",
            "options": config.options,
            "limits": config.limits.model_dump(),
            "max_failure_rate": 1.0,  # a model that answers nothing is a result, not an outage
            "round": number,
            "out": str(places.run),
        },
        source="loop config",
    )


def generate(
    config: RunConfig, rows: Sequence[Mapping[str, JSON]] | None = None
) -> Mapping[str, Any]:
    """Run it to its end, or go on where it stopped; returns the manifest.

    Args:
        config: of the run.
        rows: for a recipe that takes rows.

    Raises:
        Suspended: environment or a signal stopped it; the same command resumes.
        InputError: something given cannot be used.
        ConfigChanged: the directory holds a run that was made with another config.
    """
    directory = Path(str(config.out))
    if is_finished(directory):
        _refuse_another_run(config, directory)
    else:
        run_on(config, rows)
    return read_manifest(directory)


def run_on(config: RunConfig, rows: Sequence[Mapping[str, JSON]] | None = None) -> None:
    """Run to the end, also where a smaller target was reached before; see `generate`."""
    is_main = threading.current_thread() is threading.main_thread()
    run_loop(execute(config, Start(signals=is_main), rows=rows))


def is_finished(directory: Path) -> bool:
    """Whether a run directory holds a finished run, and report and card are written, too."""
    if not all((directory / name).is_file() for name in (MANIFEST, CARD)):
        return False
    run = read_manifest(directory)["run"]
    return isinstance(run, Mapping) and run.get("status") == "finished"


def _refuse_another_run(config: RunConfig, directory: Path) -> None:
    """Stop if a finished run is not the one that is asked for; an unfinished one says so itself.

    Raises:
        ConfigChanged: names every key that differs.
    """
    before, _ = read_effective(directory)
    lines = difference(_asked_of(before), _asked_of(config))
    if lines:
        raise ConfigChanged(
            f"`{directory}` holds another run: " + "; ".join(lines[:20]),
            why="what was trained and scored on it would count as made by this config",
            fix="give another directory with `-o`, or go back to the old values",
        )


def _asked_of(config: RunConfig) -> dict[str, JSON]:
    """What a run is to make, with every default; models and seeds are the caller's."""
    recipe = get_recipe(config.recipe)
    options = recipe.data_options(recipe.resolve(config.preset, config.options))
    form = config.model_dump(mode="json", include={"recipe", "target", "seed", "order", "round"})
    return {**form, "options": options}


def write_machine_seeds(
    config: LoopConfig, earlier: Sequence[RoundPlaces], places: RoundPlaces
) -> None:
    """Write the tasks of the round before that this one starts from: as many as human seeds.

    They keep their record ids, so the chain of parents goes on through the rounds. A round that
    wrote no task is passed over; if none did, nothing is written, and human seeds start the run.
    """
    if places.seeds.is_file():
        return
    written = ((one, list(machine_tasks(one.run))) for one in reversed(earlier))
    before, tasks = next((found for found in written if found[1]), (None, []))
    if before is None:
        return
    wanted = min(len(tasks), len(read_seeds(config.seeds)))
    rng = rng_for(config.seed, "loop-demonstrations", int(before.home.name))
    chosen = rng.sample(tasks, wanted)
    places.home.mkdir(parents=True, exist_ok=True)
    write_lines(places.seeds, map(orjson.dumps, chosen))


def machine_tasks(directory: Path) -> Iterator[dict[str, JSON]]:
    """The accepted records of a run as seed tasks: one per instruction, with all its instances."""
    tasks: dict[str, dict[str, JSON]] = {}
    instances: dict[str, list[JSON]] = {}
    for row in read_lines(directory / "accepted.jsonl"):
        assert isinstance(row, dict)
        text = str(row["instruction"])
        instances.setdefault(text, []).append(
            {"input": row.get("input", ""), "output": row["output"]}
        )
        kind = bool(row.get("is_classification"))
        tasks.setdefault(text, {"id": row["id"], "name": "", "is_classification": kind})
    for text, task in tasks.items():
        yield {**task, "instruction": text, "instances": instances[text]}
