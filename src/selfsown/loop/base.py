"""The base of a loop: who opens it, and whether it can write and be tuned, before time is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from selfsown.models.hf import has_chat_template
from selfsown.models.uri import open_model
from selfsown.train.plan import find_base, find_tokenizer
from selfsown.train.settings import TrainConfig, resolve
from selfsown.train.tokens import Encoder


class Based(Protocol):
    """What a config of any loop says about its base."""

    @property
    def base(self) -> str:
        """`lab`, a folder, or a name."""

    @property
    def backend(self) -> str:
        """What runs trained models: `lab`, `hf` or `auto`."""


def tuned_uri(config: Based, folder: Path) -> str:
    """The URI that opens a model tuned from the base."""
    backend = config.backend
    if backend == "auto":
        backend = "lab" if config.base.partition(":")[0] == "lab" else "hf"
    return f"{backend}:{folder}"


def base_uri(config: Based) -> str:
    """The URI of the base; a plain folder is opened like the models tuned from it."""
    folder = Path(config.base).expanduser()
    if (folder / "config.json").is_file():
        return tuned_uri(config, folder)
    is_named = ":" in config.base or config.base == "lab"
    return config.base if is_named else f"hf:{config.base}"


def check_base(config: Based, training: TrainConfig) -> None:
    """Refuse a base that could not be turned once round. No weights are loaded.

    Args:
        config: of the loop.
        training: one of a round, with any data.

    Raises:
        InputError: there is no such base; tokenizer and model do not fit or have no end of text;
            the wanted encoding or backend is none for this kind of model.
        MissingExtra: the packages of the backend are not installed.
    """
    folder = find_base(config.base)
    tokenizer = find_tokenizer(training, folder)
    resolve(training, has_chat_template=has_chat_template(tokenizer))
    for uri in dict.fromkeys((base_uri(config), tuned_uri(config, folder))):
        open_model(uri)
    Encoder(tokenizer, folder)
