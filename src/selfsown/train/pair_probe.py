"""What a policy makes of preference pairs, beside a reference: likelihoods, margin, divergence.

The divergence is exact: at every position of an answer the whole distributions are compared. It is
that on the texts of the pairs, not on texts that the policy would write now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfsown.models.divergence import AnswerIds, Logits, answer_sums

if TYPE_CHECKING:
    from torch import Tensor

    from selfsown.train.pairs import PairRow


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
    texts = [
        AnswerIds(row.prompt_ids, ids) for row in rows for ids in (row.chosen_ids, row.rejected_ids)
    ]
    sums = answer_sums(policy, reference, texts, device)
    return sums.view(len(sums), len(rows), 2)
