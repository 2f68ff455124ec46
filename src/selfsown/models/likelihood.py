"""How likely given texts are under a local model: tokens and nats of each, from one forward pass.

Any causal model that transformers can load, in float32. The text may stand behind a context, which
carries no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from selfsown.core.errors import InputError
from selfsown.models.local import require_packages
from selfsown.models.torch_threads import threads_for, torch_threads

if TYPE_CHECKING:
    from torch import Tensor

_BATCH_TOKENS: Final = 4_096
"""Tokens of one forward pass, padding included: logits of a large vocabulary stay below 3 GB."""
_NO_LABEL: Final = -100


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What a model gives one text."""

    tokens: int
    """Tokens that were predicted; 0 if nothing of the text fits into the model's context."""
    nats: float
    """Their negative log-likelihood in all."""


def likelihoods(folder: Path, texts: Sequence[str], *, before: str = "") -> list[Likelihood]:
    """The likelihood of each text, in the given order.

    Args:
        folder: of a Hugging Face causal language model.
        texts: what is predicted; what does not fit into the context is left out.
        before: context of every text. Without one, and without a token that the tokenizer puts in
            front, the first token of a text stands behind the end-of-text token.

    Raises:
        InputError: the model cannot be loaded.
        MissingExtra: torch or transformers is not installed.
    """
    require_packages(f"hf:{folder}", "torch", "transformers")
    import torch

    model, tokenizer = load_causal_model(folder), load_tokenizer(folder)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    rows = [_row(tokenizer, before, text, context) for text in texts]
    found: dict[int, Likelihood] = {}
    with torch.inference_mode(), torch_threads(threads_for(model)):
        for batch in batches([(len(ids), start) for ids, start in rows], _BATCH_TOKENS):
            nats = _nats(model, [rows[number] for number in batch])
            for number, one in zip(batch, nats, strict=True):
                ids, start = rows[number]
                found[number] = Likelihood(len(ids) - start, one)
    return [found.get(number, Likelihood(0, 0.0)) for number in range(len(texts))]


def load_causal_model(folder: Path) -> Any:
    """A causal language model that answers are measured with, in float32.

    Raises:
        InputError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, logging

    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True
        )
    except Exception as error:  # whatever transformers and safetensors raise for a broken folder
        raise _not_loaded(folder, error) from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder.

    Raises:
        InputError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the same
        raise _not_loaded(folder, error) from error


def _not_loaded(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"the model in `{folder}` cannot be loaded: {str(error).partition(chr(10))[0]}",
        why="the likelihood of texts under it is measured",
        fix="give a folder with config.json, tokenizer and *.safetensors of a causal model",
    )


def _row(tokenizer: Any, before: str, text: str, context: int | None) -> tuple[list[int], int]:
    """Ids of context and text, and how many of them carry no loss (at least one).

    `context` is the longest row; None where the architecture sets no limit.
    """
    head: list[int] = tokenizer(before)["input_ids"]
    whole: list[int] = tokenizer(before + text)["input_ids"]
    alone = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if alone is not None and whole[:1] != [alone] and not before:
        head, whole = [alone], [alone, *whole]
    shared = next(
        (place for place, pair in enumerate(zip(head, whole, strict=False)) if pair[0] != pair[1]),
        min(len(head), len(whole)),
    )
    return whole[:context], min(max(1, shared), len(whole[:context]))


def batches(rows: Sequence[tuple[int, int]], tokens: int) -> list[list[int]]:
    """Numbers of the rows with something to predict, alike in length and few enough at a time.

    Args:
        rows: tokens of each, and how many of them carry no loss.
        tokens: of one batch, padding included; a row that is longer is alone.
    """
    order = sorted(
        (number for number, (length, start) in enumerate(rows) if length > start),
        key=lambda number: (-rows[number][0], number),
    )
    found: list[list[int]] = []
    for number in order:
        longest = rows[found[-1][0]][0] if found else 0
        if not found or (len(found[-1]) + 1) * longest > tokens:
            found.append([])
        found[-1].append(number)
    return found


def _nats(model: Any, rows: Sequence[tuple[list[int], int]]) -> list[float]:
    """The loss of each row in all; rows are padded on the right, where nothing looks."""
    import torch
    from torch.nn.functional import cross_entropy

    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in rows])  # (B, T)
    real = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in rows])
    labels = ids.masked_fill(real == 0, _NO_LABEL)
    for place, (_, start) in enumerate(rows):
        labels[place, :start] = _NO_LABEL
    ids, real, labels = (one.to(model.device) for one in (ids, real, labels))
    logits: Tensor = model(input_ids=ids, attention_mask=real, use_cache=False).logits
    loss = cross_entropy(
        logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=_NO_LABEL, reduction="none"
    )  # (B, T - 1)
    return [float(total) for total in loss.double().sum(1)]
