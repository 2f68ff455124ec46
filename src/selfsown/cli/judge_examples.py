"""`selfsown judge examples`: what a judge wrote, where people agree, as data to train it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from selfsown.cli.judge_asking import ask_judge, judge_given, judge_options


@click.command()
@click.argument("labels", metavar="LABELS.jsonl", type=click.Path(path_type=Path))
@judge_options
@click.option("--held-out", default=0.25, show_default=True, type=float, help="Share of prompts.")
@click.option(
    "--without", multiple=True, metavar="DATA", help="Leave out prompts of it, e.g. of IFT data."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the split and of the choice.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_context
def examples(ctx: click.Context, /, labels: Path, as_json: bool, **given: Any) -> None:
    r"""Write judgements whose scores are in people's order as examples to train the judge on.

    Rows are answers that people ranked (prompt, answer, and label, a number, or rank, 0 for the
    best), several to a prompt, or pairs (prompt, a, b, label). A part of the prompts is held out.

    \b
      selfsown judge examples ranked.jsonl --model hf:runs/sft --without ift.jsonl -o eft
      selfsown train ift.jsonl --data eft/eft.jsonl --base runs/sft -o m1
      selfsown judge calibrate eft/held_out.jsonl --judge rubric --model hf:m1 -o anchor
    """
    from selfsown.cli.judge_tables import example_lines, json_bytes
    from selfsown.judge.eft import apart, check_samples, rankings, split
    from selfsown.judge.eft import examples as made
    from selfsown.judge.eft_files import counts_form, write_examples
    from selfsown.judge.labels import read_labels
    from selfsown.judging import judgements_of, sent_of

    judge = judge_given({**given, "name": given["name"] or "rubric"})
    assert judge is not None
    check_samples(judge)
    ranked = rankings(read_labels(labels))
    found = apart(ranked, prompts_of(given["without"]))
    train, held_out = split(found, given["held_out"], seed=given["seed"])
    ask_judge(ctx, judge, [answer for one in train for answer in one.answers], given)
    sent = sent_of(given["out"])
    told = {name: one for name, one in judgements_of(given["out"]).items() if name in sent}
    result = made(train, told, judge.scale, seed=given["seed"])
    elsewhere = len(ranked) - len(found)
    counts = counts_form(judge, given["model"], result, train, held_out, elsewhere=elsewhere)
    path = write_examples(given["out"], result, held_out, sent, counts)
    click.echo(f"wrote `{path}`", err=True)
    click.echo(json_bytes(counts) if as_json else "\n".join(example_lines(counts)))


def prompts_of(data: Sequence[str]) -> list[str]:
    """What the records of training data ask."""
    from selfsown.train.records import read_sources
    from selfsown.train.settings import SourceConfig

    sources = read_sources([SourceConfig(path=path) for path in data], seeds=False)
    return [record.asked for source in sources for record in source.records]
