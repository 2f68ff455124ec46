"""A student: a small Llama that is trained from nothing on rows of tokens, and its curve.

Every student of a seed begins with the same weights and gets the same number of tokens, so students
differ by what they read alone. A checkpoint is written now and then; a student that was killed goes
on from it and ends with the same numbers.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import ConfigError
from selfsown.models.torch_threads import torch_threads
from selfsown.train.pretrain import Descent, Settings, build_model, rate_at, token_losses

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

CHECKPOINT: Final = "checkpoint.pt"
NO_TOKEN: Final = -1
"""Fills rows; neither read nor predicted."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The student and its training, but for seed and data."""

    width: int = 96
    """Hidden size, a multiple of `heads`; 96 with two layers gives 0.44 million parameters."""
    layers: int = 2
    heads: int = 4
    row_tokens: int = 256
    """Most tokens of a row."""
    batch_rows: int = 16
    """Rows of a step."""
    points: int = 12
    """Points of the curve, the last at the end."""

    def settings(self, seed: int, tokens: int, steps: int) -> Settings:
        """As pretraining of the lab model takes them."""
        return Settings(
            tokens=tokens,
            seed=seed,
            hidden=self.width,
            layers=self.layers,
            heads=self.heads,
            intermediate=3 * self.width,
            warmup_steps=max(1, min(20, steps // 10)),
        )


@dataclass(frozen=True, slots=True)
class Point:
    """What the student was after some tokens."""

    tokens: int
    losses: Mapping[str, float]
    """Held-out set → mean loss."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A student at the end of its training."""

    model: LlamaForCausalLM
    curve: tuple[Point, ...]
    seconds: float
    """Processor time of this process, without what it spent before it was resumed."""


def train_student(
    rows: torch.Tensor,
    seed: int,
    shape: Shape,
    measure: Callable[[LlamaForCausalLM], Mapping[str, float]],
    folder: Path,
    *,
    save_every_s: float = 45.0,
    tell: Callable[[str], None] = lambda line: None,
) -> Trained:
    """Train a student on rows, each of which it reads once, in order.

    Args:
        rows: (N, row_tokens + 1) token ids, `NO_TOKEN` behind the end of a row; at least one row.
        seed: of the first weights.
        shape: the student.
        measure: losses of a point of the curve, by the model in evaluation mode.
        folder: place of the checkpoint, which the caller removes once it has kept the result.
        save_every_s: seconds between checkpoints.
        tell: receives a line per point.

    Raises:
        ConfigError: the checkpoint is that of another student.
    """
    with torch_threads(1):
        return _Training(rows, seed, shape, folder).run(measure, save_every_s, tell)


class _Training:
    def __init__(self, rows: torch.Tensor, seed: int, shape: Shape, folder: Path) -> None:
        self.batches = rows.split(shape.batch_rows)  # type: ignore[no-untyped-call]
        self.shape = shape
        sizes = [int((batch[:, 1:] != NO_TOKEN).sum()) for batch in self.batches]
        self.read = list(accumulate(sizes, initial=0))
        """Tokens that are predicted before each step, and at the end."""
        self.settings = shape.settings(seed, self.read[-1], len(sizes))
        self.path = folder / CHECKPOINT
        self.model = build_model(self.settings)
        self.descent = Descent(self.model, self.settings)
        self.step = 0
        self.curve: list[Point] = []
        self._resume()

    def run(
        self,
        measure: Callable[[LlamaForCausalLM], Mapping[str, float]],
        save_every_s: float,
        tell: Callable[[str], None],
    ) -> Trained:
        started, saved = time.process_time(), time.monotonic()
        marks = self._marks()
        while self.step < len(self.batches):
            self._train_step()
            if self.step in marks:
                self._add_point(measure, tell)
            if time.monotonic() - saved > save_every_s:
                self._save()
                saved = time.monotonic()
        return Trained(self.model.eval(), tuple(self.curve), time.process_time() - started)

    def _marks(self) -> set[int]:
        """Steps with a point behind them, about equally many tokens apart; the last is one."""
        wanted = (self.read[-1] * k / self.shape.points for k in range(1, self.shape.points + 1))
        return {bisect_left(self.read, tokens, lo=1) for tokens in wanted}

    def _train_step(self) -> None:
        batch = self.batches[self.step].long()  # (B, T + 1)
        targets = batch[:, 1:]
        real = targets != NO_TOKEN
        losses = token_losses(self.model, batch[:, :-1].clamp(min=0), targets.clamp(min=0))
        progress = self.read[self.step] / self.read[-1]
        self.descent.step(losses[real].mean(), rate_at(self.step, progress, self.settings))
        self.step += 1

    def _add_point(
        self,
        measure: Callable[[LlamaForCausalLM], Mapping[str, float]],
        tell: Callable[[str], None],
    ) -> None:
        losses = measure(self.model.eval())
        self.model.train()
        self.curve.append(Point(self.read[self.step], losses))
        shown = "  ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        tell(f"{self.curve[-1].tokens} tokens  {shown}")

    def _identity(self) -> dict[str, object]:
        return {"settings": asdict(self.settings), "shape": asdict(self.shape)}

    def _save(self) -> None:
        import torch

        state = {
            "identity": self._identity(),
            "model": self.model.state_dict(),
            "optimisers": [one.state_dict() for one in self.descent.optimisers],
            "step": self.step,
            "curve": [(point.tokens, dict(point.losses)) for point in self.curve],
        }
        temporary = self.path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.path)

    def _resume(self) -> None:
        import torch

        if not self.path.exists():
            return
        state = torch.load(self.path, weights_only=True)
        if state["identity"] != self._identity():
            raise ConfigError(
                f"`{self.path}` belongs to another student",
                why="going on with it would give a student that no single command makes",
                fix="delete the checkpoint, or give another directory",
            )
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.descent.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = state["step"]
        self.curve = [Point(tokens, losses) for tokens, losses in state["curve"]]
