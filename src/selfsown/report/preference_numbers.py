"""What the pages about preference loops say, as plain values; the loop fills them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selfsown.report.loop_numbers import Measure

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNumbers:
    """One policy on the validation prompts."""

    name: str
    """`initial policy`, `round 0`, ...; of controls with the control's name."""
    after: int
    """Rounds whose prompts it was trained on: its place on the horizontal axis."""
    folder: str
    """Of its weights."""
    measures: Mapping[str, Measure]
    """Name -> number, see `preference_measures.py`; what was not measured is not in it."""
    asked: int
    """Answers that were asked for."""
    answered: int
    """Answers that came."""
    is_kl_unbiased: bool
    """Whether the KL is of answers at temperature 1 from all tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceRound:
    """One round."""

    round: int
    decision: str
    """`promoted` or `rolled_back`."""
    reason: str
    prompts: int
    pairs: int
    dropped: Mapping[str, int]
    """Why a prompt gave no pair -> prompts."""
    parse_rate: float | None
    """Part of the judgements that could be read; None where nothing is scored."""
    tie_rate: float | None
    """Part of the comparable prompts whose answers are all equally good."""
    pair_yield: float | None
    """Pairs per prompt."""
    warnings: tuple[str, ...]
    """Floors that were missed."""
    policy: PolicyNumbers | None
    """The trained one; None if the training failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineNumbers:
    """The loop's own rounds, or a control: policies that come from the initial one."""

    name: str
    about: str
    """A few words."""
    rounds: tuple[PreferenceRound, ...]
    """Empty for a control of one training."""
    policies: tuple[PolicyNumbers, ...]
    """In the order in which they came; the last is what it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestNumbers:
    """The best of the iterations, on validation prompts."""

    name: str
    folder: str
    """Of its weights."""
    by: str
    """The score that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceNumbers:
    """One preference loop: `loop.json`, and everything on its page."""

    version: int
    name: str
    recipe: str
    about: str
    """One sentence: who scores, which pair, what DPO stays close to."""
    initial: PolicyNumbers
    lines: tuple[LineNumbers, ...]
    """The loop's own rounds first, then its controls."""
    best: BestNumbers | None
    """None before the first round has ended."""
    ended: str
    """One sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOverSeeds:
    """Equal policies of loops that differ in their seed."""

    arm: str
    name: str
    """As `PolicyNumbers.name`; or `best of the rounds`, whichever that was."""
    is_drawn: bool
    """Whether it is a point of the arm's curve: the initial policy, and those of its rounds."""
    after: int
    measures: Mapping[str, Measure]
    """Means over seeds with 95 % intervals by Student's t; with one seed an interval of no width.
    What a seed lacks is missing here."""
    by_seed: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOverSeeds:
    """How one policy differs from another of the same seed."""

    first: str
    """Arm and policy."""
    second: str
    metric: str
    measure: Measure
    """Second minus first, mean over seeds."""
    by_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmNumbers:
    """One config, turned with several seeds."""

    name: str
    about: str
    pages: Mapping[str, str]
    """Seed -> its loop's page, relative to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentNumbers:
    """Arms over seeds: `loop.json` of an experiment, and everything on its page."""

    version: int
    name: str
    about: str
    seeds: tuple[int, ...]
    arms: tuple[ArmNumbers, ...]
    policies: tuple[PolicyOverSeeds, ...]
    changes: tuple[ChangeOverSeeds, ...]
    refused: Mapping[str, str]
    """Arm and seed -> why a gate refused to go on; their rounds before that count."""

    @property
    def differences(self) -> dict[tuple[str, str], dict[str, ChangeOverSeeds]]:
        """(first, second) -> measure -> how they differ."""
        found: dict[tuple[str, str], dict[str, ChangeOverSeeds]] = {}
        for one in self.changes:
            found.setdefault((one.first, one.second), {})[one.metric] = one
        return found
