"""How a round ended, as a file, and what decides whether its policy writes the next round.

A policy is promoted if nothing that was measured fell: its judging of the anchor by more than two
standard errors, and neither the evaluation's score nor that of a second scorer, by the paired
interval over validation prompts. The proxy decides nothing: pairs are made to raise it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Final, Literal

import orjson

from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.evaluate.intervals import PairedTest, paired_test
from selfsown.loop.preference.anchor import Anchored, change
from selfsown.loop.preference.measure import Probe
from selfsown.loop.preference.sections import Measured, PromotionConfig, Score

SCORES: Final[tuple[Score, ...]] = ("gold", "second", "proxy")
"""What may say which policy is the best, the one to be believed most first."""
Decision = Literal["promoted", "rolled_back"]
"""The trained policy writes the next round; or the one before does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a round ended."""

    round: int
    decision: Decision
    reason: str
    policy: str
    """URI of the model that wrote the answers."""
    policy_hash: str
    pairs: int
    """Pairs that were trained on or, where the training failed, were to be."""
    model: str = ""
    """URI of the policy that was trained; empty if the training failed."""
    model_hash: str = ""
    model_depth: int = 0
    """Trainings on machine data behind it."""
    reference: Mapping[str, JSON] | None = None
    """Kind, folder and hash of what the training stayed close to."""
    tests: Mapping[str, JSON] | None = None
    """What was compared with the policy before: `anchor`, `gold`, `second`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the gate knows of a policy."""

    scores: Mapping[Measured, Mapping[str, float]]
    """`gold` and `second`, where they are measured: prompt -> mean over its answers."""
    anchor: Anchored | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best of the iterations on validation prompts."""

    round: int | None
    """Whose training made it; None for the initial policy."""
    folder: str
    """Of its model."""
    by: Score
    """The score that says so."""
    value: float | None
    """Its mean over the prompts on which all have that score; None where nothing was measured: then
    it is the last promoted policy."""


def best_of(probes: Mapping[int | None, tuple[Path, Probe]], by: Score | None) -> Best:
    """The best of the initial policy and the promoted ones; of equal ones the earlier.

    Args:
        probes: round, or None for the initial policy -> folder of the model and its probe, in the
            order of rounds.
        by: the score that decides; None for the first of gold, second, proxy that all have.
    """
    found = {name: _means(probes, name) for name in ((by,) if by else SCORES)}
    for name, means in found.items():
        if means:
            number = max(means, key=lambda one: means[one])  # the first of equal ones
            return Best(round=number, folder=str(probes[number][0]), by=name, value=means[number])
    last = list(probes)[-1]
    return Best(round=last, folder=str(probes[last][0]), by=next(iter(found)), value=None)


def write_ending(path: Path, ending: Ending) -> None:
    """Write the last file of a round."""
    text = orjson.dumps(asdict(ending), option=orjson.OPT_INDENT_2).decode()
    write_text(path, text + "\n")


def read_ending(path: Path) -> Ending | None:
    """How a round ended; None if it has not."""
    return Ending(**orjson.loads(path.read_bytes())) if path.is_file() else None


def gate(
    config: PromotionConfig, before: Standing, after: Standing
) -> tuple[Decision, str, Mapping[str, JSON]]:
    """Whether a policy is promoted, why, and the tests by name.

    Args:
        config: what decides, and whether it acts.
        before: the policy that wrote the round's answers.
        after: the one that was trained on them.
    """
    tests = dict(_tests(before, after, config.standard_errors))
    fell = [name for name in config.on if name in tests and tests[name].fell]
    shown = "; ".join(one.words for one in tests.values()) or "nothing was measured"
    forms: dict[str, JSON] = {name: one.form for name, one in tests.items()}
    if fell and config.acts:
        return "rolled_back", f"{' and '.join(fell)} fell: {shown}", forms
    off = f"{' and '.join(fell)} fell, and the gate is off" if fell else "nothing fell"
    return "promoted", f"{off}: {shown}", forms


@dataclass(frozen=True, slots=True)
class _Test:
    fell: bool
    words: str
    form: dict[str, JSON]


def _tests(
    before: Standing, after: Standing, standard_errors: float
) -> Iterator[tuple[Measured, _Test]]:
    if before.anchor is not None and after.anchor is not None:
        yield "anchor", _anchor_test(before.anchor, after.anchor, standard_errors)
    for name, old in before.scores.items():
        common = sorted(old.keys() & after.scores.get(name, {}).keys())
        if common:
            new = after.scores[name]
            found = paired_test([old[one] for one in common], [new[one] for one in common])
            yield name, _score_test(name, found)


def _anchor_test(before: Anchored, after: Anchored, standard_errors: float) -> _Test:
    rise, error = change(before, after)
    form: dict[str, JSON] = {
        "before": before.accuracy,
        "after": after.accuracy,
        "difference": rise,
        "standard_error": error,
        "fell": rise < -standard_errors * error,
    }
    words = (
        f"anchor {before.accuracy:.1%} -> {after.accuracy:.1%}, difference {100 * rise:+.1f}"
        f" (standard error {100 * error:.1f})"
    )
    return _Test(bool(form["fell"]), words, form)


def _score_test(name: str, found: PairedTest) -> _Test:
    change_ = found.difference
    form: dict[str, JSON] = {
        "prompts": found.n,
        "difference": change_.mean,
        "low": change_.low,
        "high": change_.high,
        "wins": found.wins,
        "losses": found.losses,
        "fell": found.fell,
    }
    words = f"{name} {change_.mean:+.3g} ({change_.low:+.3g} to {change_.high:+.3g})"
    return _Test(found.fell, words, form)


def _means(probes: Mapping[int | None, tuple[Path, Probe]], name: Score) -> dict[int | None, float]:
    """Over the prompts on which all of them have the score; empty if there is none."""
    scores = {number: one.by_prompt.get(name, {}) for number, (_, one) in probes.items()}
    common = set.intersection(*(set(one) for one in scores.values()))
    if not common:
        return {}
    return {
        number: fmean(one[prompt] for prompt in sorted(common)) for number, one in scores.items()
    }
