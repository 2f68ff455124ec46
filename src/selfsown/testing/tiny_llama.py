"""A tiny untrained Llama in the layout of the lab's weights: real arithmetic, random answers.

For tests of whatever runs on local models: nothing is downloaded, and writing one takes about a
second. Its answers are nonsense, but they depend on every token of the prompt and on the seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_DOCUMENTS = 200
_EMBEDDING_SCALE = 0.3
"""Spread of the embedding: wide enough that some tokens are much more probable than others."""


def write_tiny_llama(
    folder: Path,
    *,
    seed: int = 0,
    width: int = 64,
    layers: int = 2,
    context: int = 256,
    chat_template: str | None = None,
) -> Path:
    """Write config, tokenizer and weights as `save_pretrained` of a `LlamaForCausalLM` would.

    Args:
        folder: is made if it does not exist.
        seed: of the weights.
        width: of the model; a multiple of 4, the number of heads.
        layers: number of layers.
        context: longest prompt and answer together, in tokens.
        chat_template: Jinja template for messages; without one it is a base model.

    Returns:
        The folder.
    """
    from safetensors.torch import save_file

    from selfsown.lab.tokenizer import VOCABULARY_SIZE, save_tokenizer, train_tokenizer

    save_tokenizer(train_tokenizer(0, _DOCUMENTS), folder)
    if chat_template is not None:
        (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 1,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(_weights(seed, VOCABULARY_SIZE, width, layers), folder / "model.safetensors")
    return folder


def _weights(seed: int, vocabulary: int, width: int, layers: int) -> dict[str, Tensor]:
    import torch

    generator = torch.Generator().manual_seed(seed)

    def normal(rows: int, columns: int, scale: float) -> Tensor:
        return torch.randn(rows, columns, generator=generator) * scale

    named = {
        "model.embed_tokens.weight": normal(vocabulary, width, _EMBEDDING_SCALE),
        "model.norm.weight": torch.ones(width),
    }
    shapes = {
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (width, width),
        "self_attn.v_proj": (width, width),
        "self_attn.o_proj": (width, width),
        "mlp.gate_proj": (2 * width, width),
        "mlp.up_proj": (2 * width, width),
        "mlp.down_proj": (width, 2 * width),
    }
    for i in range(layers):
        at = f"model.layers.{i}"
        named[f"{at}.input_layernorm.weight"] = torch.ones(width)
        named[f"{at}.post_attention_layernorm.weight"] = torch.ones(width)
        for name, (rows, columns) in shapes.items():
            named[f"{at}.{name}.weight"] = normal(rows, columns, columns**-0.5)
    return named
