"""`lab`: the embedded base model, batch-invariant; `lab:FOLDER`: a model tuned from it.

The shipped weights lie in the package (`selfsown/lab/weights`); a folder written by
`save_pretrained` of any `LlamaForCausalLM` of that kind (full attention heads, plain rotary
embedding, a tokenizer.json) opens as well. A call's text is the same bits whatever else is
generated at the same time: see `models/llama.py` for how.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from selfsown.core.errors import ConfigError
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import Request
from selfsown.models.architecture import refuse_no_writer
from selfsown.models.batching import LoadedModel
from selfsown.models.failures import clean_detail
from selfsown.models.fingerprint import model_hash
from selfsown.models.generate import Prompt
from selfsown.models.llama import LlamaDecoder
from selfsown.models.llama_weights import LlamaShape, gather_weights
from selfsown.models.local import (
    LocalDescription,
    LocalModel,
    largest_ordinary_id,
    refuse_misfit,
    refuse_options,
    require_packages,
    sampled_prompt,
)
from selfsown.models.settings import ModelSettings
from selfsown.models.stopping import Detokenizer, byte_table

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WEIGHTS: Final = Path(__file__).parents[1] / "lab" / "weights"
"""The folder of the shipped weights."""

_ROWS: Final = 32


def open_lab(settings: ModelSettings) -> LocalModel:
    """The embedded model, or the tuned one in the folder that the URI names.

    Its files are hashed now and read at the first call.

    Raises:
        ConfigError: no such folder, or a model of another kind.
        MissingExtra: torch, safetensors or tokenizers is not installed.
    """
    uri = str(settings.uri)
    require_packages(uri, "torch", "safetensors", "tokenizers")
    refuse_options(settings, ())
    folder = Path(settings.uri.name).expanduser() if settings.uri.name else WEIGHTS
    shape, end = read_config(uri, folder)
    refuse_no_writer(folder, uri)
    about = LocalDescription(
        uri=uri,
        identity=settings.identify(f"lab:sha256:{model_hash(folder)}"),
        name="lab" if folder == WEIGHTS else folder.name,
        capabilities=Capabilities(
            chat=False,
            completion=True,
            seed=True,
            batch_invariant=True,
            local=True,
            context_tokens=shape.context,
        ),
        folder=folder,
    )
    return LocalModel(about, lambda: load_model(folder, shape, end))


def read_config(uri: str, folder: Path) -> tuple[LlamaShape, frozenset[int]]:
    """Shape and end-of-text ids from `config.json`."""
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"`{uri}`: `{path}` cannot be read",
            why="a model folder has config.json, tokenizer.json and model.safetensors",
            fix="check the folder; the shipped model is named `lab` alone",
        ) from error
    if config.get("model_type") != "llama":
        raise _other_kind(uri, f"model_type is `{config.get('model_type')}`")
    try:
        shape = _shape(config)
    except (KeyError, TypeError) as error:
        raise _other_kind(uri, f"config.json lacks {error}") from error
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    unlike = {
        "keys and values have fewer heads than queries": config.get(
            "num_key_value_heads", shape.heads
        )
        != shape.heads,
        "heads are not as wide as the model divided by their number": config.get(
            "head_dim", shape.width // shape.heads
        )
        * shape.heads
        != shape.width,
        "the rotary embedding is scaled": rope.get("rope_type", "default") != "default",
        "there are biases": bool(config.get("attention_bias") or config.get("mlp_bias")),
        "the activation is not SiLU": config.get("hidden_act", "silu") != "silu",
    }
    for said, is_so in unlike.items():
        if is_so:
            raise _other_kind(uri, said)
    return shape, _ids(config.get("eos_token_id"))


def _ids(value: Any) -> frozenset[int]:
    """One id, several, or none, as Hugging Face configs write them."""
    return frozenset(value if isinstance(value, list) else () if value is None else (value,))


def _shape(config: Mapping[str, Any]) -> LlamaShape:
    rope = config.get("rope_parameters") or {}
    return LlamaShape(
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        context=config["max_position_embeddings"],
        norm_eps=config["rms_norm_eps"],
        rope_theta=float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))),
    )


def _other_kind(uri: str, said: str) -> ConfigError:
    return ConfigError(
        f"`{uri}` is not a model of the lab's kind: {said}",
        why="the batch-invariant forward pass is written for plain Llama models",
        fix="open it with `hf:FOLDER`",
    )


def load_model(folder: Path, shape: LlamaShape, end: frozenset[int]) -> LoadedModel:
    """Read weights and tokenizer, in the worker thread."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    use_one_thread()
    try:
        named = load_file(folder / "model.safetensors")
        weights = gather_weights(shape, named)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        added = tokenizer.get_added_tokens_decoder().items()
        special = [number for number, token in added if token.special]
        refuse_misfit(largest_ordinary_id(tokenizer.get_vocab(), special), len(weights.embedding))
    except Exception as error:
        said = clean_detail(f"the lab's weights cannot be read: {error}")
        raise AttemptFailed("local", said) from error
    with torch.inference_mode():
        decoder = LlamaDecoder(weights, rows=_ROWS)
    detokenizer = Detokenizer(tokenizer.decode, byte_table(tokenizer, shape.vocabulary))
    ends = end | _other_ends(folder, tokenizer)
    return LoadedModel(decoder, detokenizer, ends, _Encoder(tokenizer, shape))


def _other_ends(folder: Path, tokenizer: Tokenizer) -> frozenset[int]:
    """What ends a text beside config.json's ids: those of generation_config.json and tokenizer."""
    ends = _ids(_optional_json(folder / "generation_config.json").get("eos_token_id"))
    named = _optional_json(folder / "tokenizer_config.json").get("eos_token")
    text = named.get("content") if isinstance(named, Mapping) else named
    return ends | _ids(tokenizer.token_to_id(text) if isinstance(text, str) else None)


def _optional_json(path: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    return found


def use_one_thread() -> None:
    """Let torch use one core in the calling thread, and as many as before in every other thread.

    With more, a product's bits depend on its number of rows. `set_num_threads` acts on the calling
    thread and on all threads that have not used torch yet; saying the old number again, from a
    thread that ends at once, leaves only the former.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    restore = threading.Thread(target=torch.set_num_threads, args=(before,))
    restore.start()
    restore.join()


class _Encoder:
    """From request to tokens; the tokenizer puts end-of-text in front, as in pretraining."""

    def __init__(self, tokenizer: Tokenizer, shape: LlamaShape) -> None:
        self._tokenizer = tokenizer
        self._shape = shape

    def __call__(self, request: Request, seed: int) -> Prompt:
        """The prompt's tokens, bounded by the context."""
        ids = self._tokenizer.encode(request.prompt or "").ids
        return sampled_prompt(request, seed, ids, self._shape.context, self._shape.vocabulary)
