"""`selfsown lab`: look into the micro-world, ask its oracle, train and measure its model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfsown.evaluate.lab_generation import GenerationQuality
    from selfsown.evaluate.lab_suite import Scores

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
_SEED = click.option("--seed", default=0, show_default=True, help="Seed of the draw.")


@click.group()
def lab() -> None:
    """Look into the micro-world, ask its oracle, train and measure its model."""


@lab.command()
@click.option("-n", "count", default=10, show_default=True, type=click.IntRange(min=1))
@_SEED
@click.option(
    "--part",
    type=click.Choice(["seen", "modifier", "verb", "family", "any"]),
    default="seen",
    show_default=True,
    help="Draw what pretraining may see, or what is held out for one reason.",
)
@_JSON
def world(count: int, seed: int, part: str, as_json: bool) -> None:
    """Draw tasks of the world with an input and the right answer."""
    from selfsown.core.randomness import rng_for
    from selfsown.lab.world import sample_instruction, sample_item
    from selfsown.lab.world.sampling import Part

    chosen: Part = part  # type: ignore[assignment]
    for number in range(count):
        rng = rng_for(seed, "lab-world", number)
        item = sample_item(rng, sample_instruction(rng, chosen))
        program = item.instruction.program
        record = {
            "instruction": item.instruction.text,
            "input": item.input,
            "output": item.answer,
            **{"family": program.family, "modifier": program.modifier},
        }
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(f"{record['instruction']}\n  {item.input or '(no input)'} -> {item.answer}")


@lab.command()
@click.option("-n", "count", default=3, show_default=True, type=click.IntRange(min=1))
@_SEED
@_JSON
def corpus(count: int, seed: int, as_json: bool) -> None:
    """Print documents of the pretraining corpus."""
    from itertools import islice

    from selfsown.lab.corpus import documents, text_of

    for number, document in enumerate(islice(documents(seed), count), 1):
        if as_json:
            click.echo(json.dumps({"text": text_of(document)}, ensure_ascii=False))
        else:
            click.echo(f"--- document {number}\n{text_of(document)}")


@lab.command()
@click.argument("instruction")
@click.argument("text", metavar="INPUT")
@click.argument("answer")
@_JSON
def check(instruction: str, text: str, answer: str, as_json: bool) -> None:
    """Ask the oracle about one INSTRUCTION, INPUT (may be "") and ANSWER; exit 1 unless right."""
    from selfsown.lab.oracle import check as ask_oracle

    grade = ask_oracle(instruction, text, answer)
    if as_json:
        click.echo(json.dumps(asdict(grade), ensure_ascii=False))
    else:
        click.echo(f"verdict: {grade.reason.replace('_', ' ')}")
        if grade.reference is not None:
            click.echo(f"reference: {grade.reference}")
        if grade.is_unseen_composition:
            click.echo("note: pretraining never saw this composition")
    if not grade.is_correct:
        raise click.exceptions.Exit(1)


@lab.command()
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--tokens", default=20_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True, help="Seed of data, tokenizer and weights.")
@click.option("--threads", default=1, show_default=True, help="2 helps on an idle machine only.")
@click.option("--smoke", is_flag=True, help="The whole path in seconds; learns nothing.")
@_JSON
def pretrain(out: Path, tokens: int, seed: int, threads: int, smoke: bool, as_json: bool) -> None:
    """Train the lab model from nothing into the folder OUT; run again to resume."""
    from selfsown.evaluate.lab_suite import evaluate as score
    from selfsown.train.model_card import model_card, write_card
    from selfsown.train.pretrain import SMOKE, chosen_settings
    from selfsown.train.pretrain import pretrain as train

    tokens = SMOKE.tokens if smoke else tokens

    def say(line: str) -> None:
        click.echo(line, err=True)

    outcome = train(out, tokens=tokens, seed=seed, smoke=smoke, threads=threads, on_progress=say)
    scores = score(out, limit=4 if smoke else None)
    settings = chosen_settings(tokens=tokens, seed=seed, smoke=smoke)
    write_card(out, model_card(settings, outcome, scores))
    record = {"outcome": asdict(outcome), "scores": scores.as_record()}
    click.echo(json.dumps(record) if as_json else _table(scores))
    say(f"wrote `{out}`\nnext: selfsown lab evaluate {out}")


@lab.command()
@click.argument("model_dir", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--limit", type=click.IntRange(min=1), help="Use only so many items of the suite.")
@click.option("--shots", "few", multiple=True, type=int, help="Demonstrations; may be repeated.")
@click.option(
    "--instructions",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also let the model write N new instructions from 25 seeds, and judge them.",
)
@_SEED
@_JSON
def evaluate(
    model_dir: Path | None,
    limit: int | None,
    few: tuple[int, ...],
    instructions: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Score the shipped model, or the one in MODEL_DIR, on the frozen suite."""
    from selfsown.evaluate.lab_generation import measure_generation
    from selfsown.evaluate.lab_suite import DEFAULT_CONDITIONS, Condition
    from selfsown.evaluate.lab_suite import evaluate as score
    from selfsown.lab.weights import weights_folder

    conditions = DEFAULT_CONDITIONS
    if few:
        zero_shot = [Condition("plain", 0)] if 0 in few else []
        conditions = (*(Condition("task", shots) for shots in few), *zero_shot)
    folder = model_dir or weights_folder()
    scores = score(folder, conditions=conditions, limit=limit)
    quality = measure_generation(folder, target=instructions, seed=seed) if instructions else None
    if as_json:
        record = scores.as_record()
        if quality is not None:
            record["instructions"] = asdict(quality)
        click.echo(json.dumps(record, ensure_ascii=False))
        return
    click.echo(_table(scores))
    if quality is not None:
        click.echo(_sentence(quality))


def _table(scores: Scores) -> str:
    """Scores as aligned text."""
    lines = [f"{'format':8}{'shots':>6}   {'ROUGE-L':22}exact match"]
    for one in scores.conditions:
        cells = [
            f"{value.mean:.3f} ({value.low:.3f}-{value.high:.3f})"
            for value in (one.rouge_l, one.exact_match)
        ]
        lines.append(f"{one.condition.layout:8}{one.condition.shots:6}   {cells[0]:22}{cells[1]}")
    return "\n".join(lines)


def _sentence(quality: GenerationQuality) -> str:
    """What came of letting the model write instructions."""
    rejected = ", ".join(f"{reason} {count}" for reason, count in quality.rejected.items())
    return (
        f"instructions: {len(quality.accepted)} accepted of {quality.candidate_count} candidates "
        f"(rejected: {rejected or 'none'})\n"
        f"tasks of the world: {quality.task_rate:.1%}\n"
        f"unseen compositions: {quality.unseen_rate:.1%}\n"
        f"families: {quality.family_count}"
    )
