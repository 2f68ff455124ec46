"""`selfsown loop`: rounds of generate, curate, guard, train, evaluate, promote or roll back."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from selfsown.loop.rounds import LoopResult
    from selfsown.report.loop_numbers import PageNumbers, Tails


@click.command()
@click.argument("config_file", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--out", metavar="DIR", help="Directory of the loop.")
@click.option("--rounds", type=click.IntRange(min=1), help="Rounds to turn; more extend a loop.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any config key; with --lab-experiment, options of Self-Instruct for one more arm.",
)
@click.option(
    "--lab-experiment",
    is_flag=True,
    help="Instead of CONFIG: compare ways of making a model on the embedded lab, and feed one on"
    " itself; needs no network.",
)
@click.option(
    "--lab-preferences",
    is_flag=True,
    help="Instead of CONFIG: preference loops and their controls on the embedded lab, in two"
    " processes; needs no network.",
)
@click.option(
    "--repeat",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Seeds of --lab-experiment and --lab-preferences.",
)
@click.option("--keys", is_flag=True, help="Explain every key of the config, and end.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print loop.json on stdout.")
@click.pass_context
def loop(
    ctx: click.Context,
    /,
    config_file: Path | None,
    out: str | None,
    rounds: int | None,
    assignments: tuple[str, ...],
    lab_experiment: bool,
    lab_preferences: bool,
    repeat: int,
    keys: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Turn the crank: each round writes data, trains the base on them, and is measured.

    CONFIG is a YAML or TOML file. Rounds lie in DIR/rounds/0, 1, ...; the same command resumes at
    any point. A round is promoted if the held-out metric did not fall and the guard did not stop.
    Exit code 1: the guard ended the loop. With `recipe: self-rewarding` or `online-rlhf`, rounds
    train the promoted policy on pairs of its own answers, and are rolled back where a score fell.

    \b
      selfsown loop loop.yaml -o loops/x
      selfsown loop --set base=lab --set seeds=lab:25 --set suites=[lab-plain] -o loops/x
    """  # noqa: D301 `\b` tells click not to wrap
    if keys:
        click.echo("\n".join(key_lines()))
        return 0
    from selfsown.cli.preference_loop import preference_experiment, turned
    from selfsown.cli.run import resume_command
    from selfsown.core.errors import Suspended
    from selfsown.loop.config import make_loop_config
    from selfsown.loop.preference.config import RECIPE_NAMES, make_preference_loop_config
    from selfsown.loop.rounds import turn

    tell = (lambda line: None) if quiet else (lambda line: click.echo(shown(line), err=True))
    try:
        if lab_experiment:
            if config_file or rounds or out is None:
                raise click.UsageError(
                    "`--lab-experiment` takes `-o DIR`, `--repeat` and `--set options.NAME=VALUE`"
                )
            variants = lab_variants(assignments)
            return lab_comparison(out, repeat, tell, variants, as_json=as_json)
        if lab_preferences:
            if config_file or rounds or assignments or out is None:
                raise click.UsageError("`--lab-preferences` takes `-o DIR` and `--repeat`")
            return preference_experiment(out, repeat, tell, as_json=as_json)
        form = given_form(config_file, out, rounds, assignments)
        source = str(config_file or "loop")
        if form.get("recipe") in RECIPE_NAMES:
            return turned(make_preference_loop_config(form, source=source), tell, as_json=as_json)
        result = turn(make_loop_config(form, source=source), tell)
    except (Suspended, KeyboardInterrupt):
        click.echo(f"resume: {resume_command(ctx)}", err=True)
        raise
    if as_json:
        click.echo(result.places.numbers.read_text(encoding="utf-8"), nl=False)
    if not quiet:
        click.echo("\n".join(ending_lines(result)), err=True)
    return 1 if result.stopped else 0


