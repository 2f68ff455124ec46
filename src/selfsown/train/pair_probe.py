"""What a policy makes of preference pairs, beside a reference: likelihoods, margin, divergence.

The divergence is exact: at every position of an answer the whole distributions are compared. It is
that on the texts of the pairs, not on texts that the policy would write now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from selfsown.train.pairs import PairRow

Logits = Callable[["Tensor", "Tensor"], "Tensor"]
"""Token ids and attention mask, both (B, T) -> logits (B, T, V)."""


@dataclass(frozen=True, slots=True)
class PairMeasure:
    """Means over pairs."""

    pairs: int
    chosen_logp: float
    """Log-likelihood of a chosen answer under the policy, in nats, end-of-text included."""
    rejected_logp: float
    chosen_logp_per_token: float
    """All chosen answers' nats over all their tokens."""
    rejected_logp_per_token: float
    log_ratio_margin: float
    """By how many nats the policy's log-ratio to the reference is higher for the chosen answer."""
    accuracy: float
    """Share of pairs with the higher log-ratio for the chosen answer; a tie is half."""
    likelihood_accuracy: float
    """Share of pairs whose chosen answer is the likelier one under the policy."""
    kl: float
    """Kullback-Leibler divergence of the reference from the policy, in nats per answer token."""


def measure_pairs(
    policy: Logits, reference: Logits, rows: Sequence[PairRow], *, batch: int, device: Any
) -> PairMeasure:
    """Measure a policy on pairs; takes no gradient and changes nothing.

    Args:
        policy: gives logits.
        reference: the same, of the reference.
        rows: at least one.
        batch: pairs per forward pass.
        device: of torch, where the models are.
    """
    import torch

    sums: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            sums.append(_sums(policy, reference, rows[start : start + batch], device))
    own, other, divergence, tokens = torch.cat(sums, dim=1).unbind()  # each (N, 2)
    margin = (own - other)[:, 0] - (own - other)[:, 1]
    ties = (margin == 0).double() / 2
    per_token = own.sum(0) / tokens.sum(0)
    return PairMeasure(
        pairs=len(rows),
        chosen_logp=float(own[:, 0].mean()),
        rejected_logp=float(own[:, 1].mean()),
        chosen_logp_per_token=float(per_token[0]),
        rejected_logp_per_token=float(per_token[1]),
        log_ratio_margin=float(margin.mean()),
        accuracy=float(((margin > 0).double() + ties).mean()),
        likelihood_accuracy=float((own[:, 0] > own[:, 1]).double().mean()),
        kl=float(divergence.sum() / tokens.sum()),
    )


def _sums(policy: Logits, reference: Logits, rows: Sequence[PairRow], device: Any) -> Tensor:
    """Log-likelihood under both, divergence and tokens of each answer: (4, B, 2), in float64."""
    import torch

    texts = [(row.prompt_ids, ids) for row in rows for ids in (row.chosen_ids, row.rejected_ids)]
    width = max(len(prompt) + len(answer) for prompt, answer in texts)
    ids = torch.zeros(len(texts), width, dtype=torch.long)  # (2B, T)
    real = torch.zeros_like(ids)
    is_answer = torch.zeros(len(texts), width - 1, dtype=torch.bool)
    for place, (prompt, answer) in enumerate(texts):
        end = len(prompt) + len(answer)
        ids[place, :end] = torch.tensor([*prompt, *answer])
        real[place, :end] = 1
        is_answer[place, len(prompt) - 1 : end - 1] = True  # the token before says the next
    ids, real, is_answer = ids.to(device), real.to(device), is_answer.to(device)
    owners = is_answer.nonzero()[:, 0]
    target = ids[:, 1:][is_answer][:, None]  # (N, 1)
    own = policy(ids, real)[:, :-1][is_answer].float().log_softmax(-1)  # (N, V)
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
    return found.view(len(each), len(rows), 2)
