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


SETTLED: Final = 5
"""Last rounds whose mean is taken for the limit of a loop."""
FORGOTTEN: Final = 0.07
"""Two loops have the same limit within this share of it; of seeds 0 to 39 none is above 0.055."""


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


def wide_orderings(found: Measured) -> list[Ordering]:
    """The statements about the fresh loop in many dimensions (2307.01850, figure 10)."""
    limits = {
        name: sum(row["w2"] for row in rounds[-SETTLED:]) / SETTLED
        for name, rounds in found.items()
    }
    ordered = []
    for bias in ("lambda=1", "lambda=.8"):
        pair = limits[f"first 100, {bias}"], limits[f"first 1000, {bias}"]
        same = abs(pair[0] / pair[1] - 1) <= FORGOTTEN
        name = f"fresh data, {bias}: the limit does not depend on the first model (100, 1,000 rows)"
        ordered.append(Ordering(name, same, pair))
    pair = limits["first 1000, lambda=1"], limits["first 1000, lambda=.8"]
    ordered.append(Ordering("fresh data: the limit is worse with biased sampling",
                            pair[0] < pair[1], pair))  # fmt: skip
    return ordered


def learned_orderings(found: Measured) -> list[Ordering]:
    """The statements about loops of models that generalise, such as transformers.

    Needs `tasks`, the share of documents that are right: the precision of 2307.01850. Nothing is
    said about unbiased distinct-2: models that get worse also write pairs that nobody writes.
    """
    return [*_tails(found), *_precision(found), *_sharpened(found)]


def _tails(found: Measured) -> Iterator[Ordering]:
    """Fully synthetic loses more of the tail, and more of the loss, than the other loops."""
    for arm in ("accumulate", "fresh 50 %"):
        for suffix in ("T=1", "T=.8"):
            mine, other = found[f"replace, {suffix}"][-1], found[f"{arm}, {suffix}"][-1]
            pair = mine["rare_recall"], other["rare_recall"]
            name = f"rare pairs left, {suffix}: fully synthetic < {arm}"
            yield Ordering(name, pair[0] < pair[1], pair)
            pair = mine["nll"], other["nll"]
            yield Ordering(f"loss, {suffix}: fully synthetic > {arm}", pair[0] > pair[1], pair)


def _precision(found: Measured) -> Iterator[Ordering]:
    """2307.01850, section 4: unbiased, precision falls with recall; biased, it holds or rises."""
    for suffix, falls in (("T=1", True), ("T=.8", False)):
        first, last = found[f"replace, {suffix}"][0], found[f"replace, {suffix}"][-1]
        numbers = first["tasks"], last["tasks"], first["rare_recall"], last["rare_recall"]
        right = last["tasks"] < first["tasks"] if falls else last["tasks"] >= first["tasks"]
        name = f"fully synthetic, {suffix}: right documents {'fall' if falls else 'do not fall'}"
        loses = last["rare_recall"] < first["rare_recall"]
        yield Ordering(f"{name} while rare pairs fall", right and loses, numbers)


def _sharpened(found: Measured) -> Iterator[Ordering]:
    """Biased sampling loses more in every loop."""
    last = {name: rounds[-1] for name, rounds in found.items()}
    for arm in ("replace", "accumulate", "fresh 50 %"):
        for metric, name in (("distinct_2", "distinct-2"), ("rare_recall", "rare pairs left")):
            pair = last[f"{arm}, T=.8"][metric], last[f"{arm}, T=1"][metric]
            yield Ordering(f"{name}, {arm}: T=.8 < T=1", pair[0] < pair[1], pair)
    low = last["replace, T=.8"]["distinct_2"]
    for arm in ("accumulate", "fresh 50 %"):
        pair = low, last[f"{arm}, T=.8"]["distinct_2"]
        yield Ordering(f"distinct-2, T=.8: fully synthetic < {arm}", pair[0] < pair[1], pair)
