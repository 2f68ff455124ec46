"""Generating text with a local causal model for the lab's measurements: batched, sorted by length.

Measurements need nothing of the run machinery (journal, limits), so this calls transformers
directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfsown.core.errors import InputError, MissingExtra
from selfsown.models.torch_threads import torch_threads

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A causal model with its tokenizer, in float32 on the CPU."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_model(folder: Path) -> LoadedModel:
    """Load a Hugging Face folder without asking any network.

    Raises:
        InputError: the folder does not hold a model.
        MissingExtra: torch or transformers is not installed.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers import logging as transformers_logging
    except ImportError as error:
        raise MissingExtra(
            f"measuring a model needs `{error.name}`",
            why="it is loaded with torch and transformers",
            fix="pip install 'selfsown[local]'",
        ) from error
    if not (folder / "config.json").is_file():
        raise InputError(
            f"`{folder}` has no `config.json`",
            why="a model folder in Hugging Face form holds one",
            fix="give a folder that `selfsown lab pretrain` or `save_pretrained` wrote",
        )
    transformers_logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    model.eval()
    return LoadedModel(model, tokenizer)


def complete(
    loaded: LoadedModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 32,
    stop_tokens: Sequence[str] = (),
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[str]:
    """Continue every prompt; the results stand in the order of the prompts.

    Args:
        loaded: the model.
        prompts: texts to continue, each short enough for the context.
        max_new_tokens: longest continuation.
        batch_size: prompts generated together.
        stop_tokens: texts of single tokens that end a continuation (and stay in it).
        temperature: 0 takes the most likely token; else the sampling temperature.
        top_p: nucleus of sampling, in (0, 1].
        seed: seed of sampling.
    """
    import torch

    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    results = [""] * len(prompts)
    generator_state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            shown = [prompts[i] for i in batch]
            with torch_threads(1):
                texts = _complete_batch(
                    loaded, shown, max_new_tokens, stop_tokens, temperature, top_p
                )
            for i, text in zip(batch, texts, strict=True):
                results[i] = text
    finally:
        torch.set_rng_state(generator_state)
    return results


def _complete_batch(
    loaded: LoadedModel,
    prompts: list[str],
    max_new_tokens: int,
    stop_tokens: Sequence[str],
    temperature: float,
    top_p: float,
) -> list[str]:
    import torch

    tokenizer = loaded.tokenizer
    tokenizer.padding_side = "left"
    encoded = tokenizer(prompts, return_tensors="pt", padding=True)
    ends = [
        tokenizer.eos_token_id,
        *tokenizer.convert_tokens_to_ids(list(map(_as_token, stop_tokens))),
    ]
    sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    with torch.no_grad():
        output = loaded.model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=max_new_tokens,
            eos_token_id=ends,
            pad_token_id=tokenizer.pad_token_id,
            **(sampling if temperature > 0 else {"do_sample": False}),
        )
    new = output[:, encoded["input_ids"].shape[1] :]
    return [str(text) for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


def _as_token(text: str) -> str:
    """A line break as byte-level tokenizers write it."""
    return text.replace("\n", "\u010a")
