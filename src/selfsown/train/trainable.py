"""What a training is for, as a trainer of TRL wants it: model, trainer, arguments and rows.

`Completions` is supervised fine-tuning; `preference.py` and `reward.py` have the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.train.mixture import Row

Report = Callable[[Mapping[str, JSON]], None]

NO_LOSS: Final = -100
"""The label of tokens that carry no loss."""


class Training(NamedTuple):
    """A training that is about to begin."""

    trainer: Any
    """Of TRL."""
    checkpoint: Path | None
    """Where it goes on; the weights in `trainer` are still those of the start."""
    report: Report


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training measured beside its loss."""

    record: Mapping[str, JSON] = field(default_factory=dict)
    """Keys that it adds to `training.json`."""
    steps: Sequence[Mapping[str, JSON]] = ()
    """One line per logged step."""


def at_the_end(trainer: Any, look: Callable[[], None]) -> None:
    """Have something done after the last step, before adapters are merged."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            look()

    trainer.add_callback(Watcher())


class Trainable(Protocol):
    """What is trained on which rows."""

    @property
    def row_count(self) -> int:
        """Rows of one epoch."""

    def load(self, base: Path) -> Any:
        """The model to train, in float32, from the folder of the base.

        Raises:
            InputError: it cannot be loaded.
        """

    def trainer_class(self) -> Any:
        """The trainer of TRL."""

    def arguments(self, common: Mapping[str, Any]) -> Any:
        """The trainer's config, of what all trainers have and what this one needs."""

    def columns(self) -> dict[str, list[list[int]]]:
        """The rows by column."""

    def extras(self) -> dict[str, Any]:
        """More arguments of the trainer."""

    def adapters(self) -> dict[str, Any]:
        """What kind of adapters LoRA makes."""

    def begin(self, training: Training) -> None:
        """Look at the start, and hook into the training."""

    def end(self, folder: Path) -> Outcome:
        """Look at the end; more files may go into the folder of the model."""


class Completions:
    """Supervised fine-tuning: the loss is taken on completion tokens alone."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    @property
    def row_count(self) -> int:
        """Rows of one epoch."""
        return len(self._rows)

    def load(self, base: Path) -> Any:
        """A causal language model."""
        return load_causal(base)

    def trainer_class(self) -> Any:
        """TRL's SFTTrainer."""
        from trl import SFTTrainer

        return SFTTrainer

    def arguments(self, common: Mapping[str, Any]) -> Any:
        """Rows stay as they are."""
        from trl import SFTConfig

        return SFTConfig(
            **common,
            packing=False,
            completion_only_loss=True,
            dataset_kwargs={"skip_prepare_dataset": True},
        )

    def columns(self) -> dict[str, list[list[int]]]:
        """Tokens and labels."""
        return {
            "input_ids": [list(row.input_ids) for row in self._rows],
            "labels": [labels_of(row) for row in self._rows],
        }

    def extras(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def adapters(self) -> dict[str, Any]:
        """Of a causal language model."""
        return {"task_type": "CAUSAL_LM"}

    def begin(self, training: Training) -> None:
        """There is nothing to look at but the loss."""

    def end(self, folder: Path) -> Outcome:
        """The loss says it all."""
        return Outcome()


def labels_of(row: Row) -> list[int]:
    """Labels of a row: its completion's tokens, and `NO_LOSS` before them."""
    return [NO_LOSS] * row.prompt_tokens + list(row.input_ids[row.prompt_tokens :])


def load_causal(folder: Path, *, is_for: str = "its weights are what is tuned") -> Any:
    """A causal language model in float32.

    Raises:
        InputError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True
        )
    except Exception as error:  # whatever transformers and safetensors raise for a broken folder
        raise InputError(
            f"the model in `{folder}` cannot be loaded: {str(error).partition(chr(10))[0]}",
            why=is_for,
            fix="give a folder with config.json and *.safetensors of a causal language model",
        ) from error
