"""The row type in which the list, sentence, pair and building tasks are tabulated."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Solver = Callable[[str, str], str]
"""`solve(input, argument) -> answer`; the input is known to be valid."""
Validator = Callable[[str, str], bool]
"""`is_valid(input, argument)`."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One hand-written task; the fields mean what they mean in `Family`."""

    name: str
    kind: str
    phrasings: tuple[str, ...]
    solve: Solver
    arguments: tuple[str, ...] = ("",)
    is_classification: bool = False
    sampler: Callable[[random.Random, str], str] | None = None
    validator: Validator | None = None
