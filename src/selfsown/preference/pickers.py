"""A picker is one small pure function: from the scored answers to a prompt to the pair of them.

    def neighbours(*, place: int = 0) -> Choose:
        "Two that are next to each other in the order of rewards, from `place` downwards."

        def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
            ranked = sorted(rated, key=lambda one: (-one.reward, one.index))
            start = min(place, len(ranked) - 2)
            return ranked[start], ranked[start + 1]

        return choose

It becomes usable by name with one line in `PICKERS` of `selfsown.extensions`, or with the entry
point `pickers.neighbours` of a package outside, as `picker_named("neighbours", place=1)`.

What holds for every picker is not its business and stands in `Picker`: candidates without a reward
take no part, order means index, equal rewards and margins that are too small give no pair, nor do
answers that are blank or equal but for white space, and each of these has its reason.

Sources: Self-Rewarding Language Models (arXiv:2401.10020, section 2.4: best against worst, equal
scores dropped); the released code of RLHF Workflow (arXiv:2405.07863) for the other names and what
they do; Meta-Rewarding (arXiv:2407.19594, section 2.2) for the window.
Differs from the paper: ties for best and for worst are broken by length, then by index, where the
paper says nothing and the code takes the first.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON
from selfsown.extensions import PICKERS, load_extension
from selfsown.judge.options import made
from selfsown.preference.records import TOLERANCE, Scored, fault_of

RHO: Final = 0.32
"""Width of the window: within the 0 to 0.4 that Meta-Rewarding gives; its own example."""
LENGTH_PENALTY: Final = 0.001
"""Reward per character: the `concise` model of RLHF Workflow."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A candidate that has a reward, as pickers see it."""

    scored: Scored
    reward: float
    """What pickers compare; a penalty is subtracted here, never in the record."""

    @property
    def n_chars(self) -> int:
        """Length of the answer."""
        return self.scored.candidate.n_chars

    @property
    def index(self) -> int:
        """Number among the answers to the prompt."""
        return self.scored.candidate.index


Choose = Callable[[Sequence[Rated]], tuple[Rated, Rated]]
"""From at least two candidates, ordered by index, to (chosen, rejected): two different ones."""


@dataclass(frozen=True, slots=True)
class Picked:
    """The pair of one prompt."""

    chosen: Scored
    rejected: Scored
    margin: float
    """Difference of what the picker compared; above its `min_margin`."""


@dataclass(frozen=True, slots=True)
class NoPair:
    """Why a prompt has none."""

    reason: str
    """`too_few_scored`, `equal_rewards`, `small_margin`, `equal_texts` or `blank_text`."""
    margin: float | None = None
    """Between the two that were compared; None where there were no two."""


@dataclass(frozen=True, slots=True)
class Picker:
    """A configured picker: call it with the candidates of one prompt. Pure."""

    name: str
    options: Mapping[str, JSON]
    """Its effective options, defaults included, so that a run can be described exactly."""
    choose: Choose
    min_margin: float = 0.0
    """The chosen has to be better by more than this; 0 drops ties alone."""

    def __call__(self, candidates: Sequence[Scored]) -> Picked | NoPair:
        """The pair among these, or why there is none; their order does not matter."""
        ordered = sorted(candidates, key=lambda one: one.candidate.index)
        rated = [Rated(one, one.reward) for one in ordered if one.reward is not None]
        if len(rated) < 2:
            return NoPair("too_few_scored")
        chosen, rejected = self.choose(rated)
        margin = chosen.reward - rejected.reward
        if margin <= TOLERANCE:
            return NoPair("equal_rewards", margin)
        if margin <= self.min_margin + TOLERANCE:
            return NoPair("small_margin", margin)
        fault = fault_of(chosen.scored.candidate.text, rejected.scored.candidate.text)
        return NoPair(fault, margin) if fault else Picked(chosen.scored, rejected.scored, margin)


