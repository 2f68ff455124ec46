"""Pretraining of the lab model: a small Llama, from nothing, on two CPU cores.

One file, top to bottom: settings, model, optimisers, loss, loop, checkpoint, export. Answer tokens
weigh more in the loss (see `lab.corpus`), since they are a ninth of the text and nearly all that
can be learned. Matrices are trained with Muon (as in torch), embeddings and norms with AdamW.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from selfsown.core.errors import ConfigError, MissingExtra
from selfsown.lab.corpus import ANSWER_WEIGHT
from selfsown.lab.tokenizer import (
    CONTEXT_TOKENS,
    END_OF_TEXT_ID,
    PAD_ID,
    VOCABULARY_SIZE,
    save_tokenizer,
    train_tokenizer,
)
from selfsown.models.torch_threads import torch_threads
from selfsown.train.token_stream import SHARD_DOCUMENTS, RowStream, validation_rows

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM, PreTrainedModel

VALIDATION_SEED_OFFSET = 1_000_003
"""The validation documents come from `seed` plus this."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides the weights, up to floating point."""

    tokens: int
    """Training tokens; the run ends with the step that reaches them."""
    seed: int
    """Seed of data, tokenizer and initial weights."""
    hidden: int = 128
    layers: int = 5
    heads: int = 4
    intermediate: int = 384
    batch_tokens: int = 5_120
    short_rows: int = 512
    """Row length of the first part of training."""
    long_rows: int = CONTEXT_TOKENS
    """Row length of the rest, which teaches the long prompts of few-shot recipes."""
    long_share: float = 0.3
    """Share of the tokens that is trained in long rows."""
    matrix_lr: float = 0.02
    """Muon; times sqrt(max(1, rows / columns)) of the matrix."""
    other_lr: float = 4e-3
    """AdamW, for embeddings and norms."""
    warmup_steps: int = 40
    decay_share: float = 0.4
    """The rates fall in a straight line to 2 % over this last share of the tokens."""
    tokenizer_documents: int = 12_000
    shard_documents: int = SHARD_DOCUMENTS
    validation_row_count: int = 64


SMOKE = Settings(
    tokens=20_000,
    seed=0,
    hidden=32,
    layers=2,
    heads=2,
    intermediate=64,
    batch_tokens=2_048,
    short_rows=256,
    tokenizer_documents=400,
    shard_documents=60,
    validation_row_count=8,
)
"""Settings that run the whole path in seconds and learn nothing worth having."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pretraining run reached."""

    tokens: int
    parameters: int
    answer_loss: float
    """Mean negative log-likelihood of validation answer tokens, nats per token."""
    total_loss: float
    """The same over all validation tokens, unweighted."""
    seconds: float
    """Wall-clock time of this process, without what a resumed run spent before."""


def pretrain(
    out: Path,
    *,
    tokens: int,
    seed: int,
    smoke: bool = False,
    settings: Settings | None = None,
    threads: int = 1,
    save_every_s: float = 240.0,
    on_progress: Callable[[str], None] | None = None,
) -> Outcome:
    """Train the lab model and write it as a Hugging Face folder.

    A checkpoint and usable weights are written every `save_every_s` seconds; the same call goes on
    from the checkpoint and ends with the same data in the same order.

    Args:
        out: folder of the weights; the checkpoint lies beside it in `checkpoint.pt` until the end.
        tokens: training tokens.
        seed: seed of data, tokenizer and initial weights.
        smoke: use the tiny settings, whatever `settings` says.
        settings: other settings; their tokens and seed are replaced by the arguments.
        threads: torch threads; two help on an otherwise idle machine and hurt on a busy one.
        save_every_s: seconds between two checkpoints.
        on_progress: receives one line now and then.

    Raises:
        ConfigError: `tokens` is not positive.
        MissingExtra: torch or transformers is not installed.
    """
    if tokens <= 0:
        raise ConfigError(f"`tokens` is {tokens}", why="training needs data", fix="give at least 1")
    _require_torch()
    chosen = chosen_settings(tokens=tokens, seed=seed, smoke=smoke, settings=settings)
    with torch_threads(threads):
        return _Run(chosen, out, on_progress or (lambda line: None)).run(save_every_s)


