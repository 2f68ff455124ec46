"""A preference model: plain next-token training on which of two answers is better.

A row is a comparison of the two answers of a pair, in an order by chance, and the letter of the
better one; the loss is on the letter and the end. `models/preference.py` asks such a model.

Source: arXiv:2405.07863, section 2.2, and its released code. Differs from them: the wording is
ours, rows are not packed, and the pairs that measure have prompts of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsown.core.request import JSON
from selfsown.models.preference import MARK, marked
from selfsown.train.settings import Settings
from selfsown.train.trainable import (
    NO_LOSS,
    Completions,
    Outcome,
    Training,
    at_the_end,
    load_causal,
)

if TYPE_CHECKING:
    from selfsown.train.pairs import PairRow, PreparedPairs


class Comparisons(Completions):
    """Rows whose completion is the letter of the better answer."""

    def __init__(self, data: PreparedPairs, settings: Settings) -> None:
        super().__init__(())
        self._pairs, self._held_out = data.trained.rows, data.held_out
        self._encoding = settings.encoding
        self._measures: dict[str, JSON] = {}
        self._trainer: Any = None

    @property
    def row_count(self) -> int:
        """Comparisons of one epoch."""
        return len(self._pairs)

    def load(self, base: Path) -> Any:
        """A causal language model that says how it is asked."""
        model = load_causal(base)
        setattr(model.config, MARK, marked(self._encoding))
        return model

    def columns(self) -> dict[str, list[list[int]]]:
        """Tokens and labels."""
        hidden = [[NO_LOSS] * len(row.prompt_ids) for row in self._pairs]
        return {
            "input_ids": [[*row.prompt_ids, *row.chosen_ids] for row in self._pairs],
            "labels": [
                [*none, *row.chosen_ids] for none, row in zip(hidden, self._pairs, strict=True)
            ],
        }

    def begin(self, training: Training) -> None:
        """Measure the start, and the end before adapters are merged."""
        self._trainer = training.trainer
        self._measures |= self._measured("start")
        at_the_end(training.trainer, lambda: self._measures.update(self._measured("end")))

    def end(self, folder: Path) -> Outcome:
        """What was measured."""
        return Outcome({"pairs": self._measures})

    def _measured(self, when: str) -> Mapping[str, JSON]:
        if not self._held_out:
            return {}
        return {f"held_out_at_{when}": self._measure(self._held_out)}

    def _measure(self, rows: Sequence[PairRow]) -> dict[str, JSON]:
        """Share of comparisons whose right letter is the likelier one, in the order drawn."""
        import torch

        trainer = self._trainer
        model = trainer.accelerator.unwrap_model(trainer.model)
        was_training = model.training
        model.eval()
        right = 0.0
        with torch.inference_mode():
            for row in rows:
                ids = torch.tensor([row.prompt_ids], device=trainer.accelerator.device)
                logits = model(input_ids=ids, use_cache=False).logits[0, -1]  # (V,)
                margin = float(logits[row.chosen_ids[0]] - logits[row.rejected_ids[0]])
                right += 0.5 if margin == 0 else float(margin > 0)
        model.train(was_training)
        return {"pairs": len(rows), "accuracy": right / len(rows)}
