"""The measures of a policy: their order, names, units and meanings, for pages and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.report.loop_numbers import Measure

_FINE: Final = 0.1


@dataclass(frozen=True, slots=True)
class About:
    """What a measure is."""

    title: str
    meaning: str
    """In words that define it."""
    is_share: bool = False
    """A part in [0, 1], shown as per cent."""
    has_sign: bool = False
    """A rise or fall, shown with its sign."""
    is_fine: bool = False
    """Small values tell: they are shown with two significant digits."""


MEASURES: Final[Mapping[str, About]] = {
    "gold": About(
        "gold", "Mean reward by what evaluates, on its own scale. No pair is made by it."
    ),
    "proxy": About("proxy", "Mean reward by the scorer that pairs are made by, on its own scale."),
    "second": About(
        "second scorer",
        "Mean reward by a second scorer that no pair is made by, on its own scale.",
    ),
    "gold_gain": About(
        "gain by gold",
        "Gold less the initial policy's gold, over s: the standard deviation of gold within the"
        " initial policy's answers to one prompt, pooled over prompts.",
        has_sign=True,
    ),
    "proxy_gain": About("gain by proxy", "The same of the proxy.", has_sign=True),
    "second_gain": About("gain by second scorer", "The same of the second scorer.", has_sign=True),
    "gap": About(
        "gap",
        "Gain by proxy less gain by gold: how much more the scorer believes to have gained than"
        " was. A gain is the mean less the initial policy's, over s, as the two scales differ: s is"
        " the standard deviation of that scorer's rewards within the initial policy's answers to"
        " one prompt, pooled over prompts.",
        has_sign=True,
    ),
    "length": About("length", "Characters of an answer."),
    "kl_initial": About(
        "KL to initial",
        "KL(policy || initial policy), in nats per answer: of the two exact distributions of the"
        " next token, summed over the tokens of the policy's own answers and their ends.",
        is_fine=True,
    ),
    "kl_reference": About(
        "KL to reference", "The same to what its training was to stay close to.", is_fine=True
    ),
    "win_rate": About(
        "win rate",
        "Answer against the initial policy's answer to the same prompt, decided by gold (without it"
        " by the second scorer, else by the proxy); a tie is one half.",
        is_share=True,
    ),
    "length_matched": About(
        "win rate, equal length",
        "Answer against the initial policy's answer to the same prompt, decided by gold (without it"
        " by the second scorer, else by the proxy), a tie one half; length is taken out by a"
        " logistic model of the difference in length.",
        is_share=True,
    ),
    "anchor": About(
        "judging",
        "Share of the labelled pairs of answers that it judges as people did; a tie, or what cannot"
        " be read, is one half.",
        is_share=True,
    ),
    "pair_yield": About(
        "pair yield", "Pairs per prompt, in the round that it was trained on.", is_share=True
    ),
    "tie_rate": About(
        "ties",
        "Part of the prompts with two rewards or more whose answers all got the same one.",
        is_share=True,
    ),
}
"""Name -> what it is, in the order in which pages show them."""

TABLE: Final = (
    *("gold", "proxy", "gap", "second", "length", "kl_initial", "length_matched", "anchor"),
    "pair_yield",
)
"""Measures that tables have, where they were measured."""


def measured(policies: Iterable[Mapping[str, object]], names: Sequence[str]) -> list[str]:
    """Those of the named measures that any policy, or difference, has; in the given order."""
    known = {name for measures in policies for name in measures}
    return [name for name in names if name in known]


def measure_text(measure: Measure, name: str) -> str:
    """A measure with its interval: `0.61 (0.55 to 0.67)`, `54.0 (48.1 to 60.2)` per cent.

    One whose interval has no width is the number alone.
    """
    return _whole(number_text(measure.value, name), interval_text(measure, name))


def change_text(measure: Measure, name: str) -> str:
    """The difference of two such measures, with its sign."""
    value, interval = (
        number_text(measure.value, name, signed=True),
        interval_text(measure, name, signed=True),
    )
    return _whole(value, interval)


def interval_text(measure: Measure, name: str, *, signed: bool = False) -> str:
    """The ends of its interval: `0.55 to 0.67`; empty where it has no width."""
    if measure.low == measure.high:
        return ""
    low, high = (number_text(one, name, signed=signed) for one in (measure.low, measure.high))
    return f"{low} to {high}"


def number_text(value: float, name: str, *, signed: bool = False) -> str:
    """One number of a measure; shares times 100. What rounds to 0 has no sign."""
    about = MEASURES[name]
    sign = "+" if signed or about.has_sign else ""
    if about.is_share:
        text = f"{100 * value:{sign}.1f}"
    elif about.is_fine and abs(value) < _FINE:
        text = f"{value:{sign}.2g}"
    elif abs(value) >= 1000:
        text = f"{value:{sign},.0f}"
    else:
        text = f"{value:{sign}.{1 if abs(value) >= 10 else 2}f}"
    return text if text.strip("+-0.,") else text.lstrip("+-")


def title_text(name: str) -> str:
    """What a measure is called, with its unit."""
    return MEASURES[name].title + (", %" if MEASURES[name].is_share else "")


def _whole(value: str, interval: str) -> str:
    return f"{value} ({interval})" if interval else value
