"""Texts as points by a local encoder: the mean of its last layer over the tokens, of length 1.

Any folder that transformers opens with `AutoModel`, in float32. That is how sentence encoders such
as the MiniLM and E5 families are meant to be read; what they want put before a text is the
caller's.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from selfsown.core.errors import InputError
from selfsown.models.fingerprint import model_hash
from selfsown.models.local import require_packages

Vector: TypeAlias = "array[float]"
"""float32, of length 1."""

_BATCH: Final = 32
_LONGEST: Final = 512
"""Tokens of a text that are read, where the model does not say how many it takes."""


class Embedder:
    """A loaded encoder."""

    def __init__(self, folder: Path) -> None:
        """Load an encoder; nothing is downloaded.

        Raises:
            InputError: the folder is absent or cannot be loaded.
            MissingExtra: torch or transformers is not installed.
        """
        if not (folder / "config.json").is_file():  # else transformers takes it for a name
            raise _unusable(folder, "it has no config.json")
        require_packages(str(folder), "torch", "transformers")
        self._model, self._tokenizer = _load(folder)
        self.identity = model_hash(folder)
        """Hash of its files."""
        config = self._model.config.get_text_config()
        self._longest = min(_LONGEST, getattr(config, "max_position_embeddings", _LONGEST))

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A point per text; what is beyond the model's context is not read."""
        found: dict[int, Vector] = {}
        order = sorted(range(len(texts)), key=lambda number: (len(texts[number]), number))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors = self._embedded([texts[number] for number in batch])
            found.update(zip(batch, vectors, strict=True))
        return [found[number] for number in range(len(texts))]

    def _embedded(self, texts: Sequence[str]) -> list[Vector]:
        import torch
        from torch.nn.functional import normalize

        rows = [self._tokenizer(text)["input_ids"][: self._longest] or [0] for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])  # (B, T)
        real = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            states = self._model(input_ids=ids, attention_mask=real).last_hidden_state  # (B, T, D)
        mask = real[:, :, None]
        points = normalize((states * mask).sum(1) / mask.sum(1))  # (B, D)
        return [array("f", point) for point in points.tolist()]


def _load(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer, logging

    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # whatever transformers and safetensors raise for a broken folder
        raise _unusable(folder, str(error).partition("\n")[0]) from error
    return model.eval(), tokenizer


def _unusable(folder: Path, what: str) -> InputError:
    return InputError(
        f"the encoder in `{folder}` cannot be loaded: {what}",
        why="texts are placed by it, and nothing is downloaded unasked",
        fix="give a folder with config.json, tokenizer and *.safetensors",
    )
