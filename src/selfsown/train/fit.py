"""One training through a trainer of TRL, whatever it is for (`trainable.py` says what there is).

Rows come with their tokens, so TRL neither tokenises nor truncates. Checkpoints are counted only
once they are whole. A loss or weight that is no number stops the training before it reaches a
checkpoint.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from selfsown.core.errors import InputError
from selfsown.train.checkpoints import diverged, last_checkpoint, mark_whole, step_of, unwritable
from selfsown.train.settings import Settings
from selfsown.train.trainable import Outcome, Report, Trainable, Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHECKPOINTS_KEPT: Final = 2
_FREQUENT_LOG_STEPS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Devices:
    """How the training is carried out; none of it is part of what is trained."""

    threads: int | None
    checkpoint_every_s: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of it."""

    steps: int
    resumed_from_step: int
    """0: from the start."""
    losses: tuple[tuple[int, float], ...]
    """Step and mean loss since the last one, in nats per completion token."""
    trained_parameters: int
    parameters: int
    device: str
    process_count: int
    outcome: Outcome
    """What the training measured of itself beside the loss."""


def fit(
    base: Path,
    tokenizer: PreTrainedTokenizerBase,
    trainable: Trainable,
    settings: Settings,
    *,
    checkpoints: Path,
    save_to: Path,
    devices: Devices,
    report: Report,
    when_loaded: Callable[[], None] = lambda: None,
) -> Fitted:
    """Tune a model and write it to `save_to`; goes on from the last whole checkpoint.

    Args:
        base: folder of the model.
        tokenizer: of the model; gives the id for padding, which is masked.
        trainable: what is trained, and the rows of one epoch.
        settings: all values.
        checkpoints: folder for checkpoints; must belong to the same training.
        save_to: is made anew; a Hugging Face folder without tokenizer files.
        devices: threads and checkpointing.
        report: receives progress.
        when_loaded: called when the base has been read.

    Raises:
        InputError: the base cannot be loaded, or the batch does not fit the number of devices.
        TrainingDiverged: a loss or weight is not finite.
        CheckFailed: the trainable stopped the training.
        EnvironmentFailure: a checkpoint or the model cannot be written.
    """
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if devices.threads is not None:
        torch.set_num_threads(devices.threads)
    transformers.set_seed(settings.seed)
    model = trainable.load(base)
    uses_cache = model.config.get_text_config().use_cache
    when_loaded()
    trainer = _trainer(model, tokenizer, trainable, settings, checkpoints)
    checkpoint = last_checkpoint(checkpoints, clean=trainer.is_world_process_zero())
    trainable.begin(Training(trainer, checkpoint, report))
    trainer.add_callback(_watcher(trainer, settings, devices.checkpoint_every_s, report))
    start = step_of(checkpoint) if checkpoint else 0
    total = sum(parameter.numel() for parameter in trainer.model.parameters())
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    model.config.get_text_config().use_cache = uses_cache  # training turns it off
    _save(trainer, base, settings, save_to)
    outcome = trainable.end(save_to)
    history = trainer.state.log_history
    return Fitted(
        steps=trainer.state.global_step,
        resumed_from_step=start,
        losses=tuple((one["step"], round(one["loss"], 6)) for one in history if "loss" in one),
        trained_parameters=trained,
        parameters=total,
        device=str(trainer.args.device),
        process_count=trainer.accelerator.num_processes,
        outcome=outcome,
    )


def step_counts(row_count: int, settings: Settings, process_count: int) -> tuple[int, int]:
    """Optimiser steps in all, and how many of them warm up."""
    batches = math.ceil(row_count / (settings.micro_batch_size * process_count))
    accumulate = settings.batch_size // (settings.micro_batch_size * process_count)
    per_epoch = max(1, math.ceil(batches / accumulate))
    steps = settings.max_steps or math.ceil(settings.epochs * per_epoch)
    return steps, max(settings.warmup_steps, math.ceil(settings.warmup_ratio * steps))


def _trainer(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    trainable: Trainable,
    settings: Settings,
    checkpoints: Path,
) -> Any:
    import datasets

    datasets.disable_progress_bars()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    common = _arguments(trainable.row_count, settings, checkpoints)
    return _guarded(trainable.trainer_class(), settings, checkpoints)(
        model=model,
        args=trainable.arguments(common),
        train_dataset=datasets.Dataset.from_dict(trainable.columns()),
        processing_class=tokenizer,
        peft_config=_lora(settings, trainable) if settings.method == "lora" else None,
        **trainable.extras(),
    )


