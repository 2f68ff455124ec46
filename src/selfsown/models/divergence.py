"""How far one model is from another on given answers, in nats: whole distributions are compared.

At every position of an answer, that of its end included, the divergence of the two distributions of
the next token is exact. Summed over a model's own answers it estimates the divergence of the two
models' answers without bias, like the mean of their log-ratio does, with less scatter, and whatever
ended the answer: the end-of-text token or a stop string.

Source: the Rao-Blackwellised estimator of arXiv:2504.10637. The log-ratio needs to know which token
ended an answer; with an end-of-text token where it was a stop string, it was below 0 on the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from selfsown.models.answer_tokens import AnswerEncoding, AnswerTokens, Question, checked_tokens
from selfsown.models.likelihood import batches, load_causal_model, load_tokenizer
from selfsown.models.local import require_packages
from selfsown.models.torch_threads import threads_for, torch_threads

if TYPE_CHECKING:
    from torch import Tensor

_BATCH_TOKENS: Final = 1_024
"""Tokens of one forward pass, padding included: two models' logits are in memory."""

Logits = Callable[["Tensor", "Tensor"], "Tensor"]
"""Token ids and attention mask, both (B, T) -> logits (B, T, V)."""


class GivenAnswer(NamedTuple):
    """An answer to a question."""

    question: Question
    text: str
    is_cut_off: bool = False
    """It reached the limit of tokens, so it has no end."""


class AnswerIds(NamedTuple):
    """Tokens of a prompt and of an answer to it."""

    prompt: Sequence[int]
    """At least one."""
    answer: Sequence[int]


def answer_divergences(
    folder: Path, other: Path, answers: Sequence[GivenAnswer], encoding: AnswerEncoding
) -> list[float | None]:
    """The divergence of the model in `other` from that in `folder` along each answer, in nats.

    Args:
        folder: of a Hugging Face causal language model, which wrote the answers.
        other: of one with the same tokenizer, which need not lie there.
        answers: in any order; the result is in the same.
        encoding: how questions and answers are written.

    Returns:
        None for an answer that cannot be written so, or is too long together with its question.

    Raises:
        InputError: a model cannot be loaded, or its tokenizer is another's.
        MissingExtra: torch or transformers is not installed.
    """
    require_packages(f"hf:{folder}", "torch", "transformers")
    import torch

    model, tokenizer = load_causal_model(folder), load_tokenizer(folder)
    reference = load_causal_model(other)  # a moving reference has no tokenizer of its own
    config = model.config.get_text_config()
    tokens = checked_tokens(folder, tokenizer, config.vocab_size)
    longest = getattr(config, "max_position_embeddings", None)
    rows = [_ids(tokens, one, encoding, longest) for one in answers]
    lengths = [(len(one.prompt) + len(one.answer), len(one.prompt)) for one in rows]
    found: dict[int, float] = {}
    with torch.inference_mode(), torch_threads(threads_for(model)):
        for batch in batches(lengths, _BATCH_TOKENS):
            texts = [rows[number] for number in batch]
            sums = answer_sums(_logits(model), _logits(reference), texts, model.device)
            found.update(zip(batch, map(float, sums[2]), strict=True))
    return [found.get(number) for number in range(len(answers))]


def answer_sums(
    policy: Logits, reference: Logits, texts: Sequence[AnswerIds], device: Any
) -> Tensor:
    """Log-likelihood under both, divergence and tokens of each answer: (4, N), in float64.

    Args:
        policy: gives logits.
        reference: the same, of the reference.
        texts: each with at least one token of a prompt.
        device: of torch, where the models are.
    """
    import torch

    width = max(len(prompt) + len(answer) for prompt, answer in texts)
    ids = torch.zeros(len(texts), width, dtype=torch.long)  # (N, T)
    real = torch.zeros_like(ids)
    is_answer = torch.zeros(len(texts), width - 1, dtype=torch.bool)
    for place, (prompt, answer) in enumerate(texts):
        end = len(prompt) + len(answer)
        ids[place, :end] = torch.tensor([*prompt, *answer])
        real[place, :end] = 1
        is_answer[place, len(prompt) - 1 : end - 1] = True  # the token before says the next
    ids, real, is_answer = ids.to(device), real.to(device), is_answer.to(device)
    owners = is_answer.nonzero()[:, 0]
    target = ids[:, 1:][is_answer][:, None]  # (M, 1)
    own = policy(ids, real)[:, :-1][is_answer].float().log_softmax(-1)  # (M, V)
    other = reference(ids, real)[:, :-1][is_answer].float().log_softmax(-1)
    each = [
        own.gather(1, target)[:, 0],
        other.gather(1, target)[:, 0],
        (own.exp() * (own - other)).sum(-1),
        torch.ones_like(target[:, 0]),
    ]
    found = torch.zeros(len(each), len(texts), dtype=torch.float64)
    for place, values in enumerate(each):
        found[place].index_add_(0, owners.cpu(), values.double().cpu())
    return found


def _ids(
    tokens: AnswerTokens, given: GivenAnswer, encoding: AnswerEncoding, longest: int | None
) -> AnswerIds:
    """Its tokens; none if it cannot be measured."""
    row, missing = tokens.answered(
        given.question, given.text, encoding, longest=longest, is_cut_off=given.is_cut_off
    )
    border = row.prompt_tokens
    return AnswerIds([], []) if missing else AnswerIds(row.ids[:border], row.ids[border:])


def _logits(model: Any) -> Logits:
    def logits(ids: Tensor, real: Tensor) -> Tensor:
        found: Tensor = model(input_ids=ids, attention_mask=real, use_cache=False).logits
        return found

    return logits
