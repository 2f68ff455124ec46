"""`selfsown.json` in a model folder: how many trainings on machine data stand behind the model.

`model_depth` of a model is 0 if it was never trained on machine data of this engine, else one more
than the deepest of its training set and its base. Records that it generates carry its depth.
"""

from __future__ import annotations

import operator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import InputError
from selfsown.models.fingerprint import model_hash

LINEAGE: Final = "selfsown.json"


@dataclass(frozen=True, slots=True)
class ModelLineage:
    """Where a tuned model comes from."""

    model_hash: str
    """Of weights, tokenizer and config; it changes with any of them."""
    model_depth: int
    human_share: float
    """Of the tokens of the mixture trained on, in [0, 1]."""
    base: str
    """The base as it was named."""
    base_hash: str
    base_depth: int
    training_depth: int
    """The deepest record of the training set."""
    epochs: float


def write_lineage(folder: Path, lineage: ModelLineage) -> None:
    """Write `selfsown.json` into a model folder that is not in use yet."""
    form = {"version": 1, "kind": "model", **asdict(lineage)}
    (folder / LINEAGE).write_bytes(orjson.dumps(form, option=orjson.OPT_INDENT_2) + b"\n")


def read_lineage(folder: Path) -> ModelLineage | None:
    """What `selfsown.json` says; None where there is none: a model of depth 0.

    Raises:
        InputError: it is damaged, or the files of the model are not those it was written for.
    """
    path = folder / LINEAGE
    if not path.is_file():
        return None
    try:
        form = orjson.loads(path.read_bytes())
        form.pop("version"), form.pop("kind")
        lineage = ModelLineage(**form)
        operator.index(lineage.model_depth)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"`{path}` cannot be read",
            why="it says which trainings stand behind the model",
            fix="train the model again, or restore the file",
        ) from error
    if lineage.model_hash != model_hash(folder):
        raise InputError(
            f"the model in `{folder}` is not the one that `{LINEAGE}` describes",
            why="weights, tokenizer or config were changed after the training",
            fix="restore them, or remove the file to have the folder taken as a base model",
        )
    return lineage
