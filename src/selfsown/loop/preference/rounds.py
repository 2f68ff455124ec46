"""Turn a preference loop: the initial policy, its rounds, and what they are compared with.

All state is on disk. A stage is finished when its last file exists, so the same call goes on where
it was killed, at any point.

Sources: Self-Rewarding Language Models (arXiv:2401.10020, section 2.4), RLHF Workflow
(arXiv:2405.07863, algorithm 1).
Differs from the papers: a round whose policy got worse is rolled back; the output is the best of
the iterations on validation prompts, as RLHF Workflow says, also for self-rewarding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from selfsown.core.rundir import locked, write_text
from selfsown.loop.config import refuse_another_loop
from selfsown.loop.preference.chain import Chain, Desk
from selfsown.loop.preference.config import PreferenceLoopConfig
from selfsown.loop.preference.controls import turn_controls
from selfsown.loop.preference.ending import Best, Ending
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.loop.preference.setup import set_up
from selfsown.loop.preference.summary import write_summary

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PreferenceResult:
    """What came of a loop."""

    places: PreferencePlaces
    endings: tuple[Ending, ...]
    best: Best


def turn_preferences(
    config: PreferenceLoopConfig, tell: Tell = lambda line: None
) -> PreferenceResult:
    """Turn all rounds and controls of a config, or what is left of them; write page and numbers.

    Args:
        config: the loop.
        tell: receives one line per finished stage.

    Raises:
        InputError: something given cannot be used; nothing was spent.
        CheckFailed: a gate refuses a round; no training time was spent on it.
        ConfigChanged: the directory holds another loop.
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    with locked(Path(config.out)):
        return _turn(config, tell)


def _turn(config: PreferenceLoopConfig, tell: Tell) -> PreferenceResult:
    places = PreferencePlaces(Path(config.out))
    refuse_another_loop(places.config, config.identity())
    setup = set_up(config)
    refuse_another_loop(places.scorers, setup.scorers)
    write_text(places.scorers, yaml.safe_dump(dict(setup.scorers)))
    text = yaml.safe_dump(config.shown(), sort_keys=False)
    write_text(places.config, text)  # not before all of it is known to be usable
    desk = Desk(setup, tell)
    desk.standing(desk.initial, "initial policy")
    chain = Chain(desk, places, config.kept_close_to)
    for number in range(config.rounds):
        chain.turn(number)
        write_summary(config, places, chain.best)
    try:
        turn_controls(desk, chain)
    finally:  # also where one was refused, the others are on the page
        write_summary(config, places, chain.best)
    return PreferenceResult(places, tuple(chain.endings), chain.best)
