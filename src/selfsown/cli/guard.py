"""`selfsown guard`: is this run collapsing? Measured against human text and earlier rounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfsown.guard.human_nll import Predict
    from selfsown.guard.record import Alarm, GuardRecord, Verdict

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("run_dir", metavar="DIR", type=_FILE)
@click.option("--reference", required=True, type=_FILE, help="Human rows: JSONL, JSON or CSV.")
@click.option(
    "--after",
    "earlier",
    multiple=True,
    type=_FILE,
    metavar="DIR",
    help="An earlier round's directory or guard.json, in order; then the first is the baseline.",
)
@click.option("--unbiased", type=_FILE, help="Rows drawn at temperature 1 and top-p 1.")
@click.option(
    "--model",
    metavar="URI",
    help="The generator, if it runs in this process: NLL of held-out human text under it, too.",
)
@click.option(
    "--trained-on",
    type=_FILE,
    help="Rows that the model was trained on: near copies are counted, and none is held out.",
)
@click.option(
    "--mixture",
    type=_FILE,
    metavar="DIR",
    help="What is trained on, as `selfsown mix` wrote it: its human share is judged, too.",
)
@click.option("--field", help="Field to measure; by default a usual one that both have.")
@click.option("--reference-field", help="Field of the reference, where it has another name.")
@click.option("--label", help="Field with a category, for rare labels.")
@click.option("-m", "rows", default=1000, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--round", "round_", type=click.IntRange(min=0), help="Number of the round.")
@click.option("--json", "as_json", is_flag=True, help="Print the record instead of a table.")
def guard(
    run_dir: Path,
    reference: Path,
    earlier: tuple[Path, ...],
    unbiased: Path | None,
    model: str | None,
    trained_on: Path | None,
    mixture: Path | None,
    field: str | None,
    reference_field: str | None,
    label: str | None,
    rows: int,
    seed: int,
    round_: int | None,
    as_json: bool,
) -> None:
    """Measure the run in DIR (or a data file) beside human text; exit 1 if it must stop.

    Without --after it is compared with human rows of equal number, with it to the first of the
    earlier rounds. Writes guard.json into a run directory.
    """
    from selfsown.core.inputs import read_rows
    from selfsown.guard.directory import RoundFacts, guard_directory
    from selfsown.guard.judge import judge
    from selfsown.guard.policy import Policy
    from selfsown.guard.record import read_record, write_record
    from selfsown.guard.sample import Settings
    from selfsown.guard.texts import Reading
    from selfsown.guard.trained_mixture import trained_mixture

    history = [read_record(path) for path in earlier]
    if round_ is None and history:
        round_ = history[-1].round + 1
    facts = RoundFacts(
        round=round_,
        mixture=trained_mixture(mixture) if mixture else None,
        unbiased=list(read_rows(unbiased)) if unbiased else (),
        trained_on=list(read_rows(trained_on)) if trained_on else None,
        predict=_predict(model) if model else None,
    )
    record = guard_directory(
        run_dir,
        reference,
        settings=Settings(m=rows, seed=seed),
        facts=facts,
        reading=Reading(field, reference_field, label),
    )
    policy = Policy(baseline="own" if history else "human")
    verdict = judge([*history, record], policy)
    record = record.judged(verdict)
    if run_dir.is_dir():
        click.echo(f"wrote `{write_record(record, run_dir)}`", err=True)
    click.echo(json.dumps(record.to_json()) if as_json else _table(record, verdict))
    if verdict.level == "stop":
        raise click.exceptions.Exit(1)


def _predict(model: str) -> Predict:
    """Likelihoods under a model in this process."""
    from selfsown.evaluation import model_uri
    from selfsown.models.likelihood import likelihoods
    from selfsown.train.plan import local_folder

    folder = local_folder(model_uri(model))
    if folder is None:
        raise click.BadParameter(
            f"`{model}` is no model in this process: `lab`, `hf:NAME` or a folder is",
            param_hint="--model",
        )

    def predict(texts: Sequence[str]) -> list[tuple[int, float]]:
        return [(one.tokens, one.nats) for one in likelihoods(folder, texts)]

    return predict


def _table(record: GuardRecord, verdict: Verdict) -> str:
    from selfsown.cli.main import shown

    ours, theirs = record.fields
    lines = [f"measured: `{ours}` beside the reference's `{theirs}`", ""]
    for kind, metrics in record.metrics.items():
        title = f"{kind}, {metrics.m} rows"
        lines += [f"{title:<22}{'value':>9}{'95 % interval':>20}{'human':>9}{'ratio':>8}"]
        for name, one in metrics.values.items():
            ratio = f"{one.ratio:>8.2f}" if one.ratio is not None else f"{'-':>8}"
            interval = f"{one.lo:.3f} .. {one.hi:.3f}"
            human = "-" if one.baseline is None else f"{one.baseline:.3f}"
            lines.append(f"{name:<22}{one.value:>9.3f}{interval:>20}{human:>9}{ratio}")
        for reason in dict.fromkeys(metrics.skipped.values()):
            names = ", ".join(n for n, why in metrics.skipped.items() if why == reason)
            lines.append(f"skipped {names}: {reason}")
        lines.append("")
    for name, score in (record.scores or {}).items():
        lines.append(f"{name:<22}{score:>9.3f}")
    if record.data is not None:
        share = f"{record.data.human_token_share:.1%}"
        lines.append(f"people wrote {share} of the tokens trained on, repetitions counted")
    for alarm in verdict.alarms:
        lines += _alarm_lines(alarm)
    lines += [f"note: {note}" for note in verdict.notes]
    lines += [f"remedy {place}: {r.action}" for place, r in enumerate(verdict.remedies, 1)]
    lines.append(f"verdict: {verdict.level}")
    return "\n".join(shown(line) for line in lines)


def _alarm_lines(alarm: Alarm) -> list[str]:
    where = f" ({alarm.sample})" if alarm.sample else ""
    lines = [f"{alarm.level}: {alarm.rule}{where}: {alarm.message}"]
    lines += [
        f"  lost {loss.kind} `{loss.name}`: {loss.count} instead of about {loss.expected:.0f},"
        f" for example: {' '.join(loss.example.split())[:80]}"
        for loss in alarm.evidence
    ]
    return lines
