"""What every simulated loop must show, whatever its digits: who loses more, and what hides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Measured = Mapping[str, Sequence[Mapping[str, float]]]
"""Arm → measurements of each round."""

SAME: Final = 1.25
"""A fixed human set is about as bad as none: within a quarter."""
LOSS_UP: Final = 0.25
"""Nats by which the loss of the accumulating, sharpened arm rises at most …"""
DIVERSITY_DOWN: Final = 0.4
"""… while it loses more than this share of its distinct pairs."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """One statement about the loops and whether the simulation bears it out."""

    name: str
    holds: bool
    numbers: tuple[float, ...]
    """What was compared, in the order of the name."""


def bigram_orderings(found: Measured) -> list[Ordering]:
    """The statements about the bigram world, from measurements of all arms."""
    return list(_orderings(found))


def _orderings(found: Measured) -> Iterator[Ordering]:
    last = {name: rounds[-1] for name, rounds in found.items()}
    distinct = {name: measured["distinct_2"] for name, measured in last.items()}
    replace, fixed = distinct["replace, T=1"], distinct["same fixed 10 %, T=1"]
    yield Ordering(
        "distinct-2: fully synthetic is about the same fixed 10 %",
        replace <= fixed <= SAME * replace,
        (replace, fixed),
    )
    chain = (
        fixed,
        distinct["fresh 10 %, T=1"],
        distinct["accumulate, T=1"],
        distinct["fresh 50 %, T=1"],
    )
    yield Ordering(
        "distinct-2: same fixed 10 % < fresh 10 % < accumulate <= fresh 50 %",
        chain[0] < chain[1] < chain[2] <= chain[3],
        chain,
    )
    for arm in ("replace", "accumulate", "fresh 10 %"):
        pair = distinct[f"{arm}, T=.8"], distinct[f"{arm}, T=1"]
        yield Ordering(f"distinct-2, {arm}: T=.8 < T=1", pair[0] < pair[1], pair)
    first, now = found["accumulate, T=.8"][0], last["accumulate, T=.8"]
    rise, fall = now["nll"] - first["nll"], 1 - now["distinct_2"] / first["distinct_2"]
    yield Ordering(
        "accumulate, T=.8: the loss hardly rises while distinct-2 falls by more than 40 %",
        rise < LOSS_UP and fall > DIVERSITY_DOWN,
        (rise, fall),
    )
    alone = last["replace, T=1"]["nll"] - found["replace, T=1"][0]["nll"]
    yield Ordering("loss: fully synthetic rises more than accumulate, T=.8", alone > rise,
                   (alone, rise))  # fmt: skip
