"""`hf:PATH-OR-NAME`: any causal language model of transformers, in this process.

A name that is no folder is looked up in the Hugging Face cache (`HF_HOME`, `HF_HUB_CACHE`). Nothing
is downloaded unless `options: {download: true}` asks for it and `HF_HUB_OFFLINE` does not forbid
it.

Rows that start together are padded on the left and share every matrix product, so a row's logits
differ in their last bits with its neighbours. Every call has its own seed and its own random
numbers, and tokens are looked up so that such differences rarely matter (see
`models/sampling.py`). What is left, measured on the lab's weights between one row at a time and
sixteen (`benchmarks/local_generation.py`): in fp32 1 text of 1,000 changes, in bf16 one in five.
Where that matters, set `options: {dtype: float32}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from selfsown.core.errors import ConfigError
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import JSON, Request
from selfsown.models.architecture import refuse_no_writer
from selfsown.models.batching import LoadedModel
from selfsown.models.failures import clean_detail
from selfsown.models.fingerprint import model_hash
from selfsown.models.generate import Prompt
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
from selfsown.models.transformers_decoder import TransformersDecoder

_T = TypeVar("_T", str, int, bool)
_OPTIONS: Final = ("device", "download", "dtype", "revision", "rows")
_DTYPES: Final = ("auto", "float32", "bfloat16", "float16")
_FETCHED: Final = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]
_FETCHED_INSTEAD: Final = ["pytorch_model*.bin"]
"""Where a repository has no safetensors."""
_LINGER_S: Final = 0.01
"""An idle worker waits so long for calls to start with the first one; a step of a small model takes
as long."""


def open_hf(settings: ModelSettings) -> LocalModel:
    """A transformers model. Its files are hashed now and read at the first call.

    Options: `device` (`cuda`, `cpu`, ...; the first GPU if there is one), `dtype` (`auto`, the
    default: as stored; `float32`, `bfloat16`, `float16`), `rows` (most calls at a time; 64 on a
    GPU, else 16), `download` (fetch a model that is not in the cache), `revision` (of a hub model).

    Raises:
        ConfigError: no such folder or cached model, one that writes no text, or an unknown option.
        MissingExtra: torch or transformers is not installed.
    """
    uri = str(settings.uri)
    require_packages(uri, "torch", "transformers")
    refuse_options(settings, _OPTIONS)
    dtype = _option(settings, "dtype", str, "auto")
    if dtype not in _DTYPES:
        raise ConfigError(
            f"`{uri}`: option `dtype` is `{dtype}`",
            why=f"it must be one of {', '.join(f'`{name}`' for name in _DTYPES)}",
            fix="leave it out to use the weights as they are stored",
        )
    rows = _option(settings, "rows", int, 0)
    folder = _find_folder(settings)
    config = _read_json(folder / "config.json", uri)
    refuse_no_writer(folder, uri)
    text_config = config.get("text_config") or config
    context = settings.context_tokens or text_config.get("max_position_embeddings")
    is_chat = _is_chat(settings, folder)
    identity = f"hf:sha256:{model_hash(folder)}" + ("" if dtype == "auto" else f":{dtype}")
    about = LocalDescription(
        uri=uri,
        identity=settings.identify(identity),
        name=settings.uri.name if _is_hub_name(settings.uri.name) else folder.name,
        capabilities=Capabilities(
            chat=is_chat,
            completion=True,
            seed=True,
            local=True,
            context_tokens=context,
        ),
        folder=folder,
    )
    device = _option(settings, "device", str, "")
    return LocalModel(
        about, lambda: _load(folder, device, dtype, rows, context), linger_s=_LINGER_S
    )


def _find_folder(settings: ModelSettings) -> Path:
    """The folder itself, the snapshot in the cache, or a fresh download if it was asked for."""
    name, uri = settings.uri.name, str(settings.uri)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not _is_hub_name(name):
        raise ConfigError(
            f"`{uri}`: no such folder",
            why="a model folder has config.json, tokenizer files and weights",
            fix="check the path, or give the name of a model in the Hugging Face cache",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    download = _option(settings, "download", bool, False)
    revision = _option(settings, "revision", str, "") or None
    try:
        found = Path(
            snapshot_download(
                name, revision=revision, local_files_only=not download, allow_patterns=_FETCHED
            )
        )
        if download and not any(found.glob("*.safetensors")):
            snapshot_download(name, revision=revision, allow_patterns=_FETCHED_INSTEAD)
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        asked = "and could not be fetched" if download else "and nothing is downloaded unasked"
        raise ConfigError(
            f"`{uri}`: neither a folder nor in the Hugging Face cache, {asked}",
            why=str(error).partition("\n")[0],
            fix="check the network, the name and HF_HUB_OFFLINE"
            if download
            else f"hf download {name}, or set `options: {{download: true}}`",
        ) from error
    return found


def _is_hub_name(name: str) -> bool:
    """Whether a name may be looked up in the cache: `NAME` or `OWNER/NAME`, and no such file."""
    path = Path(name).expanduser()
    return not path.exists() and not path.is_absolute() and not name.startswith(".")


def _load(folder: Path, device: str, dtype: str, rows: int, context: int | None) -> LoadedModel:
    """Read weights and tokenizer, in the worker thread."""
    import torch
    import transformers

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with _quiet():
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        size = model.get_input_embeddings().num_embeddings
        special = special_tokens(tokenizer)
        refuse_misfit(largest_ordinary_id(tokenizer.get_vocab(), special), size)
        model = model.to(device).eval()
    except Exception as error:  # whatever transformers raises: the user learns which folder and why
        said = clean_detail(f"`{folder.name}` cannot be loaded: {error}")
        raise AttemptFailed("local", said) from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    detokenizer = Detokenizer(
        _decoder_of(tokenizer), byte_table(backend, size) if backend is not None else None
    )
    decoder = TransformersDecoder(model, rows=rows or (64 if device.startswith("cuda") else 16))
    encoder = _Encoder(tokenizer, context, size)
    return LoadedModel(decoder, detokenizer, _end_ids(model, tokenizer), encoder)


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """Id → text of every special token of a transformers tokenizer, named or not.

    Marks of turns and roles are often special without being among the named ones.
    """
    named = zip(tokenizer.all_special_ids, map(str, tokenizer.all_special_tokens), strict=True)
    added = tokenizer.added_tokens_decoder
    if not isinstance(added, Mapping):  # mistral-common's tokenizer does not tell
        return dict(named)
    return dict(named) | {number: str(one) for number, one in added.items() if one.special}


def _decoder_of(tokenizer: Any) -> Callable[[Any], str]:
    def decode(ids: Any) -> str:
        text: str = tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    return decode


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids that end an answer: those of generation_config.json, config.json and the tokenizer."""
    found: set[int] = set()
    for source in (getattr(model, "generation_config", None), model.config, tokenizer):
        ids = getattr(source, "eos_token_id", None)
        found.update(ids if isinstance(ids, (list, tuple)) else () if ids is None else (ids,))
    return frozenset(found)


