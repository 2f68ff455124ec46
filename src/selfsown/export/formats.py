"""Every export format on one screen: its name, its columns, the function that makes a row.

A format is a function from `Example` to the row of a trainer's file. A new one is one file and one
line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.alpaca import to_alpaca
from selfsown.export.example import Example
from selfsown.export.messages import to_messages
from selfsown.export.prompt_completion import to_conversational, to_prompt_completion
from selfsown.export.sharegpt import to_sharegpt
from selfsown.export.text import to_text

Format: TypeAlias = Callable[[Example], dict[str, JSON]]

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "messages": to_messages,  # messages
        "prompt-completion": to_prompt_completion,  # prompt, completion as text
        "prompt-completion-chat": to_conversational,  # prompt, completion as turns
        "alpaca": to_alpaca,  # instruction, input, output
        "sharegpt": to_sharegpt,  # conversations
        "text": to_text,  # text
    }
)


def find_format(name: str) -> Format:
    """The format of this name.

    Raises:
        InputError: there is none.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise InputError(
            f"unknown export format `{name}`",
            why="each format writes the columns of one family of trainers",
            fix="choose one of: " + ", ".join(FORMATS),
        ) from None
