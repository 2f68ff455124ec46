"""What the page about a loop says, as plain values; the loop fills them in from its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 1


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float
    baseline: float | None = None
    """The same of an equally large human sample; None where there is none."""


@dataclass(frozen=True, slots=True)
class Score:
    """The mean of a metric on a suite."""

    suite: str
    metric: str
    measure: Measure
    """In [0, 1]."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule of the guard that was broken."""

    rule: str
    level: str
    message: str
    lost: tuple[str, ...]
    """What the sample lacks that human text has."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What a round was trained on."""

    human_rows: int
    synth_rows: Mapping[str, int]
    """Depth of the generating model → records."""
    human_token_share: float
    """Of the tokens seen in training, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a round took; the only numbers that differ between two equal loops."""

    calls: int
    tokens: int
    usd: float
    generate_s: float
    train_s: float


@dataclass(frozen=True, slots=True)
class RoundNumbers:
    """One round."""

    round: int
    decision: str
    """`promoted`, `rolled_back` or `stopped`."""
    reason: str
    generator_depth: int
    """Trainings on machine data behind the model that wrote it."""
    candidates: int
    accepted: int
    overlaps: int
    kept: int
    guard: str
    """`pass`, `warn` or `stop`; empty if it was not asked."""
    alarms: tuple[Alarm, ...]
    remedies: tuple[str, ...]
    diversity: Mapping[str, Measure]
    """Metrics of all candidates, before any filter."""
    curated: Mapping[str, Measure]
    """The same of what was accepted."""
    unbiased: Mapping[str, Measure]
    """The same of a draw at temperature 1; empty if there was none."""
    mix: Mix | None
    scores: tuple[Score, ...]
    """Of the tuned model; empty if none was tuned."""
    cost: Cost


@dataclass(frozen=True, slots=True)
class Before:
    """One held-out question with the answers of the base and of the promoted model."""

    instruction: str
    input: str
    reference: str
    base: str
    tuned: str


@dataclass(frozen=True, slots=True)
class LoopNumbers:
    """One loop."""

    name: str
    about: str
    """One sentence: how its rounds are fed."""
    base: str
    base_scores: tuple[Score, ...]
    rounds: tuple[RoundNumbers, ...]
    examples: tuple[Before, ...]
    ended: str
    """One sentence."""
    ended_well: bool


@dataclass(frozen=True, slots=True)
class Tails:
    """What became of a tail metric in equal loops that differ by their seed."""

    loop: str
    metric: str
    by_seed: tuple[tuple[float, ...], ...]
    """(seeds, rounds) of the unbiased draw; where a loop has none, of all candidates."""
    human: float | None
    """Of an equally large human sample."""
    change: Measure | None
    """From the first round that a tuned model wrote to the last one, relative, mean over seeds;
    None unless two loops got so far, and had any in the first of the two rounds."""
    stops: tuple[int | None, ...]
    """By seed: the first round in which a rule on tails said stop; None if none did."""


@dataclass(frozen=True, slots=True)
class ArmScore:
    """One way of making a model, on one suite and metric."""

    arm: str
    about: str
    suite: str
    metric: str
    measure: Measure
    """Mean over seeds and instances; the interval resamples both."""
    seeds: int
    rows: int
    """Training rows, mean over seeds; 0 for an untrained model."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired difference of two arms."""

    first: str
    second: str
    suite: str
    metric: str
    measure: Measure
    """Second minus first; the interval resamples seeds and instances."""
    by_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Arms beside each other."""

    scores: tuple[ArmScore, ...]
    differences: tuple[Difference, ...]
    precision: Mapping[str, float]
    """Seed → share of the generated records that the oracle calls right; empty off the lab."""
    examples: tuple[Before, ...]


@dataclass(frozen=True, slots=True)
class PageNumbers:
    """Everything on one page, and in `loop.json`."""

    version: int
    name: str
    loops: tuple[LoopNumbers, ...]
    comparison: Comparison | None = None
    tails: tuple[Tails, ...] = ()
    """Over all seeds of the loops, of which the page draws the first."""
