"""What goes into a mixture: named files or runs, each with a weight."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.mixing.units import Kind

MAX_EPOCHS: Final = 4.0
"""arXiv:2305.16264: up to four epochs, repeated text is worth almost as much as new text."""
_NAME: Final = re.compile(r"\w[\w.-]*")
_FORM: Final = "NAME=PATH:WEIGHT, for example `web=docs/:2` or `easy=runs/easy:1`"


@dataclass(frozen=True, slots=True)
class MixSource:
    """One source and its part in the mixture."""

    name: str
    """A letter or digit, then letters, digits, `_`, `.` and `-`; names of a mixture differ."""
    path: Path
    """JSONL, JSON, CSV, Parquet, a text in another format, a folder of such, or a run directory."""
    weight: float = 1.0
    """Its tokens relative to those of the other sources; 0 leaves it out."""
    kind: Kind | None = None
    """Who wrote it, where nothing else says so; None: every row has to say it."""
    max_epochs: float = MAX_EPOCHS
    """How often each of its texts may come at most, on average."""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field → values: other rows stay out, for example of a run in several styles. Chunks that
    passed unchanged stay with the chunks beside them."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: one cannot be used.
        """
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"`{self.name}` cannot be the name of a source",
                why="names stand in every row and table of a mixture",
                fix="use letters and digits, then also `_`, `.` and `-`",
            )
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ConfigError(
                f"source `{self.name}` has the weight {self.weight}",
                why="weights are relative numbers of tokens",
                fix="use a number from 0 up",
            )
        if not (math.isfinite(self.max_epochs) and self.max_epochs > 0):
            raise ConfigError(
                f"source `{self.name}` may come {self.max_epochs} times",
                why="it is the most epochs over its texts",
                fix=f"use a number above 0, for example {MAX_EPOCHS:g}",
            )


def parse_source(text: str, kind: Kind | None = None, max_epochs: float = MAX_EPOCHS) -> MixSource:
    """A source as it is written on the command line: `NAME=PATH:WEIGHT`.

    Without `:WEIGHT` the weight is 1. Only a number behind the last colon is a weight.

    Raises:
        ConfigError: it has another form.
    """
    name, sign, rest = text.partition("=")
    if not sign or not rest:
        raise ConfigError(
            f"`{text}` is no source", why="a source has a name and a place", fix=f"write {_FORM}"
        )
    path, colon, weight = rest.rpartition(":")
    value = _number(weight) if colon else None
    if value is None:
        path, value = rest, 1.0
    return MixSource(name, Path(path), value, kind, max_epochs)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
