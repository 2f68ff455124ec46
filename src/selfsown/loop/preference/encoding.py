"""The text in which a policy is asked is the text in which it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.loop.base import base_uri
from selfsown.loop.preference.config import PreferenceLoopConfig
from selfsown.models.answer_tokens import AnswerEncoding
from selfsown.models.uri import open_model
from selfsown.recipes.preference.options import Options

_ENCODINGS: Final[Mapping[str, AnswerEncoding]] = {
    "bare": "verbatim",
    "task": "task",
    "plain": "plain",
}
"""Layout in which a completion model is asked -> encoding that trains on the same text."""


def encoding_of(config: PreferenceLoopConfig, options: Options) -> AnswerEncoding:
    """The encoding of pairs that writes a prompt as the policy is asked it.

    Raises:
        ConfigError: there is none, or the config names another.
    """
    if open_model(base_uri(config)).capabilities.chat:
        fitting: AnswerEncoding | None = "chat"
        asked = "with its chat template"
    else:
        fitting = _ENCODINGS.get(options.layout)
        asked = f"in layout `{options.layout}`"
    if fitting is None:
        raise ConfigError(
            f"loop config: the policy is asked {asked}, in which no pair can be trained on",
            why="a policy learns to answer in the very text that it is asked with",
            fix=f"set `options.layout` to {', '.join(f'`{one}`' for one in _ENCODINGS)}",
        )
    given = config.train.get("encoding", fitting)
    if given != fitting:
        raise ConfigError(
            f"loop config: the policy is asked {asked}, and `train.encoding` is `{given}`",
            why="it would be trained on one text and asked with another",
            fix=f"remove `train.encoding`: `{fitting}` is chosen",
        )
    return fitting