def chosen_settings(
    *, tokens: int, seed: int, smoke: bool = False, settings: Settings | None = None
) -> Settings:
    """The settings that `pretrain` uses for the same arguments."""
    return replace(SMOKE if smoke else settings or Settings(tokens, seed), tokens=tokens, seed=seed)


def build_model(settings: Settings) -> LlamaForCausalLM:
    """A freshly initialised Llama with tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(settings.seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.intermediate,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=END_OF_TEXT_ID,
        eos_token_id=END_OF_TEXT_ID,
        pad_token_id=PAD_ID,
    )
    return LlamaForCausalLM(config)


def build_optimisers(model: PreTrainedModel, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for embeddings and norms."""
    import torch

    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed" not in name
        (matrices if is_matrix else others).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=settings.matrix_lr, weight_decay=0.02, momentum=0.95),
        torch.optim.AdamW(others, lr=settings.other_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


class Descent:
    """Steps of the optimisers of a model, at a factor of the rates that they begin with."""

    def __init__(self, model: PreTrainedModel, settings: Settings) -> None:
        """Build the optimisers."""
        self.optimisers = build_optimisers(model, settings)
        self._model = model
        self._rates = [group["lr"] for one in self.optimisers for group in one.param_groups]

    def step(self, loss: torch.Tensor, factor: float) -> None:
        """One step against the gradient of a loss, which is clipped to norm 1."""
        import torch

        # Looked up in each step: loading a checkpoint replaces the groups.
        groups = [group for one in self.optimisers for group in one.param_groups]
        for group, rate in zip(groups, self._rates, strict=True):
            group["lr"] = rate * factor
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


def rate_at(step: int, progress: float, settings: Settings) -> float:
    """Learning-rate factor in [0.02, 1]; `progress` in [0, 1] is the share of the tokens done."""
    warm = min(1.0, (step + 1) / settings.warmup_steps)
    left = min(1.0, (1.0 - progress) / settings.decay_share)
    return warm * max(0.02, left)


def token_losses(
    model: PreTrainedModel, inputs: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood of every target: (B, T), (B, T) -> (B, T) in float32."""
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=inputs, use_cache=False).logits  # (B, T, V)
    flat = logits.float().view(-1, logits.shape[-1])  # (B*T, V)
    losses = torch.nn.functional.cross_entropy(flat, targets.reshape(-1), reduction="none")
    return losses.view_as(targets)


def padded_losses(
    model: PreTrainedModel, rows: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of every next token of B rows of at most T + 1 tokens, and which are real: (B, T)."""
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), END_OF_TEXT_ID)
    real = torch.zeros(len(rows), longest)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        real[at, : len(row)] = 1
    return token_losses(model, ids[:, :-1], ids[:, 1:]), real[:, 1:]


def validate(
    model: LlamaForCausalLM, tokenizer: Tokenizer, settings: Settings
) -> tuple[float, float]:
    """(answer loss, total loss) on documents that training never sees."""
    import torch

    answer_sum = total_sum = answer_count = total_count = 0.0
    model.eval()
    with torch.no_grad():
        for inputs, targets, weights in validation_rows(
            tokenizer,
            settings.seed + VALIDATION_SEED_OFFSET,
            settings.validation_row_count,
            settings.short_rows,
        ):
            losses = token_losses(model, inputs, targets)
            is_answer = weights == ANSWER_WEIGHT
            answer_sum += float(losses[is_answer].sum())
            answer_count += float(is_answer.sum())
            total_sum += float(losses.sum())
            total_count += losses.numel()
    model.train()
    return answer_sum / answer_count, total_sum / total_count


