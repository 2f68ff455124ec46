"""What a tuning is: one config, named presets, and for every number the place it comes from.

A config leaves open what it does not care about. `resolve` fills the rest from its preset and says
of each value who chose it; the record of a training (`training.json`) keeps both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.train.objectives import (
    LAB_VALUES,
    LORA_VALUES,
    NOT_OF,
    VALUES,
    Loss,
    Objective,
    refuse_misfit,
)

Encoding = Literal["published", "task", "plain", "task+plain", "chat", "verbatim"]
Method = Literal["full", "lora"]
Preset = Literal["default", "paper", "lab"]


class SourceConfig(BaseModel):
    """One source of training records beside the main one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="A run directory, an export, or any JSONL or Parquet file.")
    origin: Literal["human", "machine"] | None = Field(
        None, description="Who wrote it; empty: what its provenance says, else machine."
    )
    repeat: float = Field(
        1.0, gt=0, le=1000, description="How often it occurs in one epoch; 0.5 takes half of it."
    )


class TrainConfig(BaseModel):
    """Everything that defines a training; empty values come from the preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: list[SourceConfig] = Field(min_length=1, description="Where the records are.")
    base: str = Field(description="Model to tune: `lab`, a folder, or a name in the HF cache.")
    out: str = Field(description="Folder of the tuned model.")
    tokenizer: str | None = Field(None, description="Folder of another tokenizer for the base.")
    preset: Preset = Field("default", description="Named set of values.")
    encoding: Encoding | None = Field(None, description="How a record becomes text.")
    strip_field_names: bool | None = Field(
        None, description="Published quirk: drop a lone `word:` from inputs. Only preset `paper`."
    )
    seeds: bool = Field(True, description="Train on the human seeds of run directories, too.")
    suites: list[str] | None = Field(
        None,
        description="Evaluation suites that the data are cleaned of; empty: those that are there by"
        " name (`[]`: none).",
    )
    human_share: float | None = Field(
        None, gt=0, lt=1, description="Wanted share of human tokens; scales the human sources."
    )
    objective: Objective = Field(
        "sft",
        description="Completions (sft), or of pairs: dpo, reward (model) or pairwise (model).",
    )
    reference: str | None = Field(
        None,
        description="What DPO stays close to: `initial`, `previous`, `ema` or a model."
        " Empty: initial.",
    )
    beta: float | None = Field(None, gt=0, description="DPO: strength of the tie to the reference.")
    loss: Loss | None = Field(None, description="DPO: the loss, as TRL names it.")
    sft_weight: float | None = Field(
        None, ge=0, description="DPO: weight of the chosen answers' own loss, beside the pairs'."
    )
    label_smoothing: float | None = Field(
        None, ge=0, lt=0.5, description="DPO: share of pairs that are thought to be swapped."
    )
    ema_decay: float | None = Field(
        None, ge=0, lt=1, description="DPO with `ema`: what the reference keeps at each step."
    )
    max_chosen_fall: float | None = Field(
        None,
        gt=0,
        description="DPO stops when chosen answers lose more log-likelihood; nats per token.",
    )
    held_out: float | None = Field(
        None, ge=0, lt=1, description="Share of the prompts whose pairs only measure."
    )
    method: Method = Field("full", description="Tune all weights, or low-rank adapters.")
    epochs: float | None = Field(None, gt=0, description="Passes over the mixture.")
    max_steps: int | None = Field(None, ge=1, description="Optimiser steps; wins over epochs.")
    learning_rate: float | None = Field(None, gt=0, description="Peak learning rate of AdamW.")
    schedule: Literal["linear", "cosine", "constant"] | None = Field(
        None, description="How the rate goes after the warm-up."
    )
    warmup_steps: int | None = Field(None, ge=0, description="Steps of linear warm-up.")
    batch_size: int | None = Field(None, ge=1, description="Rows per optimiser step, in all.")
    weight_decay: float | None = Field(None, ge=0, description="AdamW weight decay.")
    max_grad_norm: float | None = Field(None, gt=0, description="Gradients are clipped to it.")
    max_tokens: int | None = Field(None, ge=8, description="Longer rows are left out, and counted.")
    lora_rank: int | None = Field(None, ge=1, description="Rank of the adapters.")
    lora_alpha: int | None = Field(None, ge=1, description="Scale of the adapters.")
    lora_dropout: float | None = Field(None, ge=0, lt=1, description="Dropout of the adapters.")
    precision: Literal["float32", "bfloat16"] | None = Field(
        None, description="Arithmetic of the training; weights and optimiser stay float32."
    )
    seed: int = Field(0, ge=0, description="Seed of encoding, mixture, order and adapters.")
    micro_batch_size: int | None = Field(
        None, ge=1, description="Rows per forward pass and device; the rest is accumulated."
    )
    gradient_checkpointing: bool = Field(False, description="Less memory for more time.")
    threads: int | None = Field(None, ge=1, description="CPU threads; empty: torch decides.")
    checkpoint_every_s: float = Field(
        300.0, ge=0, description="Seconds between two checkpoints; 0 saves after each step."
    )
    accelerate: str | None = Field(
        None, description="Config file of `accelerate`, for several devices."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every value that decides the weights, none of them open."""

    encoding: Encoding
    strip_field_names: bool
    method: Method
    epochs: float
    max_steps: int
    """0: epochs decide."""
    learning_rate: float
    schedule: str
    warmup_steps: int
    """With `warmup_ratio` above 0 the larger of both counts."""
    warmup_ratio: float
    """Share of all steps."""
    batch_size: int
    micro_batch_size: int
    """At most the batch size."""
    weight_decay: float
    max_grad_norm: float
    max_tokens: int
    """0: the context of the model."""
    lora_rank: int
    """0 for full tuning, like the two below."""
    lora_alpha: int
    lora_dropout: float
    precision: str
    gradient_checkpointing: bool
    seed: int
    human_share: float
    """0: as the sources are."""
    objective: Objective = "sft"
    loss: str = ""
    """Empty unless the objective is `dpo`; so are the five below, 0."""
    beta: float = 0.0
    sft_weight: float = 0.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    max_chosen_fall: float = 0.0
    """In nats per token, against the policy that the training starts from."""
    held_out: float = 0.0
    """Of the prompts; 0 for `sft`."""

    def as_record(self) -> dict[str, JSON]:
        """The values by name; of those for preference pairs, the ones that the objective has."""
        left_out = NOT_OF[self.objective]
        return {name: value for name, value in asdict(self).items() if name not in left_out}