class _Encoder:
    """From request to tokens: a bare prompt as it is, messages through the chat template."""

    def __init__(self, tokenizer: Any, context: int | None, embeddings: int) -> None:
        self._tokenizer = tokenizer
        self._context, self._embeddings = context, embeddings

    def __call__(self, request: Request, seed: int) -> Prompt:
        """The prompt's tokens, bounded by the context."""
        if request.prompt is not None:
            ids = self._tokenizer(request.prompt)["input_ids"]
        else:
            ids = self._apply_template(request)
        return sampled_prompt(request, seed, list(ids), self._context, self._embeddings)

    def _apply_template(self, request: Request) -> list[int]:
        turns = [{"role": turn.role, "content": turn.text} for turn in request.messages]
        try:
            text = self._tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=False
            )
        except Exception as error:  # templates raise errors of their own for roles they do not know
            said = clean_detail(f"the chat template refuses the messages: {error}")
            raise AttemptFailed("bad_request", said) from error
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _is_chat(settings: ModelSettings, folder: Path) -> bool:
    """Whether messages are taken: where there is a chat template, unless a base model is wished."""
    if settings.layout == "completion":
        return False
    has_template = has_chat_template(folder)
    if settings.layout == "chat" and not has_template:
        raise ConfigError(
            f"`{settings.uri}` has no chat template, and `layout` is `chat`",
            why="how messages are written for a model is decided by its template",
            fix="remove `layout`, or add `chat_template.jinja` to the folder",
        )
    return has_template


def has_chat_template(folder: Path) -> bool:
    """Whether a tokenizer folder has a chat template.

    Raises:
        ConfigError: its `tokenizer_config.json` cannot be read.
    """
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(_read_json(path, str(folder)).get("chat_template"))


def _read_json(path: Path, uri: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"`{uri}`: `{path}` cannot be read",
            why="a model folder has config.json, tokenizer files and weights",
            fix="check the folder",
        ) from error
    return found


def _option(settings: ModelSettings, key: str, kind: type[_T], default: _T) -> _T:
    value: JSON = settings.options.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and (isinstance(value, bool) or value < 1)):
        raise ConfigError(
            f"`{settings.uri}`: option `{key}` is `{value!r}`",
            why=f"it must be of type {kind.__name__}" + (" and above 0" if kind is int else ""),
            fix=f"correct or remove `{key}`",
        )
    return value


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars that transformers writes while it loads."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
