"""`selfsown judge`: how far can a judge be trusted?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.evaluate.rating.agreement import Estimate
    from selfsown.judge.base import Judge
    from selfsown.judge.calibration import Calibration
    from selfsown.judge.labels import Label

_RATE: Final = click.FloatRange(0, 1)
CANARIES: Final = 20
"""Pairs that are asked again with a plea in the worse answer, where none are asked for."""


@click.group()
def judge() -> None:
    """Measure judges: models, or programs, that say how good an answer is."""


@judge.command()
@click.argument("labels", metavar="LABELS.jsonl", type=click.Path(path_type=Path))
@click.option("--judge", "name", metavar="NAME", help="Ask this judge; else verdicts are in rows.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Judge's option.")
@click.option("--model", metavar="URI", help="The model that the judge asks.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Directory of its answers.")
@click.option("--canaries", type=click.IntRange(min=0), help="Pairs with a plea in them. [20]")
@click.option("--own", default="", metavar="NAME", help="The judge's model, as a_model has it.")
@click.option("--gate", is_flag=True, help="Exit 1 if the judge misses a bound below.")
@click.option("--min-accuracy", default=0.6, show_default=True, type=_RATE, help="Lower bound.")
@click.option("--min-consistency", default=0.6, show_default=True, type=_RATE, help="Both orders.")
@click.option("--min-parse-rate", default=0.8, show_default=True, type=_RATE, help="Readable rows.")
@click.option("--min-pairs", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--resamples", default=2000, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=0, show_default=True, help="Seed of intervals and canaries.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Calls in flight at the start.")
@click.option("--budget-usd", type=click.FloatRange(min=0), help="Hard cap in US dollars.")
@click.option("--retry-failed", is_flag=True, help="Ask again exactly what failed for good.")
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
@click.option("--quiet", is_flag=True, help="Print no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def calibrate(
    ctx: click.Context, /, labels: Path, name: str | None, gate: bool, as_json: bool, **given: Any
) -> None:
    r"""Compare what a judge says with human labels; with --gate, refuse one that misses a bound.

    Rows are pairs (prompt, a, b, label: a, b or tie) or scores (prompt, answer, label: a number).
    Either a judge is asked, or the rows have what it said: verdict and verdict_swapped, or judged.

    \b
      selfsown judge calibrate labels.jsonl --judge pairwise --model openai:gpt-4o -o calib --gate
      selfsown judge calibrate judged.jsonl --gate --min-accuracy 0.7
    """
    from selfsown.judge.calibration import calibrate as measured
    from selfsown.judge.gate import Gate, check, refusals
    from selfsown.judge.labels import judged_labels, read_labels
    from selfsown.judge.registry import judge_named
    from selfsown.judging import calibration_form, write_calibration

    asked = None if name is None else judge_named(name, _options(given["assignments"]))
    if asked is None:
        _refuse_without_judge(given)
        told = judged_labels(labels)
    else:
        told = _judged(ctx, asked, read_labels(labels), given)
    found = measured(told, own=given["own"], seed=given["seed"], resamples=given["resamples"])
    bounds = Gate(
        accuracy=given["min_accuracy"],
        consistency=given["min_consistency"],
        parse_rate=given["min_parse_rate"],
        pairs=given["min_pairs"],
    )
    missed = refusals(found, bounds)
    form = calibration_form(found, missed, asked, given["model"] or "")
    if asked is not None and asked.roles:
        click.echo(f"wrote `{write_calibration(given['out'], form)}`", err=True)
    click.echo(_json(form) if as_json else "\n".join(calibration_lines(found, missed)))
    if gate:
        check(found, bounds)


def _options(assignments: Sequence[str]) -> dict[str, JSON]:
    """`--set samples=5` and the like."""
    from selfsown.core.config import put, read_assignment

    options: dict[str, JSON] = {}
    for assignment in assignments:
        put(options, *read_assignment(assignment))
    return options


def _refuse_without_judge(given: Mapping[str, Any]) -> None:
    """Refuse what only matters when a judge is asked."""
    for name in ("assignments", "model", "out", "canaries", "concurrency", "budget_usd"):
        if given[name]:
            flag = {"assignments": "set"}.get(name, name.replace("_", "-"))
            raise click.UsageError(f"`--{flag}` needs --judge NAME: without it nothing is asked")


def _judged(
    ctx: click.Context, judge: Judge, labels: list[Label], given: Mapping[str, Any]
) -> list[Label]:
    """Let the judge say something of every label; what it said before is not asked again."""
    from selfsown.judge.canaries import canaries
    from selfsown.judge.verdicts import with_verdicts
    from selfsown.judging import ajudged_by_program, judgements_of
    from selfsown.runner import run_loop

    if not judge.roles:
        told: list[Label] = run_loop(ajudged_by_program(labels, judge))
        return told
    for flag, value in (("--model URI", given["model"]), ("-o DIR", given["out"])):
        if not value:
            raise click.UsageError(f"`{flag}` is missing: judge `{judge.name}` asks a model")
    count = CANARIES if given["canaries"] is None else given["canaries"]
    everything = [*labels, *canaries(labels, count, seed=given["seed"])]
    _ask(ctx, judge, everything, given)
    return with_verdicts(everything, judge, judgements_of(given["out"]))


def _ask(ctx: click.Context, judge: Judge, labels: list[Label], given: Mapping[str, Any]) -> None:
    from selfsown.cli.arguments import Asked
    from selfsown.cli.progress import LiveView
    from selfsown.cli.run import agrees, perform, resume_command
    from selfsown.evaluation import model_uri
    from selfsown.judge.verdicts import label_rows
    from selfsown.judging import judging_config
    from selfsown.recipes.judging import RECIPE
    from selfsown.runner import Start

    settings: dict[str, Any] = {"budget": {"usd": given["budget_usd"]}, "seed": given["seed"]}
    if given["concurrency"] is not None:
        settings["limits"] = {"concurrency": given["concurrency"]}
    config = judging_config(judge, model_uri(given["model"]), given["out"], **settings)
    options = RECIPE.resolve(config.preset, config.options)
    start = Start(
        retry_failed=given["retry_failed"],
        view=None if given["quiet"] else LiveView(RECIPE, options),
        signals=True,
        resume=resume_command(ctx),
    )
    is_interactive = sys.stdin.isatty() and sys.stderr.isatty()
    ask = agrees if is_interactive and not given["yes"] else None
    rows = list(label_rows(labels, judge))
    code = perform(
        Asked(config, RECIPE, options, rows=rows), start, ask=ask, quiet=given["quiet"], hints=False
    )
    if code:
        ctx.exit(code)


def calibration_lines(found: Calibration, missed: list[str]) -> list[str]:
    """A calibration as aligned text; shares times 100."""
    from selfsown.cli.summary import aligned

    own = _words(found.self_preference, "no pair with one answer of the judge's own model")
    rows = [
        ["rows judged", f"{found.rows:,}"],
        ["could not be read", f"{found.missing:,} ({1 - found.parse_rate:.1%})"],
        ["decided pairs", f"{found.pairs:,}"],
        ["accuracy on them, %", _words(found.accuracy, "no decided pairs")],
        *([f"  {shown(name)}", _words(one, "")] for name, one in found.categories.items()),
        ["same label, %", _words(found.raw, "nothing to compare")],
        ["Cohen's kappa", _words(found.kappa, "one side always says the same", 1)],
        ["Spearman", _words(found.spearman, "one side always says the same", 1)],
    ]
    if found.kind == "pairs":
        rows += [
            ["same in both orders, %", _words(found.position.consistency, "nothing to compare")],
            ["first answer wins, %", _words(found.position.first_slot, "only ties")],
        ]
    if found.calibration_error is not None:
        rows.append(["confidence off by, %", f"{100 * found.calibration_error:.1f}"])
    rows += [
        ["longer answer wins, %", _words(found.length.longer, "all of equal length")],
        ["  by people, %", _words(found.length.human, "all of equal length")],
        ["  more than by people", _words(found.length.bias, "all of equal length")],
        ["own answer, more than people", own],
        ["moved by words in answers", _words(found.injection, "no canaries")],
    ]
    verdict = [f"refused: {shown(one)}" for one in missed] or ["passes every bound"]
    if found.constant:
        verdict = [f"refused: it always says the same: {found.constant}"]
    return [*aligned(rows, right=()), *_warnings(found), *verdict]


def _warnings(found: Calibration) -> list[str]:
    lines = []
    if found.length.is_alarming:
        lines.append(
            f"warning: prefers the longer answer in {found.length.longer.value:.0%} of pairs"
        )
    own = found.self_preference.low
    if own is not None and own > 0:
        lines.append("warning: prefers answers of its own model more than people do")
    return lines


def _words(estimate: Estimate, undefined: str, scale: int = 100) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return f"- ({undefined})"
    digits = 2 if scale == 1 else 1
    value, low, high = (
        f"{scale * one:.{digits}f}" for one in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"


def _json(form: Mapping[str, JSON]) -> bytes:
    import orjson

    return orjson.dumps(dict(form), option=orjson.OPT_INDENT_2)
