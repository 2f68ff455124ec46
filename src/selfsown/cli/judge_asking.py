"""What `judge calibrate` and `judge compare` share: which judge is asked, and asking it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from selfsown.cli.option_sets import with_options

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.judge.base import Judge
    from selfsown.judge.labels import Label

CommandT = TypeVar("CommandT", bound=Callable[..., object])

FLAGS: Final = {
    "name": "--judge",
    "assignments": "--set",
    "model": "--model",
    "out": "-o",
    "concurrency": "--concurrency",
    "budget_usd": "--budget-usd",
    "update": "--update",
    "retry_failed": "--retry-failed",
}
"""Names of the options that only matter when a judge is asked -> as they are typed."""


def judge_options(command: CommandT) -> CommandT:
    """Give a command the options that say which judge is asked, and how."""
    return with_options(
        click.option("--judge", "name", metavar="NAME", help="Which judge: rubric, pairwise, ..."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Option."),
        click.option("--model", metavar="URI", help="The model that the judge asks."),
        click.option("-o", "--out", type=click.Path(path_type=Path), help="Directory of its run."),
        click.option("--concurrency", type=click.IntRange(min=1), help="Calls in flight at first."),
        click.option("--budget-usd", type=click.FloatRange(min=0), help="Hard cap in US dollars."),
        click.option("--update", is_flag=True, help="Go on if rows changed; answers are kept."),
        click.option("--retry-failed", is_flag=True, help="Ask again what failed for good."),
        click.option("--yes", is_flag=True, help="Do not ask before spending."),
        click.option("--quiet", is_flag=True, help="Print no progress."),
    )(command)


def judge_given(given: Mapping[str, Any]) -> Judge | None:
    """The judge that the options name; None without a name.

    Raises:
        UsageError: an option needs a judge, or the judge a model.
        ConfigError: there is no such judge, or its options make no sense.
    """
    from selfsown.core.config import put, read_assignment
    from selfsown.judge.registry import judge_named

    if given["name"] is None:
        for name, flag in FLAGS.items():
            if given[name]:
                raise click.UsageError(f"`{flag}` needs --judge NAME: without it nothing is asked")
        return None
    options: dict[str, JSON] = {}
    for assignment in given["assignments"]:
        put(options, *read_assignment(assignment))
    judge = judge_named(given["name"], options)
    for flag, value in (("--model URI", given["model"]), ("-o DIR", given["out"])):
        if judge.roles and not value:
            raise click.UsageError(f"`{flag}` is missing: judge `{judge.name}` asks a model")
    return judge


def identity_of(judge: Judge | None, model: str | None) -> str:
    """The identity of the model that a judge asks, as journals have it; empty where it asks none.

    Raises:
        ConfigError: there is no such model.
    """
    from selfsown.evaluation import model_uri
    from selfsown.models.uri import open_model

    if judge is None or not judge.roles or not model:
        return ""
    return open_model(model_uri(model)).identity


def judged(
    ctx: click.Context, judge: Judge, labels: Sequence[Label], given: Mapping[str, Any]
) -> list[Label]:
    """The labels with what the judge says of each; what it said before is not asked again."""
    from selfsown.judge.verdicts import with_verdicts
    from selfsown.judging import ajudged_by_program, judgements_of
    from selfsown.runner import run_loop

    if not judge.roles:
        told: list[Label] = run_loop(ajudged_by_program(labels, judge))
        return told
    ask_judge(ctx, judge, labels, given)
    return with_verdicts(labels, judge, judgements_of(given["out"]))


def ask_judge(
    ctx: click.Context, judge: Judge, labels: Sequence[Label], given: Mapping[str, Any]
) -> None:
    """Ask a judge about labels by a journaled run; leaves the program if that did not end."""
    from selfsown.cli.arguments import Asked
    from selfsown.cli.progress import LiveView
    from selfsown.cli.run import agrees, perform, resume_command
    from selfsown.evaluation import model_uri
    from selfsown.judge.verdicts import label_rows
    from selfsown.judging import judging_config
    from selfsown.recipes.judging import RECIPE
    from selfsown.runner import Start

    settings: dict[str, Any] = {"budget": {"usd": given["budget_usd"]}}
    if given["concurrency"] is not None:
        settings["limits"] = {"concurrency": given["concurrency"]}
    config = judging_config(judge, model_uri(given["model"]), given["out"], **settings)
    options = RECIPE.resolve(config.preset, config.options)
    start = Start(
        update=given["update"],
        retry_failed=given["retry_failed"],
        view=None if given["quiet"] else LiveView(RECIPE, options),
        signals=True,
        resume=resume_command(ctx),
    )
    is_interactive = sys.stdin.isatty() and sys.stderr.isatty()
    ask = agrees if is_interactive and not given["yes"] else None
    rows = list(label_rows(labels, judge))
    asked = Asked(config, RECIPE, options, rows=rows)
    code = perform(asked, start, ask=ask, quiet=given["quiet"], hints=False)
    if code:
        ctx.exit(code)