def picker_named(name: str, *, min_margin: float = 0.0, **options: JSON) -> Picker:
    """The picker of this name with these options.

    Raises:
        ConfigError: the name, an option or a value is unknown or makes no sense.
    """
    _check_number("min_margin", min_margin, "a margin is a number from 0")
    build = load_extension("pickers", PICKERS, name)
    if build is None:
        raise ConfigError(
            f"there is no picker `{name}`",
            why=f"known pickers: {', '.join(PICKERS)}",
            fix=did_you_mean(name, PICKERS) or "use one of the known names",
        )
    choose: Choose = made(build, options, f"picker `{name}`")
    defaults = {key: one.default for key, one in inspect.signature(build).parameters.items()}
    return Picker(name, {**defaults, **options}, choose, min_margin)


def max_min() -> Choose:
    """The best against the worst.

    Among equally good ones the shortest, among equally bad ones the longest, then the first.
    """

    def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
        chosen = _best(rated)
        return chosen, _worst(_without(rated, chosen))

    return choose


def max_random() -> Choose:
    """The best against the first other one, as the released code of RLHF Workflow has it."""

    def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
        chosen = _best(rated)
        return chosen, _without(rated, chosen)[0]

    return choose


def max_max() -> Choose:
    """The best against the second best; among equally good second ones the longest."""

    def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
        chosen = _best(rated)
        others = _without(rated, chosen)
        second = max(one.reward for one in others)
        near = [one for one in others if one.reward >= second - TOLERANCE]
        return chosen, _longest(near)

    return choose


def first_two() -> Choose:
    """The first two, whatever else there is: the better against the worse of them.

    Called `random` there and here, since the order of independent samples is.
    """

    def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
        first, second = rated[:2]
        return (first, second) if first.reward >= second.reward else (second, first)

    return choose


def length_penalised(*, penalty: float = LENGTH_PENALTY) -> Choose:
    """Best against worst after `penalty` (reward per character, at least 0) was subtracted.

    The margin is that of the penalised rewards; records and pairs keep the rewards as they were.
    With penalty 0 it is `max_min`.
    """
    _check_number("penalty", penalty, "it is reward per character, and length is never paid for")

    def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
        return max_min()([Rated(one.scored, one.reward - penalty * one.n_chars) for one in rated])

    return choose


def rho_window(*, rho: float = RHO) -> Choose:
    """The shortest of the good against the longest of the bad: length-controlled.

    With the highest reward H and the lowest L among the candidates of the prompt:
    good is who has a reward of at least (1 - rho) H + rho L, that is, within the fraction `rho` of
    the range H - L below the best; bad is who has at most (1 - rho) L + rho H. Chosen is the
    shortest of the good, rejected the longest of the bad, by characters; among equally long ones
    the better as chosen and the worse as rejected, then the first. `rho` lies in [0, 0.5), so that
    nobody is both while H > L. With `rho` 0 it is `max_min`.
    """
    _check_number("rho", rho, "it is a part of the range, from 0 to below a half", below=0.5)

    def choose(rated: Sequence[Rated]) -> tuple[Rated, Rated]:
        high = max(one.reward for one in rated)
        low = min(one.reward for one in rated)
        reach = rho * (high - low) + TOLERANCE
        good = [one for one in rated if one.reward >= high - reach]
        chosen = min(good, key=lambda one: (one.n_chars, -one.reward, one.index))
        bad = [one for one in _without(rated, chosen) if one.reward <= low + reach]
        return chosen, min(bad, key=lambda one: (-one.n_chars, one.reward, one.index))

    return choose


def _best(rated: Sequence[Rated]) -> Rated:
    high = max(one.reward for one in rated)
    near = [one for one in rated if one.reward >= high - TOLERANCE]
    return min(near, key=lambda one: (one.n_chars, one.index))


def _worst(rated: Sequence[Rated]) -> Rated:
    low = min(one.reward for one in rated)
    return _longest([one for one in rated if one.reward <= low + TOLERANCE])


def _longest(rated: Sequence[Rated]) -> Rated:
    return min(rated, key=lambda one: (-one.n_chars, one.index))


def _without(rated: Sequence[Rated], chosen: Rated) -> list[Rated]:
    return [one for one in rated if one is not chosen]


def _check_number(name: str, value: object, why: str, *, below: float = math.inf) -> None:
    """Refuse what a config gave if it is no number from 0 to below a bound."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
        raise ConfigError(f"`{name}` is `{value}`", why=why, fix="correct the picker's option")
