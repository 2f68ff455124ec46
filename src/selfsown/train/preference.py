"""Direct preference optimisation through TRL's DPOTrainer, and its variants by `loss`.

Answers come in tokens, so TRL neither tokenises nor truncates. A fixed part of the pairs is
measured at the start, ten times in between and at the end, so that numbers of one training can be
compared whatever pairs a step happened to see; when chosen answers have lost too much of the
likelihood they had at the start, the training stops, since a policy that pushes both answers down
is on its way to texts that nobody wrote.

Source: arXiv:2305.18290, sections 4 and 5, as TRL implements it: sums of log-probabilities over the
answer, its end included. `ema`: arXiv:2404.09656 with an update after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.request import JSON
from selfsown.models.fingerprint import model_hash
from selfsown.train.checkpoints import unwritable
from selfsown.train.pair_probe import PairMeasure, measure_pairs
from selfsown.train.reference import MOVED, Reference
from selfsown.train.settings import Settings
from selfsown.train.trainable import Outcome, Training, load_causal

if TYPE_CHECKING:
    from selfsown.train.pairs import PairRow, PreparedPairs

_PROBE_PAIRS: Final = 32
_PROBES: Final = 10
_MOVED_WEIGHTS: Final = "moving_reference.safetensors"
_LOGGED: Final = {
    "loss": "loss",
    "logps/chosen": "chosen_logp",
    "logps/rejected": "rejected_logp",
    "rewards/chosen": "chosen_reward",
    "rewards/rejected": "rejected_reward",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "length/chosen": "chosen_tokens",
    "length/rejected": "rejected_tokens",
    "entropy": "entropy",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
    "kl": "kl",
    "probe_chosen_logp_per_token": "probe_chosen_logp_per_token",
}
"""TRL's and our keys of the log -> those of `steps.jsonl`."""


class ChosenCollapsed(CheckFailed):
    """Chosen answers have become much less likely than they were."""