def _guarded(trainer_class: Any, settings: Settings, checkpoints: Path) -> Any:
    """The trainer, stopping at the first loss or weight that is no number."""

    class Trainer(trainer_class):  # type: ignore[misc]  # trl is not typed
        def training_step(self, *args: Any, **given: Any) -> Any:
            loss = super().training_step(*args, **given)
            if not loss.isfinite():
                step = self.state.global_step
                raise diverged(
                    f"the loss of step {step + 1}", step, checkpoints, settings.learning_rate
                )
            return loss

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            step = self.state.global_step
            if not _is_finite(self.model):
                raise diverged(
                    f"a weight after step {step}", step, checkpoints, settings.learning_rate
                )
            try:
                super()._save_checkpoint(model, trial)
            except (OSError, RuntimeError, _safetensor_error()) as error:
                shutil.rmtree(checkpoints / f"checkpoint-{step}", ignore_errors=True)
                raise unwritable(checkpoints, f"the checkpoint of step {step}", error) from error

    return Trainer


def _arguments(row_count: int, settings: Settings, checkpoints: Path) -> dict[str, Any]:
    """The values that all trainers of TRL have."""
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]

    processes = PartialState().num_processes
    if settings.batch_size % (settings.micro_batch_size * processes):
        raise InputError(
            f"a batch of {settings.batch_size} rows does not divide into {processes} processes"
            f" of {settings.micro_batch_size} rows",
            why="the same batch is trained on whatever the number of devices",
            fix="set `micro_batch_size` to the batch divided by the processes, or a part of it",
        )
    steps, warmup = step_counts(row_count, settings, processes)
    return dict(
        output_dir=str(checkpoints),
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=settings.batch_size // (settings.micro_batch_size * processes),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(
            settings.schedule, settings.schedule
        ),
        warmup_steps=warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch",
        use_cpu=not torch.accelerator.is_available(),
        bf16=settings.precision == "bfloat16",
        fp16=False,
        gradient_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
        data_seed=settings.seed,
        max_length=None,
        save_strategy="no",
        save_total_limit=_CHECKPOINTS_KEPT,
        logging_steps=1 if steps <= _FREQUENT_LOG_STEPS else 10,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=False,
    )


def _lora(settings: Settings, trainable: Trainable) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        **trainable.adapters(),
    )


def _watcher(trainer: Any, settings: Settings, every_s: float, report: Report) -> Any:
    import torch
    from accelerate.utils import broadcast_object_list  # type: ignore[import-untyped]
    from transformers import TrainerCallback

    saved_at = [time.monotonic()]

    class Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
        """Reports progress, checks gradients, asks for checkpoints and marks whole ones.

        There is none after the last step: resumed there, transformers would make one step more.
        """

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
            if not torch.nn.utils.get_total_norm(gradients).isfinite():
                step, folder = state.global_step, Path(args.output_dir)
                raise diverged(
                    f"the gradient of step {step + 1}", step, folder, settings.learning_rate
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            is_last = state.global_step >= state.max_steps
            due = [not is_last and time.monotonic() - saved_at[0] >= every_s]
            if trainer.accelerator.num_processes > 1:
                broadcast_object_list(due)
            control.should_save = control.should_save or due[0]

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            saved_at[0] = time.monotonic()
            if state.is_world_process_zero:
                folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
                mark_whole(folder)
                report({"checkpoint": state.global_step})

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero and "loss" in (logs or {}):
                report({"step": state.global_step, "steps": state.max_steps, "loss": logs["loss"]})

    return Watcher()


def _save(trainer: Any, base: Path, settings: Settings, folder: Path) -> None:
    """Write the tuned model as the base is stored; adapters are merged and also kept apart."""
    import torch

    state = None
    if str(trainer.accelerator.distributed_type) in ("FSDP", "DEEPSPEED"):
        state = trainer.accelerator.get_state_dict(trainer.model)  # all processes take part
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not _is_finite(model):
        step, checkpoints = trainer.state.global_step, Path(trainer.args.output_dir)
        raise diverged(f"a weight after step {step}", step, checkpoints, settings.learning_rate)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if settings.method == "lora":
            model.save_pretrained(folder / "adapter", state_dict=state)
            model, state = model.merge_and_unload(), None
        if state is None:
            model = model.to(getattr(torch, _stored_dtype(base)))
        model.save_pretrained(folder, state_dict=state)
    except (OSError, RuntimeError, _safetensor_error()) as error:
        raise unwritable(folder, "the tuned model", error) from error


def _stored_dtype(base: Path) -> str:
    """The type of the base's weights as its config names it."""
    config = orjson.loads((base / "config.json").read_bytes())
    name = config.get("dtype") or config.get("torch_dtype")
    return name if name in ("bfloat16", "float16") else "float32"


def _is_finite(model: Any) -> bool:
    return all(bool(weight.isfinite().all()) for weight in model.parameters())


def _safetensor_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError
