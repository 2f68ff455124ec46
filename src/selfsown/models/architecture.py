"""Whether a model folder holds a model that writes text: a reward model's weights look like one.

transformers would open it all the same, with random numbers in place of the head that it lacks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import ConfigError

_NO_WRITERS: Final = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")


def refuse_no_writer(folder: Path, name: str) -> None:
    """Stop if a folder holds a reward model or another one that writes no text.

    A folder whose config.json cannot be read passes: whoever opens it says so.

    Args:
        folder: of the model.
        name: of it, as the user gave it.

    Raises:
        ConfigError: it writes no text.
    """
    try:
        config = orjson.loads((folder / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return
    names = (config.get("architectures") if isinstance(config, dict) else None) or [""]
    if str(names[0]).endswith(_NO_WRITERS):
        raise ConfigError(
            f"`{name}` writes no text: its architecture is `{names[0]}`",
            why="a reward model has a score where a language model has its next word",
            fix="give the language model; a reward model scores, as `scorer: reward` with"
            " `scorer_options: {model: FOLDER}`",
        )