class Preferences:
    """DPO on pairs."""

    def __init__(self, data: PreparedPairs, settings: Settings, reference: Reference) -> None:
        self._rows, self._held_out = data.trained.rows, data.held_out
        self._settings, self._reference = settings, reference
        step = max(1, len(self._rows) // _PROBE_PAIRS)
        self._probe = self._rows[::step][:_PROBE_PAIRS]
        self._moves = reference.kind == "ema"
        self._measures: dict[str, PairMeasure] = {}
        self._model: Any = None
        self._trainer: Any = None

    @property
    def row_count(self) -> int:
        """Pairs of one epoch."""
        return len(self._rows)

    def load(self, base: Path) -> Any:
        """The policy, and beside it the reference, unless adapters can be taken off for it."""
        policy = load_causal(base)
        is_adapted = self._settings.method == "lora" and model_hash(base) == (
            self._reference.model_hash
        )
        if not is_adapted:
            self._model = load_causal(
                self._reference.folder, is_for="DPO compares the policy with this reference"
            )
        return policy

    def trainer_class(self) -> Any:
        """TRL's DPOTrainer, which leaves rows as they are and logs their lengths."""
        from trl import DPOTrainer

        class Trainer(DPOTrainer):  # type: ignore[misc]  # trl is not typed
            def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
                return dataset

            def compute_loss(self, model: Any, inputs: Any, *args: Any, **given: Any) -> Any:
                lengths = inputs["completion_mask"].sum(1).float().chunk(2)
                for name, own in zip(("chosen", "rejected"), lengths, strict=True):
                    mean = self.accelerator.gather(own).mean().item()
                    self._metrics["train"][f"length/{name}"].append(mean)
                return super().compute_loss(model, inputs, *args, **given)

        return Trainer

    def arguments(self, common: Mapping[str, Any]) -> Any:
        """Loss, beta and the reference's way of moving."""
        from trl import DPOConfig

        settings = self._settings
        losses, weights = [settings.loss], [1.0]
        if settings.sft_weight:
            losses, weights = [*losses, "sft"], [*weights, settings.sft_weight]
        return DPOConfig(
            **common,
            beta=settings.beta,
            loss_type=losses,
            loss_weights=weights,
            label_smoothing=settings.label_smoothing,
            sync_ref_model=self._moves,
            ref_model_mixup_alpha=1 - settings.ema_decay,
            ref_model_sync_steps=1,
        )

    def columns(self) -> dict[str, list[list[int]]]:
        """Tokens of the prompt and of both answers."""
        return {
            "prompt_ids": [list(row.prompt_ids) for row in self._rows],
            "chosen_ids": [list(row.chosen_ids) for row in self._rows],
            "rejected_ids": [list(row.rejected_ids) for row in self._rows],
        }

    def extras(self) -> dict[str, Any]:
        """The reference; None where it is the policy without its adapters."""
        return {"ref_model": self._model}

    def adapters(self) -> dict[str, Any]:
        """Of a causal language model."""
        return {"task_type": "CAUSAL_LM"}

    def begin(self, training: Training) -> None:
        """Measure the start, watch the likelihood of chosen answers, keep a moving reference.

        Raises:
            InputError: the weights are spread over devices, where pairs cannot be measured.
        """
        self._trainer = training.trainer
        if str(self._trainer.accelerator.distributed_type) in ("FSDP", "DEEPSPEED"):
            raise InputError(
                "DPO is trained with whole weights on every device",
                why="likelihoods are measured between steps, which sharded weights do not allow",
                fix="use an `accelerate` config without FSDP and DeepSpeed, or `method: lora`",
            )
        self._measures |= self._measured("start")
        self._trainer.add_callback(self._watcher())
        if self._moves and training.checkpoint is not None:
            from safetensors.torch import load_file

            self._own_reference().load_state_dict(load_file(training.checkpoint / _MOVED_WEIGHTS))

    def end(self, folder: Path) -> Outcome:
        """What was measured, and where a moving reference ended."""
        record: dict[str, JSON] = {
            "pairs": {name: asdict(one) for name, one in self._measures.items()}
        }
        if self._moves and self._trainer.is_world_process_zero():
            self._own_reference().save_pretrained(folder / MOVED)
            record["reference_at_end"] = {"model_hash": model_hash(folder / MOVED)}
        return Outcome(record, _steps(self._trainer.state.log_history))

    def _measured(self, when: str) -> dict[str, PairMeasure]:
        """The pairs of the probe and those held out."""
        parts = {"trained": self._probe, "held_out": self._held_out}
        return {f"{name}_at_{when}": self._measure(rows) for name, rows in parts.items() if rows}

    def _measure(self, rows: Sequence[PairRow]) -> PairMeasure:
        trainer = self._trainer
        policy = trainer.accelerator.unwrap_model(trainer.model)
        was_training = policy.training
        policy.eval()
        try:
            return measure_pairs(
                lambda ids, real: (
                    policy(input_ids=ids, attention_mask=real, use_cache=False).logits
                ),
                self._reference_logits(policy),
                rows,
                batch=self._settings.micro_batch_size,
                device=trainer.accelerator.device,
            )
        finally:
            policy.train(was_training)

    def _reference_logits(self, policy: Any) -> Callable[[Any, Any], Any]:
        def logits(ids: Any, real: Any) -> Any:
            given = {"input_ids": ids, "attention_mask": real, "use_cache": False}
            if self._model is not None:
                return self._own_reference()(**given).logits
            with policy.disable_adapter():
                return policy(**given).logits

        return logits

    def _own_reference(self) -> Any:
        return self._trainer.accelerator.unwrap_model(self._trainer.ref_model)

    def _keep_reference(self, checkpoints: Path, step: int) -> None:
        """Write the moving reference into a checkpoint.

        Raises:
            EnvironmentFailure: the disk takes no more.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        weights = self._own_reference().state_dict()
        distinct = {name: one.clone() for name, one in weights.items()}  # tied ones are stored, too
        try:
            save_file(distinct, checkpoints / f"checkpoint-{step}" / _MOVED_WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise unwritable(checkpoints, f"the reference at step {step}", error) from error

    def _refuse_collapse(self, now: PairMeasure, step: int) -> None:
        start = self._measures["trained_at_start"].chosen_logp_per_token
        fall = start - now.chosen_logp_per_token
        if fall > self._settings.max_chosen_fall:
            raise ChosenCollapsed(
                f"chosen answers lost {fall:.2f} nats per token of log-likelihood by step {step}"
                f" ({start:.2f} → {now.chosen_logp_per_token:.2f}),"
                f" more than `max_chosen_fall` of {self._settings.max_chosen_fall:g}",
                why="the policy moves away from the good answers, only less than from the bad ones",
                fix="train into a new folder with a lower `learning_rate`, fewer `epochs`, a higher"
                " `beta`, or `sft_weight` above 0",
            )

    def _watcher(self) -> Any:
        from transformers import TrainerCallback

        own = self

        class Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
            """Measures between steps; keeps a moving reference beside each checkpoint."""

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step % max(1, state.max_steps // _PROBES):
                    return
                now = own._measure(own._probe)
                state.log_history.append(
                    {
                        "step": state.global_step,
                        "kl": now.kl,
                        "probe_chosen_logp_per_token": now.chosen_logp_per_token,
                    }
                )
                own._refuse_collapse(now, state.global_step)

            def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if own._moves and state.is_world_process_zero:
                    own._keep_reference(Path(args.output_dir), state.global_step)

            def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                own._measures |= own._measured("end")
                own._refuse_collapse(own._measures["trained_at_end"], state.global_step)

        return Watcher()


def _steps(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, JSON]]:
    """One line per step of what the log says of it."""
    found: dict[int, dict[str, JSON]] = {}
    for entry in history:
        named = {ours: entry[theirs] for theirs, ours in _LOGGED.items() if theirs in entry}
        if named:
            found.setdefault(entry["step"], {"step": entry["step"]}).update(named)
    return [found[step] for step in sorted(found)]
