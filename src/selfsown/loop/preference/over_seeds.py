"""Equal loops that differ in their seed, as one table: read from each loop's `loop.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from selfsown.loop.preference.places import PreferencePlaces
from selfsown.report.intervals import over_seeds
from selfsown.report.loop_numbers import Measure
from selfsown.report.preference_numbers import (
    VERSION,
    ArmNumbers,
    ChangeOverSeeds,
    ExperimentNumbers,
    PolicyOverSeeds,
)

BEST: Final = "best of the rounds"
COMPARED: Final = (
    "gold",
    "proxy",
    "gap",
    "second",
    "length",
    "kl_initial",
    "length_matched",
    "anchor",
)
"""Measures of which differences are shown."""

Values = Mapping[int, float]
"""Seed -> a number."""


@dataclass(frozen=True, slots=True)
class ArmOf:
    """An arm of an experiment."""

    name: str
    about: str
    homes: Mapping[int, Path]
    """Seed -> directory of its loop, which may have none yet."""


class _Row(NamedTuple):
    """One policy of one loop."""

    name: str
    is_own: bool
    """The initial one, or of the loop's own rounds."""
    is_end: bool
    """What a line came to: the policy that was promoted last."""
    after: int
    measures: Mapping[str, Mapping[str, float]]


class _Policy(NamedTuple):
    """One policy of an arm, in all loops that have it."""

    arm: str
    row: _Row
    """Of the loop that has most policies."""
    values: Mapping[str, Values]
    """Measure -> seed -> mean over prompts."""

    @property
    def title(self) -> str:
        """Arm and policy."""
        return f"{self.arm}: {self.row.name}"


def experiment_numbers(
    out: Path,
    about: str,
    arms: Sequence[ArmOf],
    compared: Sequence[tuple[str, str]],
    refused: Mapping[str, str],
) -> ExperimentNumbers:
    """What the loops of an experiment came to, so far.

    Args:
        out: of the experiment.
        about: what it is, in a sentence.
        arms: in the order of the page.
        compared: names of arms; the second's last round is compared with the first's.
        refused: see `ExperimentNumbers`.
    """
    policies = {arm.name: _policies(arm) for arm in arms}
    pairs = [pair for found in policies.values() for pair in _within(found)]
    pairs += _between(policies, compared)
    return ExperimentNumbers(
        version=VERSION,
        name=out.name,
        about=about,
        seeds=tuple(dict.fromkeys(seed for arm in arms for seed in arm.homes)),
        arms=tuple(
            ArmNumbers(
                name=arm.name,
                about=arm.about,
                pages={
                    str(seed): str(PreferencePlaces(home).page.relative_to(out))
                    for seed, home in arm.homes.items()
                    if PreferencePlaces(home).page.is_file()
                },
            )
            for arm in arms
        ),
        policies=tuple(_shown(one) for found in policies.values() for one in found),
        changes=tuple(change for first, second in pairs for change in _changes(first, second)),
        refused=dict(sorted(refused.items())),
    )


def measure_of(values: Sequence[float]) -> Measure:
    """The mean with its interval by Student's t; of one number an interval of no width."""
    return over_seeds(values) if len(values) > 1 else Measure(values[0], values[0], values[0])


def _policies(arm: ArmOf) -> list[_Policy]:
    """The policies of an arm, in the order of the loop that has most of them."""
    loops = {
        seed: list(_rows(orjson.loads(PreferencePlaces(home).numbers.read_bytes())))
        for seed, home in arm.homes.items()
        if PreferencePlaces(home).numbers.is_file()
    }
    found = []
    for row in max(loops.values(), key=len, default=[]):
        values: dict[str, dict[int, float]] = {}
        for seed, rows in loops.items():
            own = next((one for one in rows if one.name == row.name), None)
            for metric, measure in own.measures.items() if own else ():
                values.setdefault(metric, {})[seed] = measure["value"]
        found.append(_Policy(arm.name, row, values))
    return found


def _rows(form: Mapping[str, Any]) -> Iterator[_Row]:
    """The policies of a loop: its rounds, the best of them, and its controls."""
    first, *controls = form["lines"]
    own = [form["initial"], *first["policies"]]
    end = _promoted(first) or form["initial"]["name"]
    for one in own:
        yield _row(one, is_own=True, is_end=one["name"] == end)
    best = next(one for one in own if one["name"] == form["best"]["name"])
    yield _row({**best, "name": BEST}, is_own=False, is_end=False)
    for line in controls:
        end = _promoted(line) if line["rounds"] else line["policies"][-1]["name"]
        for one in line["policies"]:
            yield _row(one, is_own=False, is_end=one["name"] == end)


def _promoted(line: Mapping[str, Any]) -> str | None:
    """The name of the policy that was promoted last, if any was."""
    kept = [one["policy"] for one in line["rounds"] if one["decision"] == "promoted"]
    return kept[-1]["name"] if kept and kept[-1] else None


def _row(form: Mapping[str, Any], *, is_own: bool, is_end: bool) -> _Row:
    return _Row(form["name"], is_own, is_end, form["after"], form["measures"])


def _shown(policy: _Policy) -> PolicyOverSeeds:
    by_seed = {name: tuple(found.values()) for name, found in policy.values.items()}
    return PolicyOverSeeds(
        arm=policy.arm,
        name=policy.row.name,
        is_drawn=policy.row.is_own,
        after=policy.row.after,
        measures={name: measure_of(values) for name, values in by_seed.items()},
        by_seed=by_seed,
    )


def _within(policies: Sequence[_Policy]) -> Iterator[tuple[_Policy, _Policy]]:
    """The initial policy and every control, each with the last of the rounds."""
    last = next((one for one in policies if one.row.is_own and one.row.is_end), None)
    if last is None or last is policies[0]:
        return
    yield policies[0], last
    for one in policies:
        if one.row.is_end and not one.row.is_own:
            yield one, last


def _between(
    policies: Mapping[str, Sequence[_Policy]], compared: Sequence[tuple[str, str]]
) -> Iterator[tuple[_Policy, _Policy]]:
    """The last rounds of two arms."""
    for names in compared:
        ends = [
            one for name in names for one in policies[name] if one.row.is_own and one.row.is_end
        ]
        if len(ends) == 2:  # an arm that was refused at once has none
            yield ends[0], ends[1]


def _changes(first: _Policy, second: _Policy) -> Iterator[ChangeOverSeeds]:
    """The differences of two policies, in every measure that both have, seed by seed."""
    for metric in COMPARED:
        before, after = first.values.get(metric, {}), second.values.get(metric, {})
        by_seed = tuple(after[seed] - before[seed] for seed in before if seed in after)
        if by_seed:
            yield ChangeOverSeeds(
                first=first.title,
                second=second.title,
                metric=metric,
                measure=measure_of(by_seed),
                by_seed=by_seed,
            )
