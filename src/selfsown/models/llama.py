"""A small Llama on one CPU thread whose rows cannot feel each other: the forward pass behind `lab`.

It reads the standard Hugging Face folder of a `LlamaForCausalLM` and computes the same logits as
transformers does, in a quarter of the time per token, and so that **a row's logits are the same
bits whatever the other rows are**:

1. Each row has a slot of the key-value cache to itself, and its tokens lie there from slot position
   0 on. There is no left padding, so nothing in a row's slot depends on its neighbours.
2. A prompt is read alone, in chunks of 64 tokens: the shapes depend on the prompt only. (That also
   makes a chunk's keys and values reusable: prompts that share their first chunks share the work.)
3. A decoding step multiplies (B, d) matrices. With one thread a row of the product is the same bits
   at every position and for every B that is a multiple of 4 (tested against MKL on AVX-512); B is
   rounded up with idle rows. `row_quantum` finds the multiple that holds on this machine before the
   first answer.
4. Attention looks at the first L positions of every slot, L a multiple of 64. Positions beyond a
   row's own length get the weight exp(-inf) = 0, and adding zeros at the end changes no bit (tested
   up to the full context).

Since rows are independent they may start and end at any step. fp32 throughout: weights stored as
bf16 are widened.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from selfsown.models.llama_weights import Layer, LlamaWeights

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK: Final = 64
"""Prompt tokens read at once; 30,000 tokens a second at any chunk from 64 to 256."""
_SPAN: Final = 64
"""Attention spans grow in steps of this many positions."""
_SHARED_BYTES: Final = 64 << 20
"""Memory for chunks of prompts that later prompts may begin with."""
_QUANTA: Final = (4, 8, 16, 32)


class LlamaDecoder:
    """Rows under way on one Llama. Used from one thread, inside `torch.inference_mode()`."""

    joins: Final = True

    def __init__(self, weights: LlamaWeights, *, rows: int = 32) -> None:
        import torch

        shape = weights.shape
        self._weights = weights
        self._head_width = shape.width // shape.heads  # h
        first = weights.layers[0]
        linears = (first.qkv, first.out, first.gate_up, first.down, weights.head)
        quanta = [row_quantum(weight, rows) for weight in linears]
        self.rows = rows if all(quanta) else 1
        self._quantum = max(quanta) if all(quanta) else 1
        self._lengths: list[int] = []
        slots = -(-self.rows // self._quantum) * self._quantum
        cache = (shape.layers, slots, shape.heads, shape.context, self._head_width)
        self._keys = torch.zeros(cache)  # (layers, S, H, context, h)
        self._values = torch.zeros(cache)
        self._cos, self._sin = _rotary(shape.context, self._head_width, shape.rope_theta)
        self._shared = _SharedChunks(_SHARED_BYTES)

    def start(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Add a row per prompt after the present ones; (len(prompts), V) logits of the next."""
        import torch

        logits = []
        for prompt in prompts:
            logits.append(self._read(len(self._lengths), prompt))
            self._lengths.append(len(prompt))
        return torch.stack(logits)

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Append a token to each of the B rows; their next-token logits, (B, V)."""
        import torch
        from torch.nn.functional import linear

        live = len(tokens)
        size = -(-live // self._quantum) * self._quantum  # B, rounded up with idle rows
        idle = [0] * (size - live)
        at = torch.tensor([*self._lengths, *idle])  # (B,)
        span = self._span(max(self._lengths) + 1)
        seen = torch.arange(span) <= at[:, None]  # (B, L)
        mask = torch.zeros(size, span).masked_fill(~seen, -math.inf)[:, None, None]  # (B, 1, 1, L)
        cos, sin = self._cos[at][:, None, None], self._sin[at][:, None, None]  # (B, 1, 1, h)
        x = self._weights.embedding[torch.tensor([*tokens, *idle])]  # (B, d)
        every = torch.arange(size)
        for layer, keys, values in zip(self._weights.layers, self._keys, self._values, strict=True):
            q, k, v = self._project(x, layer)  # (B, H, h) each
            keys[every, :, at] = _rotate(k[:, :, None], cos, sin)[:, :, 0]
            values[every, :, at] = v
            q = _rotate(q[:, :, None], cos, sin)  # (B, H, 1, h)
            x = self._attend(x, q, keys[:size, :, :span], values[:size, :, :span], mask, layer)
        self._lengths = [length + 1 for length in self._lengths]
        return linear(self._norm(x, self._weights.norm), self._weights.head)[:live]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; a row may only move towards the front."""
        for to, row in enumerate(rows):
            if to != row:
                used = self._lengths[row]
                self._keys[:, to, :, :used] = self._keys[:, row, :, :used]
                self._values[:, to, :, :used] = self._values[:, row, :, :used]
        self._lengths = [self._lengths[row] for row in rows]

    def _read(self, slot: int, prompt: Sequence[int]) -> Tensor:
        """Fill a slot with a prompt and return the logits after its last token, (V,)."""
        from torch.nn.functional import linear

        for start in range(0, len(prompt), _CHUNK):
            end = min(start + _CHUNK, len(prompt))
            prefix = tuple(prompt[:end])
            shared = self._shared.get(prefix) if end < len(prompt) else None
            if shared is not None:
                self._keys[:, slot, :, start:end], self._values[:, slot, :, start:end] = shared
                continue
            x = self._read_chunk(slot, prompt[start:end], start)
            if end < len(prompt):
                whole = (self._keys[:, slot, :, start:end], self._values[:, slot, :, start:end])
                self._shared.put(prefix, (whole[0].clone(), whole[1].clone()))
        last = self._norm(x[-1:], self._weights.norm)
        return linear(last, self._weights.head)[0]

    def _read_chunk(self, slot: int, ids: Sequence[int], start: int) -> Tensor:
        """Hidden states of a chunk of T tokens that begins at position `start`; shape (T, d)."""
        import torch

        end = start + len(ids)
        cos, sin = self._cos[start:end], self._sin[start:end]  # (T, h)
        later = torch.ones(len(ids), end, dtype=torch.bool).triu(start + 1)
        mask = torch.zeros(len(ids), end).masked_fill(later, -math.inf)  # (T, L)
        x = self._weights.embedding[torch.tensor(ids)]  # (T, d)
        for layer, keys, values in zip(self._weights.layers, self._keys, self._values, strict=True):
            q, k, v = (part.transpose(0, 1) for part in self._project(x, layer))  # (H, T, h)
            keys[slot, :, start:end] = _rotate(k, cos, sin)
            values[slot, :, start:end] = v
            q = _rotate(q, cos, sin)[None]  # (1, H, T, h)
            row = slice(slot, slot + 1)
            x = self._attend(x, q, keys[row, :, :end], values[row, :, :end], mask, layer)
        return x

    def _project(self, x: Tensor, layer: Layer) -> Sequence[Tensor]:
        """Queries, keys and values of N positions, (N, H, h) each."""
        from torch.nn.functional import linear

        heads = self._weights.shape.heads
        qkv = linear(self._norm(x, layer.attention_norm), layer.qkv)  # (N, 3d)
        return qkv.view(len(x), 3 * heads, self._head_width).chunk(3, dim=1)

    def _attend(
        self, x: Tensor, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor, layer: Layer
    ) -> Tensor:
        """The rest of a layer: attention, its output, and the gated MLP; (N, d) to (N, d)."""
        from torch.nn.functional import linear, scaled_dot_product_attention, silu

        mixed = scaled_dot_product_attention(q, keys, values, attn_mask=mask)  # (B, H, T, h)
        mixed = mixed.transpose(1, 2).reshape(x.shape)  # (N, d): B or T is 1
        x = x + linear(mixed, layer.out)
        gate, up = linear(self._norm(x, layer.mlp_norm), layer.gate_up).chunk(2, dim=-1)  # (N, f)
        return x + linear(silu(gate) * up, layer.down)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        from torch.nn.functional import rms_norm

        return rms_norm(x, weight.shape, weight, self._weights.shape.norm_eps)

    def _span(self, needed: int) -> int:
        return min(-(-needed // _SPAN) * _SPAN, self._weights.shape.context)


class _SharedChunks:
    """Keys and values of prompt chunks, by the prompt up to their end; the stalest go first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._chunks: OrderedDict[tuple[int, ...], tuple[Tensor, Tensor]] = OrderedDict()
        self._bytes = 0

    def get(self, prefix: tuple[int, ...]) -> tuple[Tensor, Tensor] | None:
        """The chunk that ends this prefix, if it was read before."""
        found = self._chunks.get(prefix)
        if found is not None:
            self._chunks.move_to_end(prefix)
        return found

    def put(self, prefix: tuple[int, ...], chunk: tuple[Tensor, Tensor]) -> None:
        """Remember a chunk, forgetting others beyond the limit."""
        self._chunks[prefix] = chunk
        self._bytes += chunk[0].nbytes + chunk[1].nbytes
        while self._bytes > self._limit and self._chunks:
            _, (keys, values) = self._chunks.popitem(last=False)
            self._bytes -= keys.nbytes + values.nbytes


def row_quantum(weight: Tensor, rows: int) -> int:
    """The least multiple of rows at which a row's product with `weight` is the same everywhere.

    One random row is multiplied at every position of every batch up to `rows` among random
    neighbours (milliseconds). 0 if its bits vary on this machine even when all batches are of one
    size: then rows must be generated one by one.
    """
    import torch
    from torch.nn.functional import linear

    generator = torch.Generator().manual_seed(0)
    row = torch.randn(weight.shape[1], generator=generator)
    for quantum in (quantum for quantum in _QUANTA if quantum <= rows):
        seen: set[bytes] = set()
        for size in range(quantum, rows + 1, quantum):
            for position in range(size):
                x = torch.randn(size, weight.shape[1], generator=generator)
                x[position] = row
                seen.add(linear(x, weight)[position].numpy().tobytes())
        if len(seen) == 1:
            return quantum
    return 0


def _rotary(context: int, width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of the rotary embedding, (context, width) each."""
    import torch

    frequency = 1.0 / theta ** (torch.arange(0, width, 2).float() / width)  # (h/2,)
    angle = torch.outer(torch.arange(context).float(), frequency)  # (context, h/2)
    cos, sin = angle.cos(), angle.sin()
    return torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of (..., h): the halves are the two coordinates of each rotated pair."""
    return x * cos + x.roll(x.shape[-1] // 2, -1) * sin
