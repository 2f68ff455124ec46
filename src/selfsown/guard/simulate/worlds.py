"""The worlds in which the loops are turned, and what is said and drawn of each.

A world that trains real models needs rooms above this one; it stands there as another `Experiment`
(`selfsown.loop.lab_world`), and the command hands it over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from selfsown.guard.simulate.bigram import BigramWorld
from selfsown.guard.simulate.loops import ARMS, Arm, Rounds, World
from selfsown.guard.simulate.orderings import Ordering, bigram_orderings
from selfsown.guard.simulate.unigram import UnigramWorld


@dataclass(frozen=True, slots=True)
class Plot:
    """A metric as a chart, once for unbiased and once for sharpened sampling."""

    metric: str
    name: str
    """What it is in words."""
    caption: str
    axis: str = "share"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A world, its loops, and what must hold in it."""

    make: Callable[[int], World[Any, Any]]
    """From a seed."""
    plots: Sequence[Plot]
    rounds: int = 8
    """The orderings are stated only after so many rounds."""
    arms: Sequence[Arm] = ARMS
    fresh: str = "fresh 10 %"
    """The loop with fresh data that is drawn beside the other two."""
    orderings: Callable[[Mapping[str, Rounds]], list[Ordering]] = lambda found: []
    cost: str = ""
    """What to expect before it starts; empty for seconds."""


WORLDS: Final[Mapping[str, Experiment]] = {
    "unigram": Experiment(
        UnigramWorld,
        (
            Plot("distinct_1", "distinct words", "Different words among all words of a round."),
            Plot("rare_recall", "rare words left", "Rare human words that a round still produces."),
        ),
    ),
    "bigram": Experiment(
        BigramWorld,
        (
            Plot("distinct_2", "distinct pairs", "Different word pairs among all of a round."),
            Plot("rare_recall", "rare pairs left", "Rare human pairs that a round still produces."),
            Plot("nll", "loss", "On held-out human text: it hides what the other charts show.",
                 "nats"),
        ),
        orderings=bigram_orderings,
    ),
}  # fmt: skip
"""The worlds that take seconds."""
