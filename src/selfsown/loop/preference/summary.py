"""The numbers of a preference loop, read from its files, as `loop.json` and one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.loop.preference.anchor import read_anchored
from selfsown.loop.preference.config import Control, PreferenceLoopConfig
from selfsown.loop.preference.ending import Best, Ending, read_ending
from selfsown.loop.preference.measure import Probe, read_probe
from selfsown.loop.preference.places import ChainPlaces, PolicyPlaces, PreferencePlaces, RoundPlaces
from selfsown.recipes.base import get_recipe
from selfsown.report.loop_numbers import Measure
from selfsown.report.preference_numbers import (
    VERSION,
    BestNumbers,
    LineNumbers,
    PolicyNumbers,
    PreferenceNumbers,
    PreferenceRound,
)
from selfsown.report.preference_page import write_preference_page
from selfsown.train.plan import find_base

INITIAL: Final = "initial policy"
_WIDE: Final = 1.96
"""Standard errors on each side of a 95 % interval."""
_OF_PAIRS: Final = ("pair_yield", "tie_rate")
_CONTROLS: Final[Mapping[Control, tuple[str, str]]] = {
    "offline": (
        "offline",
        "DPO of the initial policy on labelled pairs that others wrote, as many as the rounds had.",
    ),
    "equal_data": (
        "one round",
        "DPO of the initial policy on pairs of its own answers to the prompts of all rounds.",
    ),
    "other_reference": (
        "reference",
        "The same rounds, kept close to {other} instead of {own}.",
    ),
    "sft_chosen": (
        "SFT on chosen",
        "The initial policy tuned on the chosen answers of all rounds, without the rejected ones.",
    ),
}
"""Control -> its name and what it is."""


def write_summary(config: PreferenceLoopConfig, places: PreferencePlaces, best: Best) -> None:
    """Write `loop.json` and `loop.html` of what has been measured so far, each as a whole."""
    write_preference_page(preference_numbers(config, places, best), places.numbers, places.page)


def preference_numbers(
    config: PreferenceLoopConfig, places: PreferencePlaces, best: Best
) -> PreferenceNumbers:
    """Everything the page says about a loop whose initial policy was measured."""
    base = places.start.model if config.start else find_base(config.base)
    initial = _policy(places.start, INITIAL, 0, base)
    assert initial is not None, "the initial policy is measured first"
    own = _chain(config, places, "rounds", "")
    endings = [one.decision for one in own.rounds]
    name = INITIAL if best.round is None else f"round {best.round}"
    return PreferenceNumbers(
        version=VERSION,
        name=places.home.name,
        recipe=config.recipe,
        about=_about(config),
        initial=initial,
        lines=(own, *_controls(config, places, len(endings))),
        best=BestNumbers(name=name, folder=best.folder, by=best.by),
        ended=(
            f"{len(endings)} of {config.rounds} rounds turned, {endings.count('promoted')}"
            f" promoted; the best is {'the ' if best.round is None else ''}{name}, by {best.by}."
        ),
    )


def _about(config: PreferenceLoopConfig) -> str:
    options = get_recipe(config.recipe).resolve(config.preset, config.options)
    pairs = f"pairs of {options.own_answers} own answers to each prompt"
    scored = f"scored by `{options.scorer}`, picked by `{options.picker}`"
    if not options.is_scored:
        pairs, scored = "pairs of a person's answer and an own one", "which nobody scores"
    return f"{config.recipe}: {pairs}, {scored}; DPO stays close to `{config.kept_close_to}`."


def _controls(
    config: PreferenceLoopConfig, places: PreferencePlaces, rounds: int
) -> Iterator[LineNumbers]:
    """The controls that were made, in the config's order."""
    for control in config.controls:
        name, about = _CONTROLS[control]
        chain = places.control(control)
        if control == "other_reference":
            other = config.other_reference
            line = _chain(config, chain, f"{name} {other}", f"{name} {other}, ")
            if line.rounds:
                yield _described(line, about.format(other=other, own=config.kept_close_to))
            continue
        made = RoundPlaces(chain.home)
        policy = _policy(made, name, rounds, made.model, _tally(made))
        if policy is not None:
            yield LineNumbers(name=name, about=about, rounds=(), policies=(policy,))


def _described(line: LineNumbers, about: str) -> LineNumbers:
    return LineNumbers(name=line.name, about=about, rounds=line.rounds, policies=line.policies)


def _chain(config: PreferenceLoopConfig, chain: ChainPlaces, name: str, prefix: str) -> LineNumbers:
    """Rounds that have ended."""
    found = []
    for number in range(config.rounds):
        places = chain.round(number)
        ending = read_ending(places.ending)
        if ending is None:
            break
        found.append(_round(places, ending, f"{prefix}round {number}"))
    policies = tuple(one.policy for one in found if one.policy is not None)
    return LineNumbers(name=name, about="", rounds=tuple(found), policies=policies)


def _round(places: RoundPlaces, ending: Ending, name: str) -> PreferenceRound:
    gates = orjson.loads(places.gates.read_bytes())
    tally: Mapping[str, Any] = gates["tally"]
    return PreferenceRound(
        round=ending.round,
        decision=ending.decision,
        reason=ending.reason,
        prompts=tally["prompts"],
        pairs=tally["pairs"],
        dropped=tally["dropped"],
        parse_rate=tally.get("parse_rate"),
        tie_rate=tally.get("tie_rate"),
        pair_yield=tally["pairs"] / tally["prompts"],
        warnings=tuple(one["what"] for one in gates["warnings"]),
        policy=_policy(places, name, ending.round + 1, places.model, tally),
    )


def _tally(places: RoundPlaces) -> Mapping[str, Any]:
    """What the gates counted; nothing of a control that has no run of its own."""
    path = places.gates
    found: Mapping[str, Any] = orjson.loads(path.read_bytes())["tally"] if path.is_file() else {}
    return found


def _policy(
    places: PolicyPlaces,
    name: str,
    after: int,
    folder: Path,
    tally: Mapping[str, Any] | None = None,
) -> PolicyNumbers | None:
    """One policy; None if it was not measured.

    Args:
        places: of what is known of it.
        name: for people.
        after: rounds whose prompts it was trained on.
        folder: of its weights.
        tally: what the gates counted of the pairs that it was trained on.
    """
    probe = read_probe(places.probe)
    if probe is None:
        return None
    measures = {**_measures(probe), **_anchor(places.anchor)}
    for rate in _OF_PAIRS:
        value = (tally or {}).get(rate)
        if value is not None:
            measures[rate] = Measure(value, value, value)
    return PolicyNumbers(
        name=name,
        after=after,
        folder=str(folder),
        measures=measures,
        asked=probe.asked,
        answered=probe.answered,
        is_kl_unbiased=probe.is_kl_unbiased,
    )


def _measures(probe: Probe) -> dict[str, Measure]:
    values = ((field.name, getattr(probe, field.name)) for field in fields(probe))
    return {name: value for name, value in values if isinstance(value, Measure)}


def _anchor(directory: Path) -> dict[str, Measure]:
    found = read_anchored(directory)
    if found is None:
        return {}
    half = _WIDE * found.standard_error
    return {"anchor": Measure(found.accuracy, found.accuracy - half, found.accuracy + half)}
