"""The loops that every simulated world goes through: what each generation is trained on.

A world knows how to draw human documents, fit a model, sample from it and measure. `run_arm` turns
the crank. A real model is a world like any other: the bigram and unigram worlds stand beside it in
`WORLDS`, and whoever trains one (the loop, on the lab) implements the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

DocumentsT = TypeVar("DocumentsT")
ModelT = TypeVar("ModelT")


class World(Protocol[DocumentsT, ModelT]):
    """A source of human documents and a kind of model that is fitted to documents."""

    @property
    def batch(self) -> int:
        """Documents of one round."""
        ...

    def human(self, count: int, draw: int) -> DocumentsT:
        """Human documents; another `draw` gives independent ones."""
        ...

    def joined(self, parts: list[DocumentsT]) -> DocumentsT:
        """Several sets of documents as one."""
        ...

    def fit(self, documents: DocumentsT) -> ModelT:
        """A model of the documents, trained from the beginning."""
        ...

    def sample(self, model: ModelT, count: int, temperature: float, draw: int) -> DocumentsT:
        """Documents of a model."""
        ...

    def measure(self, documents: DocumentsT, model: ModelT) -> Mapping[str, float]:
        """Diversity and tails of a round's documents, and `nll` of the model on human ones."""
        ...


@dataclass(frozen=True, slots=True)
class Arm:
    """One loop. What generation t is trained on, besides samples of generation t - 1."""

    name: str
    temperature: float = 1.0
    accumulate: bool = False
    """All earlier rounds, the first of which is human (augmentation)."""
    fresh_share: float = 0.0
    """Share of each round's documents that are new human ones."""
    fixed_share: float = 0.0
    """Share of each round's documents that are always the same human ones."""


ARMS: Final = (
    Arm("replace, T=1"),
    Arm("replace, T=.8", temperature=0.8),
    Arm("accumulate, T=1", accumulate=True),
    Arm("accumulate, T=.8", temperature=0.8, accumulate=True),
    Arm("fresh 10 %, T=1", fresh_share=0.1),
    Arm("fresh 50 %, T=1", fresh_share=0.5),
    Arm("same fixed 10 %, T=1", fixed_share=0.1),
    Arm("fresh 10 %, T=.8", temperature=0.8, fresh_share=0.1),
)
"""Fully synthetic, augmentation and fresh data, each unbiased and biased."""

WORLDS: Final[Mapping[str, str]] = {
    "unigram": "selfsown.guard.simulate.unigram:UnigramWorld",
    "bigram": "selfsown.guard.simulate.bigram:BigramWorld",
}
"""Name → class of a world, imported when it is used."""


def run_arm(
    world: World[DocumentsT, ModelT], arm: Arm, rounds: int = 8
) -> list[Mapping[str, float]]:
    """Measurements of rounds 0 to `rounds`, of each round's own output.

    Generation 0 is fitted to human documents; round 0 is its output. No round is measured on the
    documents it was trained on.
    """
    first = world.human(world.batch, draw=0)
    model = world.fit(first)
    pool = [first]
    fixed = round(arm.fixed_share * world.batch)
    fresh = round(arm.fresh_share * world.batch)
    constant = [world.human(fixed, draw=1)] if fixed else []
    found: list[Mapping[str, float]] = []
    for round_ in range(rounds + 1):
        output = world.sample(model, world.batch, arm.temperature, draw=round_)
        found.append(world.measure(output, model))
        made = world.sample(model, world.batch - fixed - fresh, arm.temperature, draw=1000 + round_)
        new = [world.human(fresh, draw=2 + round_)] if fresh else []
        batch = [*constant, *new, made]
        pool = [*pool, *batch] if arm.accumulate else batch
        model = world.fit(world.joined(pool))
    return found
