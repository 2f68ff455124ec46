"""What happens when a model feeds on itself: two loops on the lab, with real training.

The fully synthetic loop starts each round from tasks of the round before and trains on the last
round alone; its guard only writes down what it sees, so that the loss can be looked at. The guarded
loop starts from the human seeds, keeps all rounds, and trains on the seeds beside them.

Differs from the augmentation loop of 2307.01850: two things differ at once between the loops, the
demonstrations and the data, because both are what feeding on oneself means here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from selfsown.guard.policy import TAIL_METRICS
from selfsown.loop.config import make_loop_config
from selfsown.loop.rounds import turn
from selfsown.loop.summary import loop_numbers
from selfsown.report.intervals import over_seeds
from selfsown.report.loop_numbers import LoopNumbers, Measure, RoundNumbers, Tails

SYNTHETIC: Final = "fully synthetic"
GUARDED: Final = "human seeds kept"

SHOWN_TAILS: Final = ("rare_word_recall", "rare_ngram_recall", "rare_label_recall")
BASELINE: Final = 1
"""The first round that a tuned model wrote: every model loses some diversity when it is tuned."""

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
    """The two loops of each seed."""

    out: Path
    seeds: tuple[int, ...] = (0,)
    rounds: int = 4
    """In a fifth one four trainings would stand behind the generator, at which the guard stops."""
    target: int = 250
    """Tasks of each round; with few of them chance hides what the tails lose."""
    human: str = "lab:100"
    """Enough of them that the guarded loop's share of human tokens needs no repeats: 25 seeds
    repeated to half of the tokens were learned by heart, and its diversity fell faster.
    """
    human_share: float | None = 0.2
    """Of the guarded loop's tokens, about that of round 0; later rounds repeat the human seeds up
    to it. With None each stands once, and the guard stops when they are below a tenth.
    """
    suite: str = "lab-plain"
    suite_limit: int | None = 100
    m: int = 1000
    audit: int = 240
    """Answers of each unbiased draw: nearly 1,000 instructions, for the tests to have power."""
    train: Mapping[str, Any] = field(
        default_factory=lambda: {
            "preset": "lab",
            "threads": 1,
            "micro_batch_size": 4,
            "max_steps": 120,
        }
    )
    """Equally many steps in every round of both loops, though one of them has ever more data; small
    forward passes waste less padding, where few long lists stand among short answers.
    """
    options: Mapping[str, Any] = field(default_factory=lambda: {"novelty_threshold": 1.0})
    """Of the recipe; without a novelty filter, which would hide what the models do."""


def feed(config: FeedingConfig, tell: Callable[[str], None]) -> dict[int, list[LoopNumbers]]:
    """Turn both loops of every seed, or what is left of them.

    Returns:
        Seed → what the page says about its two loops.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    return {seed: [_turned(config, seed, name, tell) for name in _LOOPS] for seed in config.seeds}


def _turned(
    config: FeedingConfig, seed: int, name: str, tell: Callable[[str], None]
) -> LoopNumbers:
    loop = make_loop_config(_form(config, seed, name))
    said = name if len(config.seeds) == 1 else f"seed {seed}, {name}"
    result = turn(loop, partial(_told, tell, said))
    return loop_numbers(loop, result.places, result.endings, name=name)


def tails_of(loops: Mapping[int, Sequence[LoopNumbers]]) -> list[Tails]:
    """What became of the tails of human text in each loop, over all seeds.

    Args:
        loops: seed → its loops, as `feed` returns them. A metric for which a round was too small is
            left out.
    """
    found = []
    for name in _LOOPS:
        same = [loop for one in loops.values() for loop in one if loop.name == name]
        rounds = [_measured(one) for loop in same for one in loop.rounds]
        found += [
            _tails(same, metric)
            for metric in SHOWN_TAILS
            if all(metric in measured for measured in rounds)
        ]
    return found


def _tails(loops: Sequence[LoopNumbers], metric: str) -> Tails:
    values = [[_measured(one)[metric].value for one in loop.rounds] for loop in loops]
    far = [one for one in values if len(one) > BASELINE + 1]
    changes = [one[-1] / one[BASELINE] - 1 for one in far if one[BASELINE]]
    return Tails(
        loop=loops[0].name,
        metric=metric,
        by_seed=tuple(tuple(one) for one in values),
        human=_measured(loops[0].rounds[-1])[metric].baseline,
        change=over_seeds(changes) if len(changes) > 1 else None,
        stops=tuple(_first_stop(loop) for loop in loops),
    )


def _measured(one: RoundNumbers) -> Mapping[str, Measure]:
    """The unbiased draw, which shows the model itself and is larger; else the candidates."""
    return one.unbiased or one.diversity


def _first_stop(loop: LoopNumbers) -> int | None:
    """The first round in which a rule on tails said stop, whatever the mixture."""
    for one in loop.rounds:
        if any(alarm.rule in TAIL_METRICS and alarm.level == "stop" for alarm in one.alarms):
            return one.round
    return None


def _told(tell: Callable[[str], None], name: str, line: str) -> None:
    tell(f"{name}: {line}")


def _form(config: FeedingConfig, seed: int, name: str) -> dict[str, Any]:
    share = {"human_share": config.human_share} if name == GUARDED and config.human_share else {}
    return {
        "seeds": config.human,
        "suites": [config.suite],
        "suite_limit": config.suite_limit,
        "rounds": config.rounds,
        "target": config.target,
        "seed": seed,
        "options": dict(config.options),
        "guard": {
            "reference": "lab",
            "m": config.m,
            "audit": config.audit,
            "acts": name == GUARDED,
        },
        "out": str(config.out / f"seed-{seed}" / name.replace(" ", "-")),
        **_LOOPS[name],
        "train": {**config.train, **share},
    }
