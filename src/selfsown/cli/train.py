"""`selfsown train`: tune a model on a run, an export or a file, or on preference pairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfsown.cli.option_sets import refuse_both, suite_options

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.train.emit import Emitted
    from selfsown.train.settings import TrainConfig
    from selfsown.train.sft import TrainResult


@click.command()
@click.argument("source", metavar="[DIR]", required=False, type=click.Path())
@click.option("--base", metavar="MODEL", help="`lab`, a model folder, or a name in the HF cache.")
@click.option("-o", "--out", type=click.Path(), help="Folder of the tuned model.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML or TOML file.")
@click.option("--objective", help="sft, or of preference pairs: dpo, reward, pairwise. [sft]")
@click.option("--reference", metavar="MODEL", help="Of DPO: initial, previous, ema or a model.")
@click.option("--beta", type=float, help="Of DPO: how close it stays to the reference. [0.1]")
@click.option("--preset", help="default, paper or lab.")
@click.option("--encoding", help="published, task, plain, task+plain or chat.")
@click.option("--data", multiple=True, metavar="PATH", help="More records; may be repeated.")
@click.option("--human", multiple=True, metavar="PATH", help="More records, written by humans.")
@click.option("--human-share", type=float, help="Wanted share of human tokens, above 0, below 1.")
@click.option("--seeds/--no-seeds", default=None, help="Train on the run's human seeds, too. [yes]")
@suite_options
@click.option("--lora", is_flag=True, help="Low-rank adapters instead of all weights.")
@click.option("--epochs", type=float, help="Passes over the mixture.")
@click.option("--max-steps", type=int, help="Optimiser steps; wins over --epochs.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--batch-size", type=int, help="Rows per optimiser step.")
@click.option("--seed", type=int, help="Seed of every random choice. [0]")
@click.option("--threads", type=int, help="CPU threads.")
@click.option("--accelerate", type=click.Path(), help="Config file of `accelerate`.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any other key.")
@click.option("--emit", metavar="TRAINER", help="Only write files for axolotl or llama-factory.")
@click.option("--json", "as_json", is_flag=True, help="Print the record of the training as JSON.")
def train(
    source: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    emit: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Tune MODEL on the accepted records of the run in DIR (or an export, or any JSONL file).

    The same command again goes on from the last checkpoint, or does nothing if all is done. The
    loss is taken on completions only. Records that repeat an item of an evaluation suite are left
    out, counted and listed. Every value that was not given comes from the preset;
    training.json in the model's folder says which and why.

    Other objectives take pairs: lines with prompt, chosen and rejected, or a run that made some.
    With `dpo` the model learns to give the better answer, close to a reference; `reward` makes a
    model that scores an answer, `pairwise` one that compares two.
    """
    from selfsown.core.config import put, read_assignment, read_config, validated
    from selfsown.train.settings import TrainConfig

    form = dict(read_config(config_file)) if config_file else {}
    form |= _from_options(source, given, form)
    for assignment in assignments:
        put(form, *read_assignment(assignment))
    for key, option in (("data", "DIR"), ("base", "--base MODEL"), ("out", "-o FOLDER")):
        if key not in form:
            raise click.UsageError(f"{option} is missing")
    config = validated(TrainConfig, form, str(config_file or "train"))
    if emit is not None:
        _emit(config, emit, as_json)
        return
    _train(config, as_json)


def _from_options(
    source: str | None, given: Mapping[str, Any], form: Mapping[str, Any]
) -> dict[str, Any]:
    """What the options say, by key of the config."""
    found = {key: value for key, value in given.items() if value is not None}
    more = [{"path": path} for path in found.pop("data")]
    more += [{"path": path, "origin": "human"} for path in found.pop("human")]
    data = [{"path": source}] if source is not None else list(form.get("data", ()))
    if data or more:
        found["data"] = data + more
    if found.pop("lora"):
        found["method"] = "lora"
    suites, is_off = found.pop("suites"), found.pop("no_decontaminate")
    refuse_both(suites, no_decontaminate=is_off)
    if suites or is_off:
        found["suites"] = list(suites)
    return found


