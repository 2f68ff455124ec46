"""Config files that train the same rows with Axolotl or LLaMA-Factory.

The rows are written as the texts that would be trained on here, special tokens included, so that no
template of the other project comes between; both mask the prompt. Keys were checked against the
schemas of Axolotl 0.19.0 and LLaMA-Factory 0.9.5. What they do not share: both tokenise prompt and
completion apart, and `Emitted.other_tokens` counts the rows for which that gives other tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import orjson
import yaml

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import write_lines, write_text
from selfsown.train.decontamination import Decontamination
from selfsown.train.fit import step_counts
from selfsown.train.mixture import Row
from selfsown.train.plan import Plan, make_plan
from selfsown.train.prepare import LEFT_OUT, Prepared, prepare
from selfsown.train.records import read_sources
from selfsown.train.settings import TrainConfig
from selfsown.train.tokens import Encoder

Trainer = Literal["axolotl", "llama-factory"]

ROWS: Final = "train.jsonl"
DATASET_INFO: Final = "dataset_info.json"
_DATASET: Final = "selfsown"
_RUN: Final = {
    "axolotl": "axolotl train axolotl.yaml",
    "llama-factory": "llamafactory-cli train llama-factory.yaml",
}
_SCHEDULES: Final = {"constant": "constant_with_warmup"}


@dataclass(frozen=True, slots=True)
class Emitted:
    """What was written."""

    files: tuple[Path, ...]
    """The config first; the list of what was left out last, if anything was."""
    row_count: int
    other_tokens: int
    """Rows that the other project will see as other tokens, at the border of the completion."""
    left_out: Mapping[str, int]
    """Reason → records or texts."""
    cleaned_of: Decontamination
    command: str
    """How to train, in the folder of the files."""


def emit(config: TrainConfig, trainer: Trainer) -> Emitted:
    """Write rows and config for another project into the folder `config.out`.

    Raises:
        InputError: config, base or data cannot be used, or a file is there already.
    """
    if config.objective != "sft":
        raise InputError(
            f"files for {trainer} are written of records, not for objective `{config.objective}`",
            why="preference pairs are exported in the columns that the trainers read",
            fix="leave out `--emit`, or use objective `sft`",
        )
    plan = make_plan(config)
    encoder = Encoder(plan.tokenizer, plan.base)
    sources = read_sources(config.data, seeds=config.seeds)
    prepared = prepare(sources, plan.settings, encoder, plan.cleaned_of.index())
    form = _axolotl(plan, prepared) if trainer == "axolotl" else _llama_factory(plan, prepared)
    files = [plan.out / f"{trainer}.yaml", plan.out / ROWS]
    files += [plan.out / DATASET_INFO] if trainer == "llama-factory" else []
    files += [plan.out / LEFT_OUT] if prepared.left_out else []
    _refuse_overwrite(files)
    plan.out.mkdir(parents=True, exist_ok=True)
    make_row = _segments if trainer == "axolotl" else _columns
    write_lines(plan.out / ROWS, (orjson.dumps(make_row(row)) for row in prepared.rows))
    if trainer == "llama-factory":
        info = orjson.dumps(_dataset_info(), option=orjson.OPT_INDENT_2)
        write_text(plan.out / DATASET_INFO, info.decode() + "\n")
    if prepared.left_out:
        prepared.write_left_out(plan.out)
    head = f"# Trains `{ROWS}` as selfsown would. In this folder: {_RUN[trainer]}\n"
    write_text(files[0], head + yaml.safe_dump(form, sort_keys=False))
    other = sum(not encoder.is_same_apart(row) for row in prepared.rows)
    return Emitted(
        tuple(files), len(prepared.rows), other, prepared.reasons, plan.cleaned_of, _RUN[trainer]
    )


def _axolotl(plan: Plan, prepared: Prepared[Row]) -> dict[str, JSON]:
    settings = plan.settings
    form: dict[str, JSON] = {
        "base_model": _base_name(plan),
        "datasets": [{"path": ROWS, "ds_type": "json", "type": "input_output"}],
        "train_on_inputs": False,
        "sequence_len": prepared.longest,
        "sample_packing": False,
        "val_set_size": 0.0,
        "micro_batch_size": settings.micro_batch_size,
        "gradient_accumulation_steps": settings.batch_size // settings.micro_batch_size,
        "num_epochs": settings.epochs,
        "optimizer": "adamw_torch",
        "learning_rate": settings.learning_rate,
        "lr_scheduler": _SCHEDULES.get(settings.schedule, settings.schedule),
        "warmup_steps": step_counts(len(prepared.rows), settings, 1)[1],
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": settings.precision == "bfloat16",
        "fp16": False,
        "tf32": False,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "seed": settings.seed,
        "output_dir": "./out",
    }
    if plan.tokenizer != plan.base:
        form["tokenizer_config"] = str(plan.tokenizer.resolve())
    if settings.max_steps:
        form["max_steps"] = settings.max_steps
    if settings.method == "lora":
        form |= {
            "adapter": "lora",
            "lora_r": settings.lora_rank,
            "lora_alpha": settings.lora_alpha,
            "lora_dropout": settings.lora_dropout,
            "lora_target_linear": True,
        }
    return form


def _llama_factory(plan: Plan, prepared: Prepared[Row]) -> dict[str, JSON]:
    settings = plan.settings
    form: dict[str, JSON] = {
        "model_name_or_path": _base_name(plan),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": settings.method,
        "dataset_dir": ".",
        "dataset": _DATASET,
        "template": "empty",
        "cutoff_len": prepared.longest,
        "packing": False,
        "train_on_prompt": False,
        "per_device_train_batch_size": settings.micro_batch_size,
        "gradient_accumulation_steps": settings.batch_size // settings.micro_batch_size,
        "num_train_epochs": settings.epochs,
        "optim": "adamw_torch",
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": _SCHEDULES.get(settings.schedule, settings.schedule),
        "warmup_steps": step_counts(len(prepared.rows), settings, 1)[1],
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": settings.precision == "bfloat16",
        "disable_gradient_checkpointing": not settings.gradient_checkpointing,
        "seed": settings.seed,
        "output_dir": "out",
        "report_to": "none",
    }
    if plan.tokenizer != plan.base:
        raise InputError(
            f"LLaMA-Factory has no setting for a tokenizer apart from the model `{plan.base}`",
            why=f"the rows are made with `{plan.tokenizer}`",
            fix="copy the tokenizer files into the folder of the model",
        )
    if settings.max_steps:
        form["max_steps"] = settings.max_steps
    if settings.method == "lora":
        form |= {
            "lora_rank": settings.lora_rank,
            "lora_alpha": settings.lora_alpha,
            "lora_dropout": settings.lora_dropout,
            "lora_target": "all",
        }
    return form


def _dataset_info() -> dict[str, JSON]:
    columns: dict[str, JSON] = {"prompt": "prompt", "response": "completion"}
    return {_DATASET: {"file_name": ROWS, "formatting": "alpaca", "columns": columns}}


def _segments(row: Row) -> Mapping[str, JSON]:
    prompt, completion = row.text
    return {
        "segments": [{"label": False, "text": prompt}, {"label": True, "text": completion}],
    }


def _columns(row: Row) -> Mapping[str, JSON]:
    return {"prompt": row.text.prompt, "completion": row.text.completion}


def _base_name(plan: Plan) -> str:
    """The name in the hub's cache if it is one, else where the folder is."""
    bare = plan.config.base.removeprefix("hf:")
    is_folder = Path(bare).expanduser().exists() or plan.config.base.startswith("lab")
    return str(plan.base.resolve()) if is_folder else bare


def _refuse_overwrite(files: list[Path]) -> None:
    for path in files:
        if path.exists():
            raise InputError(
                f"`{path}` exists",
                why="files are never replaced unasked",
                fix="give another folder with `-o`, or remove it",
            )
