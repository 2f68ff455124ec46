"""The whole study behind `selfsown mad`: closed forms, phase transition, loops, orderings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.guard.sample import Settings, check_numpy
from selfsown.guard.simulate.closed_forms import ClosedForm, closed_forms
from selfsown.guard.simulate.gaussian import (
    accumulate_loop,
    fresh_loop,
    replace_loop,
    wide_fresh_loop,
)
from selfsown.guard.simulate.loops import Rounds, run_arms
from selfsown.guard.simulate.orderings import Ordering, wide_orderings
from selfsown.guard.simulate.phase import Worth, worth
from selfsown.guard.simulate.power import Caught, caught, trials
from selfsown.guard.simulate.worlds import WORLDS, Experiment

GAUSSIAN_N: Final = 100
GAUSSIAN_ROUNDS: Final = 30
PHASE_REAL: Final = 1000
WIDE_ROUNDS: Final = 25
WIDE_CHAINS: Final = 4
GUARDED: Final = Settings(m=300, replicates=40)
"""How the guard measures planted collapses."""
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
    worlds: Mapping[str, Experiment]
    """What was looped beside the Gaussians."""
    planted: Sequence[Caught] = ()
    """What the guard saw of planted collapses."""

    @property
    def holds(self) -> bool:
        """Whether theory and simulation agree everywhere."""
        return not self.disagreements

    @property
    def disagreements(self) -> list[str]:
        """The names of closed forms and orderings that do not hold."""
        forms = [form.name for form in self.closed_forms if not form.holds]
        return forms + [ordering.name for ordering in self.orderings if not ordering.holds]

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON values."""
        return {
            "seed": self.seed,
            "closed_forms": [asdict(form) for form in self.closed_forms],
            "phase": [_worth_form(one) for one in self.phase],
            "orderings": [asdict(ordering) for ordering in self.orderings],
            "planted": [asdict(one) for one in self.planted],
            "loops": {
                world: {arm: [dict(row) for row in rounds] for arm, rounds in arms.items()}
                for world, arms in self.loops.items()
            },
        }


def run_study(
    seed: int = 0,
    rounds: int | None = None,
    worlds: Mapping[str, Experiment] = WORLDS,
    planted_runs: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> Study:
    """Simulate everything; about 8 CPU-seconds with the default worlds.

    The same arguments give the same numbers.

    Args:
        seed: of every draw.
        rounds: of the loops in `worlds`; without it those after which each states its orderings.
        worlds: name → what is looped beside the Gaussians.
        planted_runs: how often each collapse is planted for the guard, at 3 CPU-seconds a run of
            all of them; each run has a language of its own.
        tell: receives a line as each loop of a world begins.

    Raises:
        MissingExtra: a package that a world needs is not installed.
    """
    check_numpy()
    wide = _wide_loops(seed)
    loops: dict[str, Mapping[str, Rounds]] = {"gaussian": _gaussian_loops(seed), "wide": wide}
    orderings = [_named("100 dimensions", one) for one in wide_orderings(wide)]
    for name, experiment in worlds.items():
        turns = experiment.rounds if rounds is None else rounds
        told = partial(_tell_of, tell, name)
        loops[name] = run_arms(experiment.make(seed), experiment.arms, turns, told)
        if turns == experiment.rounds:
            orderings += [_named(name, one) for one in experiment.orderings(loops[name])]
    phase = [one for bias, amounts in PHASE.items() for one in _phase(bias, amounts, seed)]
    runs = range(seed, seed + planted_runs)
    planted = caught(list(trials(runs, GUARDED))) if planted_runs else []
    return Study(seed, closed_forms(seed), phase, loops, orderings, worlds, planted)


def _tell_of(tell: Callable[[str], None], world: str, line: str) -> None:
    tell(f"{world}: {line}")


def _named(world: str, ordering: Ordering) -> Ordering:
    return replace(ordering, name=f"{world}, {ordering.name}")


def _wide_loops(seed: int) -> dict[str, Rounds]:
    """The fresh loop of 2307.01850, figure 10: d = 100, n_r = 100, n_s = 900, two first models.

    Mean squared W2 distances over `WIDE_CHAINS` loops.
    """
    import numpy as np

    found: dict[str, Rounds] = {}
    for bias, suffix in ((1.0, "lambda=1"), (0.8, "lambda=.8")):
        for first in (100, 1000):
            name = f"first {first}, {suffix}"
            bits = rng_for(seed, f"mad-wide {name}").getrandbits(64)
            rng = np.random.default_rng(bits)
            chains = [
                wide_fresh_loop(rng, 100, WIDE_ROUNDS, first, 100, 900, bias=bias)
                for _ in range(WIDE_CHAINS)
            ]
            found[name] = [{"w2": float(distance)} for distance in np.mean(chains, axis=0)]
    return found


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