_ALPACA: Final = "Stanford Alpaca's published recipe (batch 128, 2e-5, cosine, 3 % warm-up)"
_QLORA: Final = "QLoRA, arXiv:2305.14314, table 9 (7B and 13B)"
_HF: Final = "default of transformers' TrainingArguments"
_OURS: Final = "ours"
_LAB: Final = "tuning of the lab model, measured: 8 epochs or 2e-3 overfit"
_PAPER: Final = "Self-Instruct, arXiv:2212.10560, section 4.1 and appendix"

_Chosen = tuple[JSON, str]
_DEFAULT: Final[Mapping[str, _Chosen]] = {
    "encoding": ("published", _PAPER),
    "strip_field_names": (False, "ours: it damages inputs with one colon"),
    "epochs": (3.0, _ALPACA),
    "learning_rate": (2e-5, _ALPACA),
    "schedule": ("cosine", _ALPACA),
    "warmup_steps": (0, _ALPACA),
    "warmup_ratio": (0.03, _ALPACA),
    "batch_size": (128, _ALPACA),
    "weight_decay": (0.0, _ALPACA),
    "max_grad_norm": (1.0, _HF),
    "max_tokens": (0, "ours: the context of the model; nothing is cut off"),
    "lora_rank": (0, "full tuning"),
    "lora_alpha": (0, "full tuning"),
    "lora_dropout": (0.0, "full tuning"),
    "precision": ("float32", "ours: exact on a CPU; `bfloat16` is faster on GPUs"),
}
_LORA: Final[Mapping[str, _Chosen]] = {
    "learning_rate": (2e-4, _QLORA),
    "schedule": ("constant", _QLORA),
    "batch_size": (16, _QLORA),
    "max_grad_norm": (0.3, _QLORA),
    "lora_rank": (64, _QLORA),
    "lora_alpha": (16, _QLORA),
    "lora_dropout": (0.1, _QLORA),
}
_PRESETS: Final[Mapping[str, Mapping[str, _Chosen]]] = {
    "default": {},
    "paper": {
        "strip_field_names": (True, "released code of Self-Instruct"),
        "epochs": (2.0, _PAPER),
    },
    "lab": {
        "encoding": ("task+plain", _LAB),
        "epochs": (3.0, _LAB),
        "learning_rate": (1e-3, _LAB),
        "schedule": ("linear", _LAB),
        "warmup_steps": (10, _LAB),
        "warmup_ratio": (0.0, _LAB),
        "batch_size": (16, _LAB),
    },
}
_MICRO_BATCH: Final = 16


