"""The reference policy of DPO: which weights a training stays close to, found and checked.

`initial` is the policy from which the first of a chain of DPO trainings started, whatever came
since: the chain's total drift is bounded. `previous` is the base of this training: each step is
bounded, the sum is not. `ema` moves with the training, and goes on where the base's own moving
reference ended. Anything else names a model.

Sources: RLHF Workflow (arXiv:2405.07863) keeps the initial policy in text and in the maintainers'
answers, while its scripts take the previous one; Self-Rewarding Language Models (arXiv:2401.10020)
takes the previous one. We default to the initial one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.models.fingerprint import decisive_files, model_hash

Kind = Literal["initial", "previous", "ema", "named"]

KEY: Final = "reference"
"""Key of `training.json`: kind, folder and hash."""
POLICY: Final = "policy"
"""Key of `training.json`: folder and hash of the model that the training started from."""
MOVED: Final = "reference"
"""Folder in a model's folder: the moving reference where its training ended."""
_WEIGHTS: Final = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True)
class Reference:
    """A policy, as the training begins."""

    kind: Kind
    folder: Path
    model_hash: str

    @property
    def identity(self) -> dict[str, JSON]:
        """What of it decides the weights of the training."""
        return {"kind": self.kind, "model": self.model_hash}


def make_reference(
    wanted: str | None, base: Path, named: Path | None, record: Mapping[str, JSON]
) -> Reference:
    """Find the reference policy and check that it can be one.

    Args:
        wanted: `initial`, `previous`, `ema` or a model; None for `initial`.
        base: folder of the model that the training starts from.
        named: folder of `wanted`, where that is a model.
        record: `training.json` of the base; empty if there is none.

    Raises:
        InputError: the policy or its weights are not there, are not those that were recorded, or
            have another tokenizer.
    """
    kind: Kind = "initial"
    folder = base
    if named is not None:
        kind, folder = "named", named
    elif wanted == "previous":
        kind = "previous"
    elif wanted == "ema":
        kind = "ema"
        folder = base / MOVED if (base / MOVED / "config.json").is_file() else base
    else:
        folder = _initial(base, record)
    if not any(path.suffix in _WEIGHTS for path in decisive_files(folder)):
        raise InputError(
            f"the reference policy `{folder}` has no weights",
            why="DPO compares every answer's likelihood with the reference's",
            fix="restore its *.safetensors, or name another with `--reference MODEL`",
        )
    if folder != base:
        _refuse_other_tokenizer(folder, base)
    return Reference(kind, folder, model_hash(folder))


def _initial(base: Path, record: Mapping[str, JSON]) -> Path:
    """Where the chain of DPO trainings behind a base began; the base itself if it had none."""
    folder, seen = base, {base}
    while isinstance(record.get(KEY), Mapping):
        start = record[POLICY]
        assert isinstance(start, Mapping)
        folder = Path(str(start["folder"]))
        if not (folder / "config.json").is_file() or model_hash(folder) != start["model_hash"]:
            raise InputError(
                f"the initial policy `{folder}` is gone, or is not what it was",
                why=f"`{base}` was trained from it, and reference `initial` stays close to it",
                fix="restore the folder, name its copy with `--reference MODEL`, or choose"
                " `--reference previous`",
            )
        assert folder not in seen  # a hash cannot lead to itself
        seen.add(folder)
        path = folder / "training.json"
        record = orjson.loads(path.read_bytes()) if path.is_file() else {}
    return folder


def _refuse_other_tokenizer(folder: Path, base: Path) -> None:
    sizes = [_embeddings(one) for one in (folder, base)]
    own, other = (_vocabulary(one) for one in (folder, base))
    if sizes[0] != sizes[1] or (own and other and own != other):
        raise InputError(
            f"the reference policy `{folder}` and the base `{base}` have different tokenizers",
            why="the same tokens are compared under both: with another vocabulary they are other"
            " words",
            fix="name a reference that was tuned from the same model as the base",
        )


def _embeddings(folder: Path) -> JSON:
    config: dict[str, Any] = orjson.loads((folder / "config.json").read_bytes())
    size: JSON = config.get("vocab_size") or config.get("text_config", {}).get("vocab_size")
    return size


def _vocabulary(folder: Path) -> JSON:
    """What `tokenizer.json` says of pieces and merges; None where there is none."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    form: dict[str, JSON] = orjson.loads(path.read_bytes())
    return [form.get("model"), form.get("added_tokens")]
