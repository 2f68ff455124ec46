"""The loops that every simulated world goes through: what each generation is trained on.

A world knows how to draw human documents, fit a model, sample from it and measure. `run_arms` turns
the crank. A real model is a world like any other: whoever trains one implements the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

Rounds = Sequence[Mapping[str, float]]
"""Measurements of round 0, 1, ..."""


def run_arms(
    world: World[DocumentsT, ModelT],
    arms: Sequence[Arm] = ARMS,
    rounds: int = 8,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Rounds]:
    """Arm → measurements of rounds 0 to `rounds`, of each round's own output.

    Generation 0 is fitted to human documents, once for all arms; round 0 is its output. No round is
    measured on the documents it was trained on.
    """
    human = world.human(world.batch, draw=0)
    first = world.fit(human)
    found: dict[str, Rounds] = {}
    for number, arm in enumerate(arms, 1):
        tell(f"{arm.name}, loop {number} of {len(arms)}")
        found[arm.name] = _turn(world, arm, human, first, rounds)
    return found


def _turn(
    world: World[DocumentsT, ModelT], arm: Arm, human: DocumentsT, model: ModelT, rounds: int
) -> list[Mapping[str, float]]:
    """One arm, from generation 0 and what it was fitted to."""
    pool = [human]
    fixed = round(arm.fixed_share * world.batch)
    fresh = round(arm.fresh_share * world.batch)
    constant = [world.human(fixed, draw=1)] if fixed else []
    found: list[Mapping[str, float]] = []
    for round_ in range(rounds + 1):
        if round_:
            draw = 999 + round_
            made = world.sample(model, world.batch - fixed - fresh, arm.temperature, draw=draw)
            new = [world.human(fresh, draw=1 + round_)] if fresh else []
            batch = [*constant, *new, made]
            pool = [*pool, *batch] if arm.accumulate else batch
            model = world.fit(world.joined(pool))
        output = world.sample(model, world.batch, arm.temperature, draw=round_)
        found.append(world.measure(output, model))
    return found
