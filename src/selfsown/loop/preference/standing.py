"""Where a policy stands by the scores of its answers: means, gains over another policy, contests.

What the numbers mean is said in `measure.py`; here they are computed, from scores alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, NamedTuple

from selfsown.evaluate.intervals import Interval, bootstrap
from selfsown.judge.comparisons import order
from selfsown.judge.win_rate import Contest, WinRate, win_rate
from selfsown.preference.records import Prompt
from selfsown.recipes.preference.answers import HUMAN
from selfsown.recipes.preference.reading import ReadAnswer
from selfsown.report.loop_numbers import Measure

_RESAMPLES: Final = 200
"""Of a win rate, each of which is a fit."""


class Place(NamedTuple):
    """Where an answer stands among those of a policy."""

    prompt: str
    """Id."""
    number: int
    """Of the answer, among those to its prompt."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a policy."""

    prompt: Prompt
    text: str
    is_cut_off: bool
    """It reached the limit of tokens."""
    is_plain: bool
    """It was sampled at temperature 1 from all tokens."""
    rewards: Mapping[str, float]
    """Name of the scorer -> reward; a scorer that could not tell is not in it."""


Answers = Mapping[Place, Answer]
"""All that a policy answered."""


def policy_answers(told: Iterable[ReadAnswer], proxy: str | None) -> Answers:
    """A policy's answers, from what a run of a preference recipe left; those of people stay out.

    Args:
        told: answers that came.
        proxy: name under which the scorer's rewards go; None leaves them out.
    """
    found = {}
    for one in told:
        candidate, given = one.candidate, dict(one.observed)
        if candidate.model == HUMAN:
            continue
        if proxy is not None and one.scored is not None:
            given[proxy] = one.scored.reward
        sampling = candidate.sampling
        found[Place(candidate.prompt.id, candidate.index)] = Answer(
            prompt=candidate.prompt,
            text=candidate.text,
            is_cut_off=candidate.finish_reason == "length",
            is_plain=sampling.temperature == 1.0 and sampling.top_p in (None, 1.0),
            rewards={name: value for name, value in given.items() if value is not None},
        )
    return found


def average(values: Mapping[str, float]) -> Measure | None:
    """The mean over prompts; None over none.

    Args:
        values: prompt id -> its value.
    """
    return _measure(bootstrap([values[name] for name in sorted(values)])) if values else None


def by_prompt(values: Mapping[Place, float]) -> dict[str, float]:
    """The mean over the answers to each prompt that have a value."""
    return {prompt: fmean(found) for prompt, found in _grouped(values).items()}


def rewards(answers: Answers, scorer: str) -> dict[Place, float]:
    """What one scorer gave, where it could tell."""
    return {place: one.rewards[scorer] for place, one in answers.items() if scorer in one.rewards}


def spread(values: Mapping[Place, float]) -> float | None:
    """Standard deviation within prompts, pooled over them.

    None where no prompt has two values, or all values of each prompt are equal.
    """
    squares = 0.0
    freedom = 0
    for found in _grouped(values).values():
        mean = fmean(found)
        squares += math.fsum((one - mean) ** 2 for one in found)
        freedom += len(found) - 1
    return math.sqrt(squares / freedom) if squares > 1e-18 else None


def gains(own: Answers, initial: Answers, scorer: str) -> dict[str, float]:
    """By prompt: how much better than the initial policy's, in standard deviations of that one.

    Empty where the initial policy's answers are all alike to the scorer; else of the prompts that
    both have a reward on.
    """
    before = rewards(initial, scorer)
    unit = spread(before)
    if unit is None:
        return {}
    old, new = by_prompt(before), by_prompt(rewards(own, scorer))
    return {name: (value - old[name]) / unit for name, value in new.items() if name in old}


def gap(own: Answers, initial: Answers, proxy: str, gold: str) -> dict[str, float]:
    """By prompt: gain by the proxy minus gain by gold, where there are both."""
    believed, real = gains(own, initial, proxy), gains(own, initial, gold)
    return {name: value - real[name] for name, value in believed.items() if name in real}


def contested(own: Answers, initial: Answers, scorer: str) -> WinRate | None:
    """Answer against answer with the same number, to the same prompt; None if none can be decided.

    The higher reward wins; prompts are resampled whole.
    """
    contests = [
        _contest(place, one, initial[place], scorer)
        for place, one in sorted(own.items())
        if place in initial
    ]
    if all(one.preference is None for one in contests):
        return None
    return win_rate(contests, resamples=_RESAMPLES)


def rates(found: WinRate | None) -> tuple[Measure | None, Measure | None]:
    """The win rate as it is, and at equal length."""
    if found is None:
        return None, None
    return _measure(found.rate), _measure(found.length_controlled)


def _contest(place: Place, own: Answer, other: Answer, scorer: str) -> Contest:
    scores = own.rewards.get(scorer), other.rewards.get(scorer)
    decided = None if None in scores else order(*scores)  # type: ignore[arg-type]  # checked
    return Contest(decided, (len(own.text), len(other.text)), place.prompt)


def _grouped(values: Mapping[Place, float]) -> dict[str, Sequence[float]]:
    groups: dict[str, list[float]] = {}
    for place in sorted(values):
        groups.setdefault(place.prompt, []).append(values[place])
    return dict(groups)


def _measure(found: Interval) -> Measure:
    return Measure(found.mean, found.low, found.high)
