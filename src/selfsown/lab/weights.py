"""Where the lab model's weights lie, and the hash that identifies them."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from selfsown.core.errors import InputError

HASHED_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
"""Files that determine a model's answers; the model card is not among them."""


def weights_folder() -> Path:
    """The folder of the shipped weights, in Hugging Face form."""
    return Path(str(files("selfsown.lab").joinpath("weights")))


def weights_hash(folder: Path) -> str:
    """sha256 over names and contents of the files that determine the answers.

    Files of `HASHED_FILES` that do not exist are skipped, so that folders of other models work too.

    Raises:
        InputError: there is no `model.safetensors` in the folder.
    """
    if not (folder / "model.safetensors").is_file():
        raise InputError(
            f"`{folder}` has no `model.safetensors`",
            why="a model folder holds its weights in that file",
            fix="give the folder that `selfsown lab pretrain` wrote",
        )
    digest = hashlib.sha256()
    for name in HASHED_FILES:
        path = folder / name
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
