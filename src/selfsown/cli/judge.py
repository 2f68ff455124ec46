"""`selfsown judge`: how far can a judge be trusted?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.evaluate.rating.agreement import Estimate
    from selfsown.judge.calibration import Calibration

_RATE: Final = click.FloatRange(0, 1)


@click.group()
def judge() -> None:
    """Measure judges: models, or programs, that say how good an answer is."""


@judge.command()
@click.argument("labels", metavar="LABELS.jsonl", type=click.Path(path_type=Path))
@click.option("--own", default="", metavar="NAME", help="The judge's model, as a_model has it.")
@click.option("--gate", is_flag=True, help="Exit 1 if the judge misses a bound below.")
@click.option("--min-accuracy", default=0.6, show_default=True, type=_RATE, help="Lower bound.")
@click.option("--min-consistency", default=0.6, show_default=True, type=_RATE, help="Both orders.")
@click.option("--min-parse-rate", default=0.8, show_default=True, type=_RATE, help="Readable rows.")
@click.option("--min-pairs", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--resamples", default=2000, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=0, show_default=True, help="Seed of the intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def calibrate(
    labels: Path,
    own: str,
    gate: bool,
    min_accuracy: float,
    min_consistency: float,
    min_parse_rate: float,
    min_pairs: int,
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    r"""Compare what a judge said with human labels; with --gate, refuse one that misses a bound.

    Rows are pairs (prompt, a, b, label: a, b or tie) with what the judge said in both orders
    (verdict, verdict_swapped), or scores (prompt, answer, label: a number) with judged.

    \b
      selfsown judge calibrate labels.jsonl --gate
    """
    from selfsown.judge.calibration import calibrate as measured
    from selfsown.judge.gate import Gate, check, refusals
    from selfsown.judge.labels import judged_labels

    found = measured(judged_labels(labels), own=own, seed=seed, resamples=resamples)
    bounds = Gate(
        accuracy=min_accuracy,
        consistency=min_consistency,
        parse_rate=min_parse_rate,
        pairs=min_pairs,
    )
    missed = refusals(found, bounds)
    click.echo(_json(found, missed) if as_json else "\n".join(calibration_lines(found, missed)))
    if gate:
        check(found, bounds)


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
            ["same in both orders, %", _words(found.consistency, "nothing to compare")],
            ["first answer wins, %", _words(found.first_slot, "only ties")],
        ]
    rows += [
        ["longer answer wins, %", _words(found.longer, "all of equal length")],
        ["  by people, %", _words(found.human_longer, "all of equal length")],
        ["  more than by people", _words(found.length_bias, "all of equal length")],
        ["own answer, more than people", own],
        ["moved by words in answers", _words(found.injection, "no canaries")],
    ]
    verdict = [f"refused: {shown(one)}" for one in missed] or ["passes every bound"]
    if found.constant:
        verdict = [f"refused: it always says the same: {found.constant}"]
    return [*aligned(rows, right=()), *_warnings(found), *verdict]


def _warnings(found: Calibration) -> list[str]:
    from selfsown.judge.calibration import LONGER_ALARM

    lines = []
    longer, people = found.longer.value, found.length_bias.low
    if longer is not None and people is not None and longer >= LONGER_ALARM and people > 0:
        lines.append(f"warning: prefers the longer answer in {longer:.0%} of pairs")
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


def _json(found: Calibration, missed: list[str]) -> bytes:
    from dataclasses import asdict

    import orjson

    facts = {**asdict(found), "refusals": missed}
    return orjson.dumps(facts, option=orjson.OPT_INDENT_2)
