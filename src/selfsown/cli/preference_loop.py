"""`selfsown loop` where the recipe makes preference pairs: turning it, and what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

    from selfsown.loop.preference.config import PreferenceLoopConfig
    from selfsown.loop.preference.rounds import PreferenceResult


def turned(config: PreferenceLoopConfig, tell: Callable[[str], None], *, as_json: bool) -> int:
    """Turn the loop and say what came of it, a table on stdout; returns the exit code."""
    from selfsown.cli.preference_tables import policy_lines
    from selfsown.loop.preference.rounds import turn_preferences
    from selfsown.loop.preference.summary import preference_numbers

    result = turn_preferences(config, tell)
    if as_json:
        click.echo(result.places.numbers.read_text(encoding="utf-8"), nl=False)
    else:
        numbers = preference_numbers(config, result.places, result.best)
        click.echo("\n".join(policy_lines(numbers)))
    for line in ending_lines(result):
        tell(line)
    return 0


def preference_experiment(
    out: str, repeat: int, tell: Callable[[str], None], *, as_json: bool
) -> int:
    """The built-in experiment; tables on stdout. Returns the exit code: 1 if a gate refused an arm.

    Args:
        out: its directory.
        repeat: number of seeds.
        tell: receives one line per finished stage.
        as_json: print the numbers instead of tables.
    """
    from selfsown.cli.preference_tables import experiment_lines
    from selfsown.loop.preference.experiment import run_experiment
    from selfsown.loop.preference.lab_preferences import EXPERIMENT
    from selfsown.loop.preference.places import PreferencePlaces

    places = PreferencePlaces(Path(out))
    numbers = run_experiment(EXPERIMENT, places.home, range(repeat), tell)
    if as_json:
        click.echo(places.numbers.read_text(encoding="utf-8"), nl=False)
    else:
        click.echo("\n".join(experiment_lines(numbers)))
    tell(f"page:  {places.page}")
    return 1 if numbers.refused else 0


def ending_lines(result: PreferenceResult) -> list[str]:
    """The best policy, where to look, what to do next."""
    from selfsown.cli.run import program

    best = result.best
    whose = "initial policy" if best.round is None else f"round {best.round}"
    why = "" if best.value is None else f", {best.by} {best.value:.3g} on validation prompts"
    more = shlex.quote(str(result.places.config))
    return [
        f"best:  {shlex.quote(best.folder)} ({whose}{why})",
        f"more:  {program()} loop {more} --rounds {2 * len(result.endings)}",
        f"page:  {result.places.page}",
    ]


def preference_models() -> Mapping[str, type[BaseModel]]:
    """The models of the config, by what stands before their keys."""
    from selfsown.loop.preference.config import PreferenceLoopConfig
    from selfsown.loop.preference.sections import (
        FloorsConfig,
        ProbeConfig,
        PromotionConfig,
        PromptsConfig,
        ScorerConfig,
    )

    return {
        "": PreferenceLoopConfig,
        "prompts.": PromptsConfig,
        "floors.": FloorsConfig,
        "probe.": ProbeConfig,
        "probe.gold.": ScorerConfig,
        "probe.second.": ScorerConfig,
        "promotion.": PromotionConfig,
    }
