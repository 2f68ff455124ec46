"""The identity of a local model: a hash over the files of its folder that determine its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DECISIVE: Final = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
)
_hashes: dict[tuple[str, int, int], str] = {}
"""(path, modification time, size) -> sha256; large weights are read once per process."""


def model_hash(folder: Path) -> str:
    """sha256, in hex, over names and contents of config, tokenizer, chat template and weights.

    Model cards, training state and other files do not count. Where there are safetensors, older
    copies of the weights in `.bin` files do not count either, since they are not read.
    """
    whole = hashlib.sha256()
    for path in sorted(decisive_files(folder), key=lambda path: path.name):
        whole.update(f"{path.name}\0{_file_hash(path)}\n".encode())
    return whole.hexdigest()


def decisive_files(folder: Path) -> Iterable[Path]:
    """The files of a model folder that its answers depend on."""
    named = [folder / name for name in _DECISIVE if (folder / name).is_file()]
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    return [*named, *sorted(folder.glob("*.model")), *weights]


def _file_hash(path: Path) -> str:
    facts = path.stat()
    key = (str(path.resolve()), facts.st_mtime_ns, facts.st_size)
    if key not in _hashes:
        with path.open("rb") as file:
            _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashes[key]