def lab_variants(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The arm that `--set` adds to the lab experiment: its name → changed options of the recipe.

    Raises:
        UsageError: a key is no option of the recipe.
    """
    from selfsown.core.config import apply_set

    given: dict[str, Any] = {}
    for assignment in assignments:
        apply_set(given, assignment)
    if not given:
        return {}
    if given.keys() != {"options"} or not isinstance(given["options"], dict):
        raise click.UsageError("with `--lab-experiment`, `--set` takes options of the recipe alone")
    changes = (assignment.removeprefix("options.") for assignment in assignments)
    return {f"Self-Instruct, {', '.join(changes)}": given["options"]}


def lab_comparison(
    out: str,
    repeat: int,
    tell: Callable[[str], None],
    variants: Mapping[str, Mapping[str, Any]],
    *,
    as_json: bool = False,
) -> int:
    """The lab experiment with its defaults, and arms of other options; tables on stdout."""
    from selfsown.loop.arms import ArmsConfig
    from selfsown.loop.experiment import experiment
    from selfsown.loop.feeding import FeedingConfig
    from selfsown.loop.places import ARMS

    place = Path(out)
    seeds = tuple(range(repeat))
    arms = ArmsConfig(place / ARMS, seeds, variants=variants)
    numbers = experiment(arms, FeedingConfig(place / "feeding", seeds), place, tell)
    if as_json:
        click.echo((place / "loop.json").read_text(encoding="utf-8"), nl=False)
    else:
        click.echo("\n".join(comparison_lines(numbers)))
    click.echo(f"page:  {place / 'loop.html'}", err=True)
    return 0


def comparison_lines(numbers: PageNumbers) -> list[str]:
    """Scores of the arms, their differences, and what the guard said about the loops."""
    from selfsown.cli.summary import aligned
    from selfsown.report.loop_page import change_text, score_text

    lines: list[str] = []
    if numbers.comparison is not None:
        scores = [
            [one.arm, one.suite, one.metric, score_text(one.measure)]
            for one in numbers.comparison.scores
        ]
        changes = [
            [f"{one.first} -> {one.second}", one.suite, one.metric, change_text(one.measure)]
            for one in numbers.comparison.differences
        ]
        lines += [*aligned(scores), "", *aligned(changes)]
    for loop_ in numbers.loops:
        said = [f"round {one.round} {one.guard or 'not measured'}" for one in loop_.rounds]
        lines += ["", f"{loop_.name}: guard: {', '.join(said)}"]
        for one in loop_.rounds:
            alarms = [alarm for alarm in one.alarms if alarm.level == "stop"]
            lines += [f"  round {one.round}: {shown(alarm.message)}" for alarm in alarms]
    return [*lines, *tail_lines(numbers.tails)]


def tail_lines(tails: Sequence[Tails]) -> list[str]:
    """What became of rare human text in the loops, a row per loop and metric."""
    from selfsown.cli.summary import aligned
    from selfsown.report.loop_page import change_text, seeds_text, stops_text

    if not tails:
        return []
    rows = [["loop", "rare human text", "by round", "change x100", "guard stops"]]
    rows += [
        [
            one.loop,
            one.metric,
            seeds_text(one),
            change_text(one.change) if one.change else "-",
            stops_text(one),
        ]
        for one in tails
    ]
    return ["", *aligned(rows)]


def ending_lines(result: LoopResult) -> list[str]:
    """What came of it, where to look, what to do next."""
    from selfsown.cli.run import program
    from selfsown.guard.record import read_record

    lines = []
    if result.stopped:
        verdict = read_record(result.places.round(result.stopped.round).home).verdict
        remedies = verdict.remedies if verdict else ()
        lines += [f"hint: {shown(remedy.action)}" for remedy in remedies]
    elif result.promoted:
        folder = result.places.round(result.promoted.round).model
        lines.append(f"model: {shlex.quote(str(folder))} (round {result.promoted.round})")
        more = shlex.quote(str(result.places.config))
        lines.append(f"more:  {program()} loop {more} --rounds {2 * len(result.endings)}")
    return [*lines, f"page:  {result.places.page}"]


def key_lines() -> list[str]:
    """Every key with its default and what it does: of loops that tune the base, then of others."""
    from selfsown.cli.preference_loop import preference_models
    from selfsown.loop.config import GateConfig, GuardConfig, LoopConfig

    tuning: dict[str, type[BaseModel]] = {
        "": LoopConfig,
        "gate.": GateConfig,
        "guard.": GuardConfig,
    }
    return [
        *lines_of(tuning),
        "",
        "With `recipe: self-rewarding` or `recipe: online-rlhf`:",
        "",
        *lines_of(preference_models()),
    ]


def lines_of(models: Mapping[str, type[BaseModel]]) -> list[str]:
    """The keys of some models, by what stands before them."""
    lines: list[str] = []
    for prefix, model in models.items():
        for name, field in model.model_fields.items():
            if field.is_required():
                default = "required"
            elif field.default_factory is not None:
                default = "[]" if field.default_factory is list else "{}"
            else:
                default = "empty" if field.default is None else str(field.default)
            lines.append(f"{prefix}{name} [{default}]: {field.description}")
    return lines


def given_form(
    file: Path | None, out: str | None, rounds: int | None, assignments: tuple[str, ...]
) -> dict[str, Any]:
    """The keys of the config, before it is checked."""
    from selfsown.core.config import put, read_assignment, read_config

    form: dict[str, Any] = dict(read_config(file)) if file else {}
    for assignment in assignments:
        put(form, *read_assignment(assignment))
    if rounds is not None:
        form["rounds"] = rounds
    if out is not None:
        form["out"] = out
    return form
