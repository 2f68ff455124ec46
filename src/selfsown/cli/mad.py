"""`selfsown mad`: simulate models that feed on themselves, beside what theory says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfsown.guard.simulate.study import Study


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as one JSON object.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write mad.html with the plots, and mad.json, into this directory.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--rounds", default=8, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--world",
    "worlds",
    multiple=True,
    help="Loop only this world: unigram, bigram; may be repeated. All by default.",
)
def mad(as_json: bool, out: Path | None, seed: int, rounds: int, worlds: tuple[str, ...]) -> None:
    """Simulate three loops of models that train on their own output; takes seconds.

    Compares Gaussian, unigram and bigram simulations with closed forms, and shows how much
    synthetic data a loop can take. Exits 1 where theory and simulation disagree.
    """
    from selfsown.core.errors import ConfigError
    from selfsown.guard.simulate.loops import WORLDS
    from selfsown.guard.simulate.study import run_study

    if unknown := sorted(set(worlds) - set(WORLDS)):
        raise ConfigError(
            f"unknown world `{unknown[0]}`",
            why="the loops turn in a simulated world",
            fix="use " + " or ".join(f"`--world {name}`" for name in WORLDS),
        )
    study = run_study(seed, rounds, worlds or tuple(WORLDS))
    text = json.dumps(study.to_json())
    if out is not None:
        _write(study, text, out)
    click.echo(text if as_json else _table(study))
    if not study.holds:
        click.echo("error: a closed form or an ordering does not hold", err=True)
        raise click.exceptions.Exit(1)


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
    if study.orderings:
        lines.append("")
    lines += [f"{'yes' if one.holds else 'NO':<5}{one.name}" for one in study.orderings]
    return "\n".join(lines)
