"""Every export format on one screen: its name and where the function is that makes its rows.

A format is a function from `Example` to the row of a trainer's file. A new one is one file and one
line here; a package outside adds one as the entry point `exporters.<name>` (see `extensions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.example import Example
from selfsown.extensions import load_extension

Format: TypeAlias = Callable[[Example], dict[str, JSON]]

FORMATS: Final[dict[str, str]] = {
    "messages": "selfsown.export.messages:to_messages",
    "prompt-completion": "selfsown.export.prompt_completion:to_prompt_completion",
    "prompt-completion-chat": "selfsown.export.prompt_completion:to_conversational",
    "alpaca": "selfsown.export.alpaca:to_alpaca",
    "sharegpt": "selfsown.export.sharegpt:to_sharegpt",
    "text": "selfsown.export.text:to_text",
}


def find_format(name: str) -> Format:
    """The format of this name.

    Raises:
        InputError: there is none.
    """
    found = load_extension("exporters", FORMATS, name)
    if found is None:
        raise InputError(
            f"unknown export format `{name}`",
            why="each format writes the columns of one family of trainers",
            fix="choose one of: " + ", ".join(FORMATS),
        )
    return found
