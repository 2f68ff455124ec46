"""The whole study behind `selfsown mad`: closed forms, phase transition, loops, orderings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Final

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.guard.sample import check_numpy
from selfsown.guard.simulate.closed_forms import ClosedForm, closed_forms
from selfsown.guard.simulate.gaussian import accumulate_loop, fresh_loop, replace_loop
from selfsown.guard.simulate.loops import ARMS, WORLDS, World, run_arm
from selfsown.guard.simulate.orderings import Ordering, bigram_orderings
from selfsown.guard.simulate.phase import Worth, worth

Rounds = Sequence[Mapping[str, float]]

GAUSSIAN_N: Final = 100
GAUSSIAN_ROUNDS: Final = 30
PHASE_REAL: Final = 1000
ORDERED_ROUNDS: Final = 8
"""Rounds after which the orderings are stated; no others are checked."""
PHASE: Final[Mapping[float, Sequence[int]]] = {
    0.7: (10, 25, 50, 100, 200, 400),
    0.85: (10, 50, 100, 267, 500),
    1.0: (10, 100, 250, 500),
}
"""lambda → amounts of synthetic rows beside 1,000 human ones."""


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that was simulated."""

    seed: int
    closed_forms: Sequence[ClosedForm]
    phase: Sequence[Worth]
    loops: Mapping[str, Mapping[str, Rounds]]
    """World → arm → measurements of each round."""
    orderings: Sequence[Ordering]

    @property
    def holds(self) -> bool:
        """Whether theory and simulation agree everywhere."""
        return all(form.holds for form in self.closed_forms) and all(
            ordering.holds for ordering in self.orderings
        )

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON values."""
        return {
            "seed": self.seed,
            "closed_forms": [asdict(form) for form in self.closed_forms],
            "phase": [_worth_form(one) for one in self.phase],
            "orderings": [asdict(ordering) for ordering in self.orderings],
            "loops": {
                world: {arm: [dict(row) for row in rounds] for arm, rounds in arms.items()}
                for world, arms in self.loops.items()
            },
        }


def run_study(seed: int = 0, rounds: int = 8, worlds: Sequence[str] = tuple(WORLDS)) -> Study:
    """Simulate everything; about 5 CPU-seconds, the same numbers for the same arguments.

    Args:
        seed: of every draw.
        rounds: of the loops in `worlds`; the orderings are stated only for 8.
        worlds: names in `WORLDS`.

    Raises:
        MissingExtra: numpy is not installed.
    """
    check_numpy()
    loops: dict[str, Mapping[str, Rounds]] = {"gaussian": _gaussian_loops(seed)}
    for name in worlds:
        world = _world(name, seed)
        loops[name] = {arm.name: run_arm(world, arm, rounds) for arm in ARMS}
    phase = [one for bias, amounts in PHASE.items() for one in _phase(bias, amounts, seed)]
    stated = "bigram" in loops and rounds == ORDERED_ROUNDS
    ordered = bigram_orderings(loops["bigram"]) if stated else []
    return Study(seed, closed_forms(seed), phase, loops, ordered)


def _world(name: str, seed: int) -> World[Any, Any]:
    module, _, attribute = WORLDS[name].partition(":")
    world: World[Any, Any] = getattr(import_module(module), attribute)(seed)
    return world


def _phase(bias: float, amounts: Sequence[int], seed: int) -> list[Worth]:
    return worth(bias, PHASE_REAL, amounts, seed=seed)


def _gaussian_loops(seed: int, chains: int = 2000) -> dict[str, Rounds]:
    """Mean squared W2 distance of the three loops; fresh data are half of each round."""
    import numpy as np

    def rng(name: str) -> np.random.Generator:
        return np.random.default_rng(rng_for(seed, f"mad-gaussian {name}").getrandbits(64))

    n, rounds = GAUSSIAN_N, GAUSSIAN_ROUNDS
    found = {}
    for bias, suffix in ((1.0, "lambda=1"), (0.8, "lambda=.8")):
        found[f"replace, {suffix}"] = replace_loop(rng(suffix), chains, rounds, n, bias=bias)
        found[f"fresh 50 %, {suffix}"] = fresh_loop(
            rng(suffix), chains, rounds, n // 2, n // 2, bias=bias
        )
    found["accumulate, lambda=1"] = accumulate_loop(rng("pool"), chains, rounds, n)
    return {
        name: [
            {"w2": float(model.distance().mean()), "sd": float((model.variance**0.5).mean())}
            for model in models
        ]
        for name, models in found.items()
    }


def _worth_form(one: Worth) -> dict[str, JSON]:
    infinite = one.threshold == float("inf")
    return {**asdict(one), "threshold": None if infinite else one.threshold}
