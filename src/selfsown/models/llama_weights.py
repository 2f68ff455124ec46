"""The weights of a plain Llama: its shape, and its tensors fused into as few as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """The numbers of a config.json that the forward pass needs."""

    vocabulary: int
    width: int
    """d."""
    layers: int
    heads: int
    """H; keys and values have as many."""
    context: int
    norm_eps: float
    rope_theta: float


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer; linear weights are (out, in)."""

    attention_norm: Tensor
    qkv: Tensor
    """(3d, d): queries, keys, values."""
    out: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    """(2f, d)."""
    down: Tensor


@dataclass(frozen=True, slots=True)
class LlamaWeights:
    """All weights, fp32."""

    shape: LlamaShape
    embedding: Tensor
    """(V, d)."""
    layers: Sequence[Layer]
    norm: Tensor
    head: Tensor
    """(V, d); the embedding where they are tied."""


def gather_weights(shape: LlamaShape, named: Mapping[str, Tensor]) -> LlamaWeights:
    """Weights under their Hugging Face names, widened to fp32 and fused.

    Raises:
        KeyError: a tensor is missing.
        ValueError: the embedding has not as many rows as the config says.
    """
    import torch

    def get(name: str) -> Tensor:
        return named[name].float().contiguous()

    def fuse(prefix: str, *names: str) -> Tensor:
        return torch.cat([get(f"{prefix}.{name}_proj.weight") for name in names]).contiguous()

    layers = []
    for i in range(shape.layers):
        at = f"model.layers.{i}"
        layers.append(
            Layer(
                attention_norm=get(f"{at}.input_layernorm.weight"),
                qkv=fuse(f"{at}.self_attn", "q", "k", "v"),
                out=get(f"{at}.self_attn.o_proj.weight"),
                mlp_norm=get(f"{at}.post_attention_layernorm.weight"),
                gate_up=fuse(f"{at}.mlp", "gate", "up"),
                down=get(f"{at}.mlp.down_proj.weight"),
            )
        )
    embedding = get("model.embed_tokens.weight")
    if len(embedding) != shape.vocabulary:
        raise ValueError(
            f"config.json says {shape.vocabulary} embeddings, and the weights have {len(embedding)}"
        )
    head = get("lm_head.weight") if "lm_head.weight" in named else embedding
    return LlamaWeights(shape, embedding, layers, get("model.norm.weight"), head)
