"""Human and machine records in one training set, by tokens.

Every part has a number of repeats per epoch. A wanted share of human tokens scales the repeats of
the human parts; the machine parts stay as they are. Repeats that are no whole number are made of
whole passes and a random part of one more.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from selfsown.core.errors import InputError
from selfsown.train.encode import Pair
from selfsown.train.records import Origin

RandomFor = Callable[[str], random.Random]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the training set."""

    id: str
    """Of the record."""
    text: Pair
    """What is trained on, special tokens included."""
    input_ids: tuple[int, ...]
    prompt_tokens: int
    """The first so many tokens carry no loss."""
    origin: Origin
    model_depth: int


class Written(Protocol):
    """A row of any kind of training: who wrote it."""

    @property
    def origin(self) -> Origin:
        """Human or machine."""

    @property
    def model_depth(self) -> int:
        """Trainings on machine data behind the model that wrote it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One source in the mixture."""

    name: str
    origin: Origin
    repeat: float
    """How often it occurs in one epoch."""
    rows: tuple[Row, ...]

    @property
    def tokens(self) -> int:
        """Tokens of one pass, prompts included."""
        return sum(len(row.input_ids) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Share:
    """What one part contributes to an epoch."""

    name: str
    origin: Origin
    distinct_rows: int
    rows: int
    """With repeats."""
    tokens: int
    """Prompts included, with repeats."""
    completion_tokens: int
    repeat: float
    share: float
    """Of all tokens, in [0, 1]."""


def scale_human(parts: Sequence[Part], human_share: float) -> list[Part]:
    """The parts with human repeats such that the wanted share of tokens is human.

    Args:
        parts: at least one human and one machine part, none of them empty.
        human_share: in (0, 1).

    Raises:
        InputError: there is no human or no machine part.
    """
    weight = {
        origin: sum(part.tokens * part.repeat for part in parts if part.origin == origin)
        for origin in ("human", "machine")
    }
    for origin, tokens in weight.items():
        if not tokens:
            raise InputError(
                f"a human share of {human_share} is wanted, and there are no {origin} records",
                why="the share is reached by repeating human records beside machine records",
                fix="add a source with `--human FILE`"
                if origin == "human"
                else "leave out the share: the training set is all human",
            )
    factor = human_share / (1 - human_share) * weight["machine"] / weight["human"]
    return [
        replace(part, repeat=part.repeat * factor) if part.origin == "human" else part
        for part in parts
    ]


def mix(parts: Sequence[Part], rng_for_part: RandomFor) -> tuple[list[Row], list[Share]]:
    """The rows of one epoch, shuffled, and what each part contributes.

    Args:
        parts: in any order; the order matters for the draw.
        rng_for_part: a generator for a purpose; the same purpose, the same sequence.
    """
    rows: list[Row] = []
    drawn: list[list[Row]] = []
    for number, part in enumerate(parts):
        drawn.append(_repeated(part, rng_for_part(f"repeat {number}")))
        rows += drawn[-1]
    total = sum(len(row.input_ids) for row in rows)
    rng_for_part("shuffle").shuffle(rows)
    return rows, [_share(part, own, total) for part, own in zip(parts, drawn, strict=True)]


def human_token_share(shares: Sequence[Share]) -> float:
    """Share of human tokens in an epoch, in [0, 1]; epochs repeat all parts alike."""
    total = sum(share.tokens for share in shares)
    return sum(share.tokens for share in shares if share.origin == "human") / total


def depth_after(base_depth: int, rows: Sequence[Written]) -> int:
    """The depth of a model tuned on these rows: trainings on machine data that stand behind it."""
    machine = [row.model_depth for row in rows if row.origin == "machine"]
    return 1 + max(base_depth, *machine) if machine else base_depth


def _repeated(part: Part, rng: random.Random) -> list[Row]:
    """Whole passes, then rows in random order until the rest of the tokens is reached."""
    whole = int(part.repeat)
    rows = list(part.rows) * whole
    wanted = (part.repeat - whole) * part.tokens
    taken = 0
    for row in rng.sample(part.rows, len(part.rows)):
        if taken + len(row.input_ids) / 2 > wanted:
            break
        rows.append(row)
        taken += len(row.input_ids)
    return rows


def _share(part: Part, rows: Sequence[Row], total: int) -> Share:
    tokens = sum(len(row.input_ids) for row in rows)
    return Share(
        name=part.name,
        origin=part.origin,
        distinct_rows=len(part.rows),
        rows=len(rows),
        tokens=tokens,
        completion_tokens=tokens - sum(row.prompt_tokens for row in rows),
        repeat=part.repeat,
        share=tokens / total if total else 0.0,
    )