def _train(config: TrainConfig, as_json: bool) -> None:
    import orjson

    from selfsown.train.sft import train

    result = train(config, on_progress=_Progress())
    if result.failure is not None:
        click.echo(result.failure.log_tail.strip(), err=True)
        result.raise_for_failure()
    if as_json:
        click.echo(orjson.dumps(result.record, option=orjson.OPT_INDENT_2))
    else:
        click.echo(result.out)
    click.echo(_sentence(result), err=True)


class _Progress:
    """About ten lines on stderr for a whole training."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, line: Mapping[str, JSON]) -> None:
        if "clean_of" in line:
            click.echo(f"clean of    {line['clean_of']}", err=True)
        if "rows" in line:
            left_out = line["left_out"]
            assert isinstance(left_out, Mapping)
            reasons = ", ".join(f"{reason} {left_out[reason]}" for reason in sorted(left_out))
            note = f"   left out: {reasons}" if reasons else ""
            click.echo(f"data        {line['rows']} rows{note}", err=True)
        if "loss" not in line:
            return
        step, steps, loss = line["step"], line["steps"], line["loss"]
        assert isinstance(step, int) and isinstance(steps, int) and isinstance(loss, (int, float))
        tenth = 10 * step // max(1, steps)
        if tenth > self._shown:
            self._shown = tenth
            click.echo(f"train       step {step} of {steps}   loss {loss:.3f}", err=True)


def _sentence(result: TrainResult) -> str:
    if not result.is_new:
        return f"`{result.out}` is done already: nothing to do"
    said = result.record["result"]
    assert isinstance(said, Mapping)
    return (
        f"train       {said['steps']} steps   {said['seconds']} s   {said['cpu_seconds']} CPU-s\n"
        f"model       sha256 {result.model_hash[:16]}   depth {result.model_depth}\n"
        + _where(result)
    )


def _where(result: TrainResult) -> str:
    """Where the model lies and what it is for; of pairs, what was learned of those held out."""
    pairs = result.record.get("pairs")
    found = pairs.get("held_out_at_end") if isinstance(pairs, Mapping) else None
    told = ""
    if isinstance(found, Mapping) and isinstance(found["accuracy"], float):
        told = f"held out    {found['pairs']} pairs   {found['accuracy']:.1%} right\n"
    config = result.record.get("config")
    objective = config.get("objective") if isinstance(config, Mapping) else None
    uses = {"reward": "it scores answers", "pairwise": "it compares answers"}
    use = uses.get(str(objective), f"ask it as `hf:{result.out}`")
    return f"{told}wrote `{result.out}`; {use}"


def _emit(config: TrainConfig, trainer: str, as_json: bool) -> None:
    import orjson

    from selfsown.train import emit as emitting

    if trainer not in ("axolotl", "llama-factory"):
        raise click.UsageError(f"`--emit {trainer}`: it is axolotl or llama-factory")
    made = emitting.emit(config, trainer)  # type: ignore[arg-type]  # checked above
    if as_json:
        form = {"files": list(map(str, made.files)), "rows": made.row_count}
        form |= {"other_tokens": made.other_tokens, "left_out": dict(made.left_out)}
        form |= {"clean_of": made.cleaned_of.identity()}
        click.echo(orjson.dumps(form))
        return
    for path in made.files:
        click.echo(path)
    click.echo(_emitted(made), err=True)


def _emitted(made: Emitted) -> str:
    from selfsown.train.decontamination import suite_words

    note = f"clean of {suite_words(made.cleaned_of)}\n"
    if made.left_out:
        reasons = (f"{reason} {count}" for reason, count in sorted(made.left_out.items()))
        note += f"left out: {', '.join(reasons)}\n"
    if made.other_tokens:
        note += (
            f"note: {made.other_tokens} rows get other tokens there, since prompt and completion"
            " are tokenised apart\n"
        )
    return f"{note}{made.row_count} rows\nnext: cd {made.files[0].parent} && {made.command}"
