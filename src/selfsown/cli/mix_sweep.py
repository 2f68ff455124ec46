"""`selfsown mix sweep`: which mixture is best? Small students are trained to find out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.mix_sources import given_sources, source_options

if TYPE_CHECKING:
    from selfsown.sweep.material import Design

_POSITIVE: Final = click.IntRange(min=1)
_LAB: Final = {"noise": (1_000_000, 4.0), "mixture": (1_600_000, 4.0), "scarce": (1_000_000, 20.0)}
"""Experiment → tokens of a student, most epochs."""
_TOKENS: Final = 2_000_000


@click.command()
@source_options
@click.option(
    "--lab",
    type=click.Choice(list(_LAB)),
    help="Instead of sources: an experiment in the lab's world, half an hour of one core.",
)
@click.option(
    "--clean",
    type=click.Path(path_type=Path, exists=True),
    help="With --lab noise: make this clean text noisy, instead of the lab's.",
)
@click.option(
    "--held-out",
    "held_out",
    multiple=True,
    metavar="NAME=PATH",
    help="Real text that no source has; one loss for each.",
)
@click.option(
    "--tasks",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="JSONL of {prompt, choices, kind}, the right choice first.",
)
@click.option(
    "--ratio",
    "ratios",
    multiple=True,
    type=click.FloatRange(0, 1),
    help="Share of synthetic tokens, each with each source.  [default: 0 0.15 0.3 0.5 1]",
)
@click.option(
    "--tokens",
    type=_POSITIVE,
    metavar="N",
    help="That every student reads.  [default: 2000000; of --lab its own]",
)
@click.option("--seeds", default=2, show_default=True, type=_POSITIVE, help="Students of each arm.")
@click.option("--width", default=96, show_default=True, type=_POSITIVE, help="Of a student.")
@click.option("--layers", default=2, show_default=True, type=_POSITIVE, help="Of a student.")
@click.option("--allow-all-synthetic", is_flag=True, help="Choose also what people wrote none of.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the sweep; the same command again goes on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print comparison.json.")
def sweep(out: Path, as_json: bool, **given: Any) -> None:
    r"""Train small students on mixtures, and choose by real text and tasks.

    Every share of every synthetic source gets a student of equal tokens under each seed. Of the
    mixtures whose loss on real text is not shown to be above the lowest, the one with the best
    tasks is chosen.

    \b
      selfsown mix sweep --real web=web/ --synthetic qa=qa.jsonl --held-out web=held/ -o sweep
      selfsown mix sweep --lab noise -o noise
    """
    import orjson

    from selfsown.cli.sweep_tables import comparison_lines, mix_command
    from selfsown.sweep.run import SweepOptions, run_sweep
    from selfsown.sweep.student import Shape

    lab, most = given["lab"], given["max_epochs"]
    sources = given_sources(given)
    tokens, epochs = _LAB.get(lab, (_TOKENS, most))
    options = SweepOptions(
        given["tokens"] or tokens,
        tuple(range(given["seeds"])),
        Shape(width=given["width"], layers=given["layers"]),
        epochs,
        given["allow_all_synthetic"],
    )
    if lab and (sources or given["held_out"] or given["tasks"] or given["ratios"]):
        raise click.UsageError("--lab brings its own sources, held-out text, tasks and arms")
    if given["clean"] and lab != "noise":
        raise click.UsageError("--clean goes with --lab noise")
    design = _lab(lab, given["clean"]) if lab else _given(sources, given)
    found = run_sweep(design, options, out, lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(comparison_lines(found)))
    if not lab:
        click.echo(f"next: {mix_command(found, design, sources)}", err=True)


def _lab(name: str, clean: Path | None) -> Design:
    from selfsown.sweep.lab_mixture import SCARCE, MixtureWorld, mixture_design
    from selfsown.sweep.lab_noise import noise_design
    from selfsown.sweep.noise_text import noisy_text_design

    if clean is not None:
        return noisy_text_design(clean)
    if name == "noise":
        return noise_design()
    return mixture_design(SCARCE if name == "scarce" else MixtureWorld())


def _given(sources: list[Any], given: dict[str, Any]) -> Design:
    from selfsown.sweep.arms import RATIOS
    from selfsown.sweep.given import given_design

    held_out: dict[str, Path] = {}
    for text in given["held_out"]:
        name, sign, path = text.partition("=")
        if not (sign and name and path):
            raise click.UsageError(f"--held-out takes NAME=PATH, not `{text}`")
        if name in held_out:
            raise click.UsageError(f"--held-out names `{name}` twice")
        held_out[name] = Path(path)
    return given_design(sources, held_out, given["tasks"], given["ratios"] or RATIOS)
