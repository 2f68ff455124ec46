"""A Bradley-Terry reward model through TRL's RewardTrainer: the better answer scores higher.

Loss: -log sigmoid(r_chosen - r_rejected). The head is new and begins with zeros, so that nothing is
preferred at first and the loss is ln 2. Scores are read at the last real token, which the attention
mask tells (`models/reward_head.py`); the text is prompt and answer as the policy's are, without an
end-of-text token behind them.

Source: arXiv:2405.07863, section 2, and its released code. Differs from them: no padding token is
added, since none is looked for; nothing is truncated, longer pairs are left out and listed; pairs
that measure have prompts of their own (the released code evaluates on training pairs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.models.reward_head import MARK, marked, score_last_token
from selfsown.train.settings import Settings
from selfsown.train.trainable import Outcome, Training, at_the_end

if TYPE_CHECKING:
    from selfsown.train.pairs import PairRow, PreparedPairs

_MEASURED: Final = 256
"""Training pairs that are measured at most; of held-out pairs all are."""
_LOGGED: Final = {
    "loss": "loss",
    "accuracy": "accuracy",
    "margin": "margin",
    "mean_reward": "mean_score",
    "min_reward": "lowest_score",
    "max_reward": "highest_score",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
}
"""TRL's keys of the log -> those of `steps.jsonl`."""


@dataclass(frozen=True, slots=True)
class RewardMeasure:
    """How well scores tell pairs apart."""

    pairs: int
    accuracy: float
    """Share of pairs whose chosen answer has the higher score; a tie is half."""
    loss: float
    """Mean of -log sigmoid of the difference, in nats; ln 2 says nothing."""
    margin: float
    """Mean difference of the scores."""
    length_correlation: float | None
    """Pearson's, of score and tokens over all answers; None where one of them never varies."""


class Rewards:
    """A reward model of pairs."""

    def __init__(self, data: PreparedPairs, settings: Settings) -> None:
        self._rows, self._held_out = data.trained.rows, data.held_out
        self._settings = settings
        self._measures: dict[str, RewardMeasure] = {}
        self._trainer: Any = None

    @property
    def row_count(self) -> int:
        """Pairs of one epoch."""
        return len(self._rows)

    def load(self, base: Path) -> Any:
        """The base with a head of zeros in place of its words."""
        import torch
        from transformers import AutoModelForSequenceClassification

        try:
            model = AutoModelForSequenceClassification.from_pretrained(
                str(base), num_labels=1, dtype=torch.float32, local_files_only=True
            )
            torch.nn.init.zeros_(model.score.weight)
        except Exception as error:  # whatever transformers and safetensors raise
            raise InputError(
                f"no reward model can be made of `{base}`: {str(error).partition(chr(10))[0]}",
                why="a head with one score stands on the layers of the base",
                fix="give the folder of a causal language model that transformers can load for"
                " sequence classification",
            ) from error
        setattr(model.config, MARK, marked(self._settings.encoding))
        return score_last_token(model)

    def trainer_class(self) -> Any:
        """TRL's RewardTrainer."""
        from trl import RewardTrainer

        return RewardTrainer

    def arguments(self, common: Mapping[str, Any]) -> Any:
        """Rows stay as they are."""
        from trl import RewardConfig

        return RewardConfig(**common)

    def columns(self) -> dict[str, list[list[int]]]:
        """Tokens of prompt and answer together."""
        return {
            "chosen_ids": [[*row.prompt_ids, *row.chosen_ids] for row in self._rows],
            "rejected_ids": [[*row.prompt_ids, *row.rejected_ids] for row in self._rows],
        }

    def extras(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def adapters(self) -> dict[str, Any]:
        """Beside adapters the whole head is trained."""
        return {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}

    def begin(self, training: Training) -> None:
        """Measure the start, and the end before adapters are merged."""
        self._trainer = training.trainer
        self._measures |= self._measured("start")
        at_the_end(training.trainer, lambda: self._measures.update(self._measured("end")))

    def end(self, folder: Path) -> Outcome:
        """What was measured."""
        record: dict[str, JSON] = {
            "pairs": {name: asdict(one) for name, one in self._measures.items()}
        }
        return Outcome(record, _steps(self._trainer.state.log_history))

    def _measured(self, when: str) -> dict[str, RewardMeasure]:
        step = max(1, len(self._rows) // _MEASURED)
        parts = {"trained": self._rows[::step][:_MEASURED], "held_out": self._held_out}
        return {f"{name}_at_{when}": self._measure(rows) for name, rows in parts.items() if rows}

    def _measure(self, rows: Sequence[PairRow]) -> RewardMeasure:
        import torch
        from torch.nn.functional import logsigmoid

        texts = [
            [*row.prompt_ids, *ids] for row in rows for ids in (row.chosen_ids, row.rejected_ids)
        ]
        lengths = torch.tensor([float(len(text)) for text in texts]).double()
        scores = self._scores(texts)
        margins = scores.view(-1, 2)[:, 0] - scores.view(-1, 2)[:, 1]
        varies = bool(scores.std() > 0) and bool(lengths.std() > 0)
        together = torch.corrcoef(torch.stack([scores, lengths]))[0, 1] if varies else None
        return RewardMeasure(
            pairs=len(rows),
            accuracy=float(((margins > 0).double() + (margins == 0).double() / 2).mean()),
            loss=float(-logsigmoid(margins).mean()),
            margin=float(margins.mean()),
            length_correlation=None if together is None else float(together),
        )

    def _scores(self, texts: Sequence[Sequence[int]]) -> Any:
        """Scores of texts in tokens: float64 (N,)."""
        import torch

        trainer = self._trainer
        model = trainer.accelerator.unwrap_model(trainer.model)
        was_training = model.training
        model.eval()
        found = []
        size = 2 * self._settings.micro_batch_size
        with torch.inference_mode():
            for start in range(0, len(texts), size):
                part = texts[start : start + size]
                width = max(map(len, part))
                ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in part])
                real = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in part])
                device = trainer.accelerator.device
                logits = model(input_ids=ids.to(device), attention_mask=real.to(device)).logits
                found.append(logits[:, 0].double().cpu())
        model.train(was_training)
        return torch.cat(found)


def _steps(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, JSON]]:
    """One line per step of what the log says of it."""
    return [
        {
            "step": entry["step"],
            **{ours: entry[key] for key, ours in _LOGGED.items() if key in entry},
        }
        for entry in history
        if "loss" in entry
    ]
