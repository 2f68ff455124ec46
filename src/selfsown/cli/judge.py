"""`selfsown judge`: how far can a judge be trusted, and what does it say of two systems?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.judge_asking import identity_of, judge_given, judge_options, judged
from selfsown.cli.judge_examples import examples

if TYPE_CHECKING:
    from selfsown.judge.gate import Gate

CANARIES: Final = 20
"""Pairs that are asked again with a plea in the worse answer."""
_RATE: Final = click.FloatRange(0, 1)
_RESAMPLES: Final = click.IntRange(min=100)


@click.group()
def judge() -> None:
    """Measure judges: models, or programs, that say how good an answer is."""


judge.add_command(examples)


@judge.command()
@click.argument("labels", metavar="LABELS.jsonl", type=click.Path(path_type=Path))
@judge_options
@click.option("--canaries", type=click.IntRange(min=0), help="Pairs with a plea in them. [20]")
@click.option("--own", default="", metavar="NAME", help="The judge's model, as a_model has it.")
@click.option("--gate", is_flag=True, help="Exit 1 if the judge misses a bound below.")
@click.option("--min-accuracy", default=0.6, show_default=True, type=_RATE, help="Lower bound.")
@click.option("--min-consistency", default=0.6, show_default=True, type=_RATE, help="Both orders.")
@click.option("--min-parse-rate", default=0.8, show_default=True, type=_RATE, help="Readable rows.")
@click.option("--min-pairs", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--resamples", default=2000, show_default=True, type=_RESAMPLES)
@click.option("--seed", default=0, show_default=True, help="Seed of intervals and canaries.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def calibrate(ctx: click.Context, /, labels: Path, gate: bool, as_json: bool, **given: Any) -> None:
    r"""Compare what a judge says with human labels; with --gate, refuse one that misses a bound.

    Rows are pairs (prompt, a, b, label: a, b or tie) or scores (prompt, answer, label: a number).
    Either a judge is asked, or the rows have what it said: verdict and verdict_swapped, or judged.

    \b
      selfsown judge calibrate labels.jsonl --judge pairwise --model openai:gpt-4o -o calib --gate
      selfsown judge calibrate judged.jsonl --gate --min-accuracy 0.7
    """
    from selfsown.cli.judge_tables import calibration_lines, json_bytes
    from selfsown.judge.calibration import calibrate as measured
    from selfsown.judge.canaries import canaries
    from selfsown.judge.gate import check, refusals
    from selfsown.judge.labels import judged_labels, read_labels
    from selfsown.judge.validation import calibration_form, write_calibration

    asked = judge_given(given)
    if asked is None:
        if given["canaries"]:
            raise click.UsageError("`--canaries` needs --judge NAME: without it nothing is asked")
        told = judged_labels(labels)
    else:
        rows = read_labels(labels)
        count = CANARIES if given["canaries"] is None else given["canaries"]
        told = judged(ctx, asked, [*rows, *canaries(rows, count, seed=given["seed"])], given)
    found = measured(told, own=given["own"], seed=given["seed"], resamples=given["resamples"])
    bounds = _bounds(given)
    missed = refusals(found, bounds)
    form = calibration_form(found, missed, asked, identity_of(asked, given["model"]))
    if given["out"] is not None:
        click.echo(f"wrote `{write_calibration(given['out'], form)}`", err=True)
    click.echo(json_bytes(form) if as_json else "\n".join(calibration_lines(found, missed)))
    if gate:
        check(found, bounds)


@judge.command()
@click.argument("answers", nargs=2, metavar="[NAME=]FIRST [NAME=]SECOND")
@judge_options
@click.option("--suite", help="Suite to compare, where evaluations have several.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="So many instances, at random.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Where it was calibrated.")
@click.option("--gate", is_flag=True, help="Exit 1 unless the judge was calibrated and passed.")
@click.option("--resamples", default=500, show_default=True, type=_RESAMPLES)
@click.option("--seed", default=0, show_default=True, help="Seed of intervals and choice.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def compare(
    ctx: click.Context, /, answers: tuple[str, str], gate: bool, as_json: bool, **given: Any
) -> None:
    r"""How often the answers of one system beat another's, as judged and at equal length.

    Each argument is the directory of an evaluation or a prediction file.

    \b
      selfsown judge compare tuned=evals/r0 base=evals/base --judge pairwise --model openai:gpt-4o
        -o contest --calibration calib
    """
    from dataclasses import asdict

    from selfsown.cli.judge_tables import json_bytes, win_rate_lines
    from selfsown.evaluate.rating.sources import answers_of
    from selfsown.judge.contests import contests, paired_answers, rated
    from selfsown.judge.validation import check_validated, validation

    asked = judge_given(given)
    if asked is None:
        raise click.UsageError("`--judge NAME` is missing: somebody has to compare")
    known = validation(given["calibration"], asked, identity_of(asked, given["model"]))
    if gate:
        check_validated(known, asked)
    systems = answers_of(answers, given["suite"])
    pairs = paired_answers(systems, limit=given["limit"], seed=given["seed"])
    told = contests(judged(ctx, asked, pairs, given))
    found = rated(told, seed=given["seed"], resamples=given["resamples"])
    facts = {
        "systems": list(systems),
        "judge": asked.name,
        "validation": known.words,
        **asdict(found),
    }
    lines = win_rate_lines(list(systems), found, known.words)
    click.echo(json_bytes(facts) if as_json else "\n".join(lines))


def _bounds(given: dict[str, Any]) -> Gate:
    from selfsown.judge.gate import Gate

    return Gate(
        accuracy=given["min_accuracy"],
        consistency=given["min_consistency"],
        parse_rate=given["min_parse_rate"],
        pairs=given["min_pairs"],
    )
