"""Any causal model of transformers as a decoder: rows start together and leave one by one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor


class TransformersDecoder:
    """Rows under way on one model. Used from one thread, inside `torch.inference_mode()`."""

    joins: Final = False

    def __init__(self, model: Any, *, rows: int) -> None:
        self.rows = rows
        self._model = model
        self._device = model.device
        self._takes = set(inspect.signature(model.forward).parameters)
        self._cache: Any = None
        self._mask: Tensor | None = None
        """(B, tokens so far); 0 where a shorter prompt is padded."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts together; their next-token logits, (B, V)."""
        import torch

        width = max(map(len, prompts))
        padded = [[0] * (width - len(ids)) + list(ids) for ids in prompts]
        real = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        self._mask = torch.tensor(real, device=self._device)  # (B, T)
        places = (self._mask.cumsum(-1) - 1).clamp_min(0)  # a token's place in its own row
        return self._forward(torch.tensor(padded, device=self._device), places)

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Append one token to every row; (B, V) logits of the next."""
        import torch

        assert self._mask is not None
        column = torch.tensor(tokens, device=self._device)[:, None]  # (B, 1)
        places = self._mask.sum(-1, keepdim=True)  # (B, 1)
        self._mask = torch.cat((self._mask, torch.ones_like(column)), -1)
        return self._forward(column, places)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only; without any, forget the cache."""
        import torch

        if not rows or self._mask is None:
            self._cache = self._mask = None
            return
        index = torch.tensor(rows, device=self._device)
        self._cache.batch_select_indices(index)
        self._mask = self._mask[index]

    def _forward(self, ids: Tensor, places: Tensor) -> Tensor:
        given: dict[str, Any] = {"position_ids": places, "logits_to_keep": 1}
        out = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            **{name: value for name, value in given.items() if name in self._takes},
        )
        self._cache = out.past_key_values
        logits: Tensor = out.logits[:, -1]
        return logits
