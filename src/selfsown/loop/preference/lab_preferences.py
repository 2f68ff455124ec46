"""The built-in experiment: preference loops on the lab, whose oracle knows every right answer.

Gold is the oracle, in all arms. The two papers' loops have what they need made for them first
(`lab_ground.py`): reward models of pairs with 10 % wrong labels, and an initial policy that was
tuned to answer and to judge. Rounds are never rolled back here, but in one arm that is about it,
so that what happens can be seen; the values were measured once and are in `docs/log.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from selfsown.judge.oracle import LONG_CHARS
from selfsown.loop.preference.experiment import Arm, Experiment
from selfsown.loop.preference.lab_ground import (
    ASKING,
    PAIRS,
    PER_ROUND,
    PROMPTS,
    ROUNDS,
    VALIDATION_FILE,
)
from selfsown.loop.preference.lab_world import RUBRIC, Kind

NOISE: Final = 0.2
"""Share of the answers of which the noisy oracle says the opposite."""
LENGTH_SHARE: Final = 0.3
_LENGTH_ROUNDS: Final = 2
_TUNED_RATE: Final = 3e-4
"""Of a policy that was tuned before; the base falls apart at it under a reward model."""
_SURE: Final = 2.0
"""Points between two answers above which an own judgement is believed."""
_PLAIN: Final = {"temperature": 1.0, "top_p": 1.0}
_ORACLE: Final = {"scorer": "oracle"}

Config = Callable[[Path, int], dict[str, Any]]


def _shared(ground: Path, kind: Kind) -> dict[str, Any]:
    """What all arms share."""
    return {
        "base": "lab",
        "backend": "lab",
        "prompts": {"file": str(ground / kind / PROMPTS), "per_round": PER_ROUND},
        "rounds": ROUNDS,
        "train": {"preset": "lab", "threads": 1, "learning_rate": 1e-4, "beta": 0.3},
        "sft": {"preset": "lab", "threads": 1},
        "probe": {
            "prompts": str(ground / kind / VALIDATION_FILE),
            "gold": _ORACLE,
            "answers": [{**_PLAIN, "count": 4}],
        },
        "promotion": {"acts": False},
    }


def _online(ground: Path, seed: int) -> dict[str, Any]:
    """A reward model scores; another one, of other pairs, looks on."""
    found = _shared(ground, "plain")
    first, second = (str(ground / "labelled" / number / "reward") for number in "12")
    found["probe"] |= {"second": {"scorer": "reward", "options": {"model": second}}}
    return {
        **found,
        "recipe": "online-rlhf",
        "options": {**ASKING, "scorer": "reward", "scorer_options": {"model": first}},
        "offline_pairs": str(ground / "labelled" / "1" / PAIRS),
        "controls": ["offline", "equal_data", "other_reference", "sft_chosen"],
    }


def _self_rewarding(ground: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """The tuned policy, whoever judges."""
    found = _shared(ground, "modified")
    found["train"] |= {"learning_rate": _TUNED_RATE}
    return {
        **found,
        "recipe": "self-rewarding",
        "base": str(ground / "initial"),
        "options": {**ASKING, "answers": [{**_PLAIN, "count": 8}], **options},
    }


def _noisy(ground: Path, seed: int) -> dict[str, Any]:
    judge = {"scorer": "oracle", "scorer_options": {"noise": NOISE, "seed": seed}}
    return {
        **_self_rewarding(ground, judge),
        "offline_pairs": str(ground / "lessons" / PAIRS),
        "controls": ["offline", "equal_data", "other_reference", "sft_chosen"],
    }


def _own(*, is_careful: bool) -> Config:
    def config(ground: Path, seed: int) -> dict[str, Any]:
        judge: dict[str, Any] = {
            "scorer": "rubric",
            "scorer_options": {"template": RUBRIC, "max_tokens": 16},
        }
        found = {"anchor": str(ground / "lessons" / "anchor.jsonl")}
        if not is_careful:
            found["offline_pairs"] = str(ground / "lessons" / PAIRS)
            controls = {"controls": ["offline", "other_reference", "sft_chosen"]}
            return {**_self_rewarding(ground, judge), **found, **controls}
        judge["picker_options"] = {"min_margin": _SURE}
        careful = {"floors": {"pair_yield": 0.02}, "promotion": {"on": ["anchor"], "acts": True}}
        return {**_self_rewarding(ground, judge), **found, **careful}

    return config


def _paid_for_length(**picking: Any) -> Config:
    def config(ground: Path, seed: int) -> dict[str, Any]:
        found = _shared(ground, "modified")
        found["probe"] |= {"gold": {"scorer": "oracle", "options": {"in_words": True}}}
        judge = {"length_share": LENGTH_SHARE, "in_words": True}
        return {
            **found,
            "recipe": "online-rlhf",
            "base": str(ground / "talkative" / "model"),
            "rounds": _LENGTH_ROUNDS,
            "options": {**ASKING, "scorer": "oracle", "scorer_options": judge, **picking},
        }

    return config


EXPERIMENT: Final = Experiment(
    about=(
        "Tasks of the lab's world that ask for knowledge. Gold is the oracle. Online RLHF starts"
        " from the base; self-rewarding from a policy that is tuned to answer and to judge, and its"
        " tasks make demands on form, too. The arms of length start from a policy that puts words"
        " around one answer of two, and gold does not mind them."
    ),
    ground="selfsown.loop.preference.lab_ground:prepare",
    arms=(
        Arm(
            key="online",
            name="online RLHF",
            about="A reward model of some 2,300 pairs, 10 % of their labels wrong. Gold and the"
            " other reward model have no say.",
            config=_online,
        ),
        Arm(
            key="noisy",
            name="self-rewarding, noisy oracle",
            about=f"The judge is the oracle, and says the opposite of {NOISE:.0%} of the answers.",
            config=_noisy,
        ),
        Arm(
            key="own",
            name="self-rewarding, own judging",
            about="The policy judges its own answers, three times each; every difference counts.",
            config=_own(is_careful=False),
        ),
        Arm(
            key="own-sure",
            name="self-rewarding, own judging, sure",
            about=f"The same, but only differences above {_SURE:g} points count, and a round is"
            " rolled back if the policy judges the anchor worse than before.",
            config=_own(is_careful=True),
        ),
        Arm(
            key="length",
            name="paid for length",
            about=f"The oracle pays for length: {LENGTH_SHARE:.0%} of the reward. Best against"
            " worst.",
            config=_paid_for_length(),
        ),
        Arm(
            key="length-penalty",
            name="paid for length, penalty",
            about="The same, less a penalty per character before the pair is picked.",
            config=_paid_for_length(
                picker="length_penalised",
                picker_options={"penalty": LENGTH_SHARE / LONG_CHARS},
            ),
        ),
        Arm(
            key="length-window",
            name="paid for length, window",
            about="The same; the shortest of the good against the longest of the bad.",
            config=_paid_for_length(picker="rho_window"),
        ),
        Arm(
            key="length-window-margin",
            name="paid for length, window and margin",
            about="The same, where the two differ by more than all that is paid for length.",
            config=_paid_for_length(
                picker="rho_window", picker_options={"min_margin": LENGTH_SHARE}
            ),
        ),
    ),
    compared=(
        ("noisy", "own"),
        ("own", "own-sure"),
        ("length", "length-penalty"),
        ("length", "length-window"),
        ("length", "length-window-margin"),
    ),
)
"""Arms, values and the size of it; `selfsown loop --lab-preferences`."""