class _Run:
    """One pretraining run with its state: model, optimisers, data position, step."""

    def __init__(self, settings: Settings, out: Path, report: Callable[[str], None]) -> None:
        self.settings = settings
        self.out = out
        self.report = report
        self.tokenizer = _tokenizer_of(out, settings)
        self.model = build_model(settings)
        self.descent = Descent(self.model, settings)
        self.stream = RowStream(self.tokenizer, settings.seed, settings.shard_documents)
        self.step = 0
        self.done = 0
        self.done_here = 0
        self._resume()

    def run(self, save_every_s: float) -> Outcome:
        """Train to the end, saving now and then."""
        started = saved = time.monotonic()
        recent: list[float] = []
        while self.done < self.settings.tokens:
            recent.append(self.train_step())
            if self.step % 50 == 0:
                speed = self.done_here / (time.monotonic() - started)
                mean = sum(recent) / len(recent)
                self.report(f"step {self.step}  tokens {self.done}  loss {mean:.3f}  {speed:.0f}/s")
                recent.clear()
            if time.monotonic() - saved > save_every_s:
                self.save()
                saved = time.monotonic()
        answer_loss, total_loss = self.save()
        (self.out / _CHECKPOINT).unlink()
        parameters = sum(p.numel() for p in self.model.parameters())
        seconds = time.monotonic() - started
        return Outcome(self.done, parameters, answer_loss, total_loss, seconds)

    def train_step(self) -> float:
        """One optimiser step; returns the mean loss weighted by token."""
        progress = self.done / self.settings.tokens
        is_long = progress >= 1.0 - self.settings.long_share
        length = self.settings.long_rows if is_long else self.settings.short_rows
        count = max(1, self.settings.batch_tokens // length)
        inputs, targets, weights = self.stream.next_rows(count, length)
        losses = token_losses(self.model, inputs, targets)
        loss = (losses * weights).sum() / weights.sum()
        self.descent.step(loss, rate_at(self.step, progress, self.settings))
        self.step += 1
        self.done += count * length
        self.done_here += count * length
        return float(loss.detach())

    def save(self) -> tuple[float, float]:
        """Write weights and checkpoint; returns the validation losses."""
        import torch

        losses = validate(self.model, self.tokenizer, self.settings)
        self.report(f"validation  answer {losses[0]:.3f}  total {losses[1]:.3f}")
        export_model(self.model, self.out)
        state = {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.descent.optimisers],
            "position": (self.step, self.done, self.stream.shard, self.stream.offset),
        }
        temporary = self.out / f"{_CHECKPOINT}.part"
        torch.save(state, temporary)
        temporary.rename(self.out / _CHECKPOINT)
        return losses

    def _resume(self) -> None:
        import torch

        path = self.out / _CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["settings"] != asdict(self.settings):
            raise ConfigError(
                f"`{path}` was written with other settings",
                why="going on with them would give weights that no single command produces",
                fix="delete the checkpoint or give the settings it was made with",
            )
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.descent.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.done, self.stream.shard, self.stream.offset = state["position"]


_CHECKPOINT = "checkpoint.pt"


def export_model(model: PreTrainedModel, folder: Path) -> None:
    """Write config and weights, in bfloat16, as `from_pretrained` reads them."""
    import copy

    import torch

    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)


def _tokenizer_of(out: Path, settings: Settings) -> Tokenizer:
    """The tokenizer of the folder, trained and saved there if it has none yet."""
    from tokenizers import Tokenizer

    if not (out / "tokenizer.json").exists():
        save_tokenizer(train_tokenizer(settings.seed, settings.tokenizer_documents), out)
    return Tokenizer.from_file(str(out / "tokenizer.json"))


def _require_torch() -> None:
    try:
        import torch  # noqa: F401  # asked for here so that a missing one is reported by name
        import transformers
    except ImportError as error:
        raise MissingExtra(
            f"pretraining needs `{error.name}`",
            why="the lab model is trained with torch and transformers",
            fix="pip install 'selfsown[local]'",
        ) from error
    transformers.logging.disable_progress_bar()