def resolve(config: TrainConfig, *, has_chat_template: bool) -> tuple[Settings, dict[str, str]]:
    """All values of a training, and where each comes from.

    Args:
        config: what the user said.
        has_chat_template: whether the base's tokenizer has one; preset `default` then uses it.

    Raises:
        ConfigError: a value does not go with the preset, encoding or method.
    """
    chosen: dict[str, _Chosen] = dict(_DEFAULT)
    if config.preset == "default" and has_chat_template:
        chosen["encoding"] = ("chat", "the base has a chat template")
    chosen |= VALUES[config.objective]
    if config.method == "lora":
        chosen |= {**_LORA, **LORA_VALUES[config.objective]}
    chosen |= _PRESETS[config.preset]
    if config.preset == "lab":
        chosen |= LAB_VALUES[config.objective]
    for name in chosen:
        given = getattr(config, name, None)
        if given is not None:
            chosen[name] = (given, "given")
    if config.warmup_steps is not None:
        chosen["warmup_ratio"] = (0.0, "given: `warmup_steps`")
    batch = chosen["batch_size"][0]
    assert isinstance(batch, int)
    micro = config.micro_batch_size or min(batch, _MICRO_BATCH)
    chosen |= {
        "method": (config.method, "given" if config.method != "full" else _OURS),
        "max_steps": (config.max_steps or 0, "given" if config.max_steps else "epochs decide"),
        "micro_batch_size": (micro, "given" if config.micro_batch_size else _OURS),
        "gradient_checkpointing": (config.gradient_checkpointing, _OURS),
        "seed": (config.seed, "given"),
        "objective": (config.objective, "given"),
        "human_share": (config.human_share or 0.0, "given" if config.human_share else "as it is"),
    }
    _refuse_contradictions(config, chosen)
    given = {name for name in type(config).model_fields if getattr(config, name) is not None}
    refuse_misfit(config.objective, given, {name: value for name, (value, _) in chosen.items()})
    if chosen["encoding"][0] == "chat" and not has_chat_template:
        raise ConfigError(
            "`encoding` is `chat`, and the tokenizer has no chat template",
            why="it says how turns are written for the model",
            fix="choose another encoding, or add `chat_template.jinja` to the tokenizer's folder",
        )
    settings = Settings(**{name: value for name, (value, _) in chosen.items()})  # type: ignore[arg-type]
    return settings, {name: chosen[name][1] for name in settings.as_record()}


def _refuse_contradictions(config: TrainConfig, chosen: Mapping[str, _Chosen]) -> None:
    batch, micro = chosen["batch_size"][0], chosen["micro_batch_size"][0]
    assert isinstance(batch, int) and isinstance(micro, int)
    if batch % micro:
        raise ConfigError(
            f"a batch of {batch} rows is not a multiple of the micro-batch of {micro}",
            why="each optimiser step adds up whole micro-batches",
            fix=f"set `micro_batch_size` to a divisor of {batch}",
        )
    if config.strip_field_names and config.preset != "paper":
        raise ConfigError(
            f"`strip_field_names` is on in preset `{config.preset}`",
            why="the quirk of the released code loses text of inputs such as `Time: 10`",
            fix="use preset `paper`, or leave it out",
        )
    lora_only = ("lora_rank", "lora_alpha", "lora_dropout")
    named = [name for name in lora_only if getattr(config, name) is not None]
    if named and config.method != "lora":
        raise ConfigError(
            f"`{named[0]}` is given, and the method is `{config.method}`",
            why="only low-rank adapters have it",
            fix="set `method: lora`, or leave it out",
        )
