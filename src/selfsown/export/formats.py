"""Export formats by name: functions from `Example` to the row of a trainer's file.

A new one is one file and one line in `selfsown.extensions`; a package outside adds one as the entry
point `exporters.<name>`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.example import Example
from selfsown.extensions import EXPORTERS, load_extension

Format: TypeAlias = Callable[[Example], dict[str, JSON]]

FORMATS: Final = EXPORTERS
"""Format name -> where its function is."""


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
