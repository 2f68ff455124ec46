"""Numbers of a preference loop and of an experiment, for the tests of their pages."""

from __future__ import annotations

from dataclasses import replace

from selfsown.report.loop_numbers import Measure
from selfsown.report.preference_numbers import (
    VERSION,
    ArmNumbers,
    BestNumbers,
    ChangeOverSeeds,
    ExperimentNumbers,
    LineNumbers,
    PolicyNumbers,
    PolicyOverSeeds,
    PreferenceNumbers,
    PreferenceRound,
)

HOSTILE = "<img src=x onerror=alert(1)> \u202e \x1b[31m"


def measure(value: float, half: float) -> Measure:
    """A number with an interval of this half width."""
    return Measure(value, value - half, value + half)


def policy(name: str, after: int, rise: float, length: float) -> PolicyNumbers:
    """A policy whose gold rose so far; its proxy rose by twice as much."""
    return PolicyNumbers(
        name=name,
        after=after,
        folder=f"loops/x/{after}/model",
        measures={
            "gold": measure(0.45 + rise / 2, 0.05),
            "proxy": measure(-1.2 + 3 * rise, 0.4),
            "second": measure(-0.4 + rise, 0.3),
            "gold_gain": measure(rise, 0.1),
            "proxy_gain": measure(2 * rise, 0.1),
            "gap": measure(rise - 0.05, 0.12),
            "length": measure(length, 4.2),
            "kl_initial": measure(4 * rise, 0.3) if after else Measure(0.0, 0.0, 0.0),
            "length_matched": measure(0.5 + rise, 0.04),
            "anchor": measure(0.7 - rise / 8, 0.05),
            **(
                {"pair_yield": measure(0.8 - rise, 0), "tie_rate": measure(rise, 0)}
                if after
                else {}
            ),
        },
        asked=800,
        answered=800 - 3 * after,
        is_kl_unbiased=True,
    )


def turned(number: int, name: str, rise: float, decision: str = "promoted") -> PreferenceRound:
    """A round."""
    return PreferenceRound(
        round=number,
        decision=decision,
        reason=f"nothing fell: gold {rise:+.3g} {HOSTILE}",
        prompts=500,
        pairs=400 - 40 * number,
        dropped={"equal_rewards": 90 + 40 * number, "blank_text": 10},
        parse_rate=0.97,
        tie_rate=0.2 + 0.05 * number,
        pair_yield=0.8 - 0.08 * number,
        warnings=("61 % of 500 prompts are ties, the bound is 60 %",) if number == 2 else (),
        policy=policy(name, number + 1, rise, 14.0 + 6 * number),
    )


def line(name: str, prefix: str, rises: tuple[float, ...], about: str = "") -> LineNumbers:
    """Rounds, the last of which is rolled back."""
    rounds = tuple(
        turned(
            number,
            f"{prefix}round {number}",
            rise,
            "rolled_back" if number + 1 == len(rises) else "promoted",
        )
        for number, rise in enumerate(rises)
    )
    policies = tuple(one.policy for one in rounds if one.policy is not None)
    return LineNumbers(name=name, about=about, rounds=rounds, policies=policies)


def control(name: str, rise: float) -> LineNumbers:
    """A control of one training."""
    about = "DPO of the initial policy on labelled pairs that others wrote."
    return LineNumbers(name=name, about=about, rounds=(), policies=(policy(name, 3, rise, 13.0),))


def loop_numbers() -> PreferenceNumbers:
    """Three rounds and all controls."""
    return PreferenceNumbers(
        version=VERSION,
        name=f"x {HOSTILE}",
        recipe="online-rlhf",
        about="online-rlhf: pairs of 8 own answers to each prompt, scored by `reward`, picked by"
        " `max_min`; DPO stays close to `initial`.",
        initial=policy("initial policy", 0, 0.0, 12.0),
        lines=(
            line("rounds", "", (0.12, 0.21, 0.17)),
            control("offline", 0.06),
            control("one round", 0.15),
            line("reference previous", "reference previous, ", (0.12, 0.24, 0.14), "The same."),
            control("SFT on chosen", -0.03),
        ),
        best=BestNumbers(name="round 1", folder="loops/x/rounds/1/model", by="gold"),
        ended="3 of 3 rounds turned, 2 promoted; the best is round 1, by gold.",
    )


def experiment_numbers() -> ExperimentNumbers:
    """Two arms over three seeds."""
    loop = loop_numbers()
    found = [loop.initial, *(one for own in loop.lines for one in own.policies)]
    own = {loop.initial.name, *(one.name for one in loop.lines[0].policies)}
    arms = ("online RLHF", f"self-rewarding {HOSTILE}")
    return ExperimentNumbers(
        version=VERSION,
        name="lab-preferences",
        about="The lab's world, whose oracle knows every right answer.",
        seeds=(0, 1, 2),
        arms=tuple(
            ArmNumbers(
                name=arm,
                about=loop.about,
                pages={str(seed): f"seed-{seed}/{place}/loop.html" for seed in range(3)},
            )
            for place, arm in enumerate(arms)
        ),
        policies=tuple(
            PolicyOverSeeds(
                arm=arm,
                name=one.name,
                is_drawn=one.name in own,
                after=one.after,
                measures=one.measures,
                by_seed={
                    key: (value.low, value.value, value.high) for key, value in one.measures.items()
                },
            )
            for arm in arms
            for one in found
        ),
        changes=tuple(
            ChangeOverSeeds(
                first=f"{arm}: initial policy",
                second=f"{arm}: round 2",
                metric=metric,
                measure=measure(0.17, 0.4),
                by_seed=(0.1, 0.2, 0.21),
            )
            for arm in arms
            for metric in ("gold", "gap", "length_matched")
        ),
        refused={f"{arms[1]}, seed 1": "pairs of 500 prompts: 3 (1%), the floor is 10%"},
    )


def without(numbers: PreferenceNumbers, *names: str) -> PreferenceNumbers:
    """The same loop, of whose policies these measures were not taken."""

    def bare(one: PolicyNumbers) -> PolicyNumbers:
        kept = {name: value for name, value in one.measures.items() if name not in names}
        return replace(one, measures=kept)

    lines = tuple(
        replace(own, policies=tuple(bare(one) for one in own.policies)) for own in numbers.lines
    )
    return replace(numbers, initial=bare(numbers.initial), lines=lines)
