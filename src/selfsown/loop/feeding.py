"""What happens when a model feeds on itself: two loops on the lab, with real training.

The fully synthetic loop starts each round from tasks of the round before and trains on the last
round alone; its guard only writes down what it sees, so that the loss can be looked at. The guarded
loop starts from the human seeds, keeps all rounds, and trains on the seeds beside them.

Differs from the augmentation loop of 2307.01850: two things differ at once between the loops, the
demonstrations and the data, because both are what feeding on oneself means here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from selfsown.loop.config import make_loop_config
from selfsown.loop.rounds import LoopResult, turn
from selfsown.loop.summary import loop_numbers
from selfsown.report.loop_numbers import LoopNumbers

SYNTHETIC: Final = "fully synthetic"
GUARDED: Final = "human seeds kept"

_LOOPS: Final[Mapping[str, Mapping[str, Any]]] = {
    SYNTHETIC: {
        "data": "replace",
        "human_data": False,
        "demonstrations": "machine",
        "gate": {"acts": False},
    },
    GUARDED: {"gate": {"acts": False}},
}


@dataclass(frozen=True, slots=True)
class FeedingConfig:
    """The two loops."""

    out: Path
    seed: int = 0
    rounds: int = 4
    target: int = 40
    human: str = "lab:100"
    """Enough of them that the guarded loop's share of human tokens needs no repeats: 25 seeds
    repeated to half of the tokens were learned by heart, and its diversity fell faster.
    """
    suite: str = "lab-plain"
    suite_limit: int | None = 100
    m: int = 400
    train: Mapping[str, Any] = field(
        default_factory=lambda: {"preset": "lab", "threads": 1, "micro_batch_size": 4}
    )
    """Small forward passes: less padding, where few long lists stand among short answers."""
    options: Mapping[str, Any] = field(default_factory=lambda: {"novelty_threshold": 1.0})
    """Of the recipe; without a novelty filter, which would hide what the models do."""


def feed(config: FeedingConfig, tell: Callable[[str], None]) -> list[tuple[str, LoopResult]]:
    """Turn both loops, or what is left of them.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    results = []
    for name in _LOOPS:
        loop = make_loop_config(_form(config, name))
        results.append((name, turn(loop, partial(_told, tell, name))))
    return results


def feeding_numbers(
    config: FeedingConfig, results: list[tuple[str, LoopResult]]
) -> list[LoopNumbers]:
    """What the page says about the two loops."""
    return [
        loop_numbers(
            make_loop_config(_form(config, name)), result.places, result.endings, name=name
        )
        for name, result in results
    ]


def _told(tell: Callable[[str], None], name: str, line: str) -> None:
    tell(f"{name}: {line}")


def _form(config: FeedingConfig, name: str) -> dict[str, Any]:
    return {
        "seeds": config.human,
        "suites": [config.suite],
        "suite_limit": config.suite_limit,
        "rounds": config.rounds,
        "target": config.target,
        "seed": config.seed,
        "train": dict(config.train),
        "options": dict(config.options),
        "guard": {"reference": "lab", "m": config.m, "acts": name == GUARDED},
        "out": str(config.out / name.replace(" ", "-")),
        **_LOOPS[name],
    }
