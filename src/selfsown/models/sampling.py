"""The next token of each row, from its logits, its own settings and its own random numbers.

A row's choice is a function of that row alone. The uniform number is looked up in the cumulative
distribution in vocabulary order, not in order of probability: two tokens of nearly equal
probability may swap ranks when the batch changes the last bits of the logits, and would then swap
answers; in vocabulary order their borders move by a rounding error and nothing else happens.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

_GREEDY_BELOW: Final = 1e-5
"""Temperatures up to this are greedy: dividing by them would overflow."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one call is sampled. The defaults are those of the OpenAI API."""

    seed: int = 0
    temperature: float = 1.0
    """0 takes the most probable token, the lowest id among equals."""
    top_p: float = 1.0
    """Mass of the nucleus in (0, 1]; tokens as probable as its last one belong to it."""
    presence_penalty: float = 0.0
    """Taken once from the logit of every token that the answer already holds."""
    frequency_penalty: float = 0.0
    """Taken from a token's logit as often as the answer, without the prompt, already holds it."""


@dataclass(slots=True)
class TokenStream:
    """What one row needs to remember between its tokens."""

    sampling: Sampling
    _uniform: random.Random = field(init=False)
    _counts: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._uniform = random.Random(self.sampling.seed)

    @property
    def is_penalised(self) -> bool:
        """Whether earlier tokens of the answer change the logits."""
        return bool(self.sampling.presence_penalty or self.sampling.frequency_penalty)

    def draw(self) -> float:
        """The row's next uniform number in [0, 1)."""
        return self._uniform.random()

    def saw(self, token: int) -> None:
        """Count a token of the answer."""
        if self.is_penalised:
            self._counts[token] = self._counts.get(token, 0) + 1

    def penalties(self) -> Mapping[int, float]:
        """Token -> what is taken from its logit."""
        presence, frequency = self.sampling.presence_penalty, self.sampling.frequency_penalty
        return {token: presence + frequency * n for token, n in self._counts.items()}


def choose(logits: Tensor, rows: Sequence[TokenStream]) -> list[int]:
    """One token per row.

    Args:
        logits: (B, V), any float type.
        rows: B streams; each gives up one uniform number and counts the token chosen for it.
    """
    import torch

    if logits.device.type == "mps":
        logits = logits.cpu()  # that device has no double precision
    logits = _penalised(logits.float(), rows)
    tokens = logits.argmax(-1)  # (B,)
    warm = [i for i, row in enumerate(rows) if row.sampling.temperature > _GREEDY_BELOW]
    if warm:
        streams = [rows[i] for i in warm]
        picked = _sample(logits if len(warm) == len(rows) else logits[warm], streams)
        tokens[torch.tensor(warm, device=tokens.device)] = picked
    chosen: list[int] = tokens.tolist()
    for row, token in zip(rows, chosen, strict=True):
        row.saw(token)
    return chosen


def _penalised(logits: Tensor, rows: Sequence[TokenStream]) -> Tensor:
    """Logits less the penalties of the rows that have any; the argument is left as it is."""
    if not any(row.is_penalised for row in rows):
        return logits
    import torch

    logits = logits.clone()
    for i, row in enumerate(rows):
        taken = row.penalties()
        if taken:
            ids = torch.tensor(list(taken), device=logits.device)
            logits[i, ids] -= torch.tensor(list(taken.values()), device=logits.device)
    return logits


def _sample(logits: Tensor, rows: Sequence[TokenStream]) -> Tensor:
    """Tokens drawn from the (B, V) logits, one uniform number each; shape (B,)."""
    import torch

    settings = [row.sampling for row in rows]
    device = logits.device
    temperature = torch.tensor([s.temperature for s in settings], device=device)
    probs = (logits / temperature[:, None]).softmax(-1)
    narrow = [i for i, s in enumerate(settings) if s.top_p < 1]
    if narrow:
        index = torch.tensor(narrow, device=device)
        top_p = torch.tensor(
            [settings[i].top_p for i in narrow], device=device, dtype=torch.float64
        )
        inside = probs if len(narrow) == len(settings) else probs[index]
        least = _nucleus_border(inside, top_p)  # (n,)
        inside = torch.where(inside >= least[:, None], inside, 0.0)
        probs = inside if len(narrow) == len(settings) else probs.index_copy(0, index, inside)
    cumulative = probs.double().cumsum(-1)  # (B, V)
    uniform = torch.tensor([row.draw() for row in rows], device=device, dtype=torch.float64)
    target = uniform * cumulative[:, -1]
    return torch.searchsorted(cumulative, target[:, None], right=True)[:, 0].clamp_max(
        probs.shape[1] - 1
    )


def _nucleus_border(probs: Tensor, top_p: Tensor) -> Tensor:
    """The probability of the last token of the smallest set whose mass reaches `top_p`; (B,)."""
    falling = _sorted(probs).flip(-1)  # (B, V)
    before = (falling.double().cumsum(-1) < top_p[:, None]).sum(-1)  # tokens before that last one
    return falling.gather(1, before.clamp_max(probs.shape[1] - 1)[:, None])[:, 0]


def _sorted(values: Tensor) -> Tensor:
    """Rows in rising order; on the CPU by numpy, which takes a thirtieth of torch's time."""
    import numpy as np
    import torch

    if values.device.type != "cpu":
        return values.sort(-1).values
    return torch.from_numpy(np.sort(values.numpy(), axis=-1))
