"""`selfsown mad`: simulate models that feed on themselves, beside what theory says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from selfsown.guard.simulate.study import Study
    from selfsown.guard.simulate.worlds import Experiment

CHANCE: Final = (
    "hint: by chance one of the closed forms is more than three standard errors off in about 8 of"
    " 100 seeds; if another `--seed` shows the same, it is no chance"
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as one JSON object.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write mad.html with the plots, and mad.json, into this directory.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    help="Rounds of the loops in worlds.  [default: 8, in the lab 4]",
)
@click.option(
    "--world",
    "worlds",
    multiple=True,
    help="Loop only this world: unigram, bigram, or lab, which trains small transformers for some"
    " minutes; may be repeated.  [default: unigram and bigram]",
)
@click.option(
    "--planted",
    default=0,
    metavar="RUNS",
    type=click.IntRange(min=0),
    help="Also plant four kinds of collapse in made-up texts so many times, 3 CPU-seconds each, and"
    " count how often the guard sees them.",
)
def mad(
    as_json: bool,
    out: Path | None,
    seed: int,
    rounds: int | None,
    worlds: tuple[str, ...],
    planted: int,
) -> None:
    """Simulate three loops of models that train on their own output; takes seconds.

    Compares Gaussian, unigram and bigram simulations with closed forms, and shows how much
    synthetic data a loop can take. With `--world lab` the same loops are turned by transformers
    that are really trained. Exits 1 where theory and simulation disagree.
    """
    from selfsown.core.errors import ConfigError
    from selfsown.guard.simulate.study import run_study
    from selfsown.guard.simulate.worlds import WORLDS
    from selfsown.loop.lab_loops import LAB

    every = {**WORLDS, "lab": LAB}
    if unknown := sorted(set(worlds) - set(every)):
        raise ConfigError(
            f"unknown world `{unknown[0]}`",
            why="the loops turn in a simulated world",
            fix="use " + " or ".join(f"`--world {name}`" for name in every),
        )
    chosen = {name: every[name] for name in every if name in (worlds or WORLDS)}
    for name, experiment in chosen.items():
        if experiment.cost:
            click.echo(f"{name}: {experiment.cost}", err=True)
    study = run_study(seed, rounds, chosen, planted, _tell(chosen))
    text = json.dumps(study.to_json())
    if out is not None:
        _write(study, text, out)
    click.echo(text if as_json else _table(study))
    if not study.holds:
        click.echo(f"error: does not hold: {'; '.join(study.disagreements)}", err=True)
        click.echo(CHANCE, err=True)
        raise click.exceptions.Exit(1)


def _tell(chosen: Mapping[str, Experiment]) -> Callable[[str], None]:
    """Tells of each loop where any takes minutes; else of none."""
    if any(experiment.cost for experiment in chosen.values()):
        return lambda line: click.echo(line, err=True)
    return lambda line: None


def _write(study: Study, text: str, out: Path) -> None:
    from selfsown.core.rundir import write_text
    from selfsown.guard.simulate.page import render_study

    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "mad.html", render_study(study))
    write_text(out / "mad.json", text + "\n")
    click.echo(f"wrote `{out / 'mad.html'}` and `mad.json`", err=True)


def _table(study: Study) -> str:
    lines = [f"{'closed form':<58}{'expected':>12}{'measured':>12}{'std. errors':>13}"]
    lines += [
        f"{form.name:<58}{form.expected:>12.5g}{form.measured:>12.5g}{form.z:>+13.1f}"
        for form in study.closed_forms
    ]
    lines += ["", f"{'phase transition':<24}{'n_s':>6}{'n_e/n_r':>10}{'+-':>8}  predicted limit"]
    lines += [
        f"{f'lambda={one.bias:g} n_r={one.n_real}':<24}{one.n_synthetic:>6}{one.ratio:>10.3f}"
        f"{one.standard_error:>8.3f}  {one.threshold:.0f}"
        for one in study.phase
    ]
    for world, arms in study.loops.items():
        metrics = list(next(iter(arms.values()))[0])
        lines += ["", f"{world:<24}" + "".join(f"{name:>20}" for name in metrics)]
        for arm, rounds in arms.items():
            cells = (f"{rounds[0][name]:.3f} -> {rounds[-1][name]:.3f}" for name in metrics)
            lines.append(f"{arm:<24}" + "".join(f"{cell:>20}" for cell in cells))
    if study.planted:
        lines += ["", f"{'planted':<24}{'runs':>8}{'round 1':>10}{'by round 2':>12}{'stopped':>10}"]
    lines += [
        f"{one.plant:<24}{one.runs:>8}{one.first_round:>10.0%}{one.flagged:>12.0%}"
        f"{one.stopped:>10.0%}"
        for one in study.planted
    ]
    lines.append("")
    lines += [f"{'yes' if one.holds else 'NO':<5}{one.name}" for one in study.orderings]
    return "\n".join(lines)
