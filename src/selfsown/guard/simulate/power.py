"""How often the guard sees a planted collapse, and how often it cries wolf."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfsown.guard.judge import judge
from selfsown.guard.lineage import Depths
from selfsown.guard.losses import losses_of
from selfsown.guard.measure import Ruler
from selfsown.guard.policy import Level, Policy
from selfsown.guard.record import GuardRecord
from selfsown.guard.sample import Settings
from selfsown.guard.simulate.planted import PLANTED, PlantedSource

ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """One loop with one planted collapse."""

    plant: str
    run: int
    levels: tuple[Level, ...]
    """The verdict of rounds 1, 2."""
    rules: tuple[str, ...]
    """The rules that alarmed, each once."""


@dataclass(frozen=True, slots=True)
class Caught:
    """What the guard saw of one plant in all runs; shares in [0, 1]."""

    plant: str
    runs: int
    first_round: float
    """Runs with an alarm in round 1."""
    flagged: float
    """Runs with an alarm in any round."""
    stopped: float
    """Runs with a stop in any round."""
    alarmed_rounds: float
    """Rounds with an alarm; in the healthy loop these are false."""
    rules: tuple[tuple[str, int], ...]
    """The rules that alarmed in most runs, at most five, with the number of runs."""


def caught(found: Sequence[Trial]) -> list[Caught]:
    """Trials counted by plant, in the order of `PLANTED`; at least one of each."""
    counted: list[Caught] = []
    for plant in PLANTED:
        mine = [trial for trial in found if trial.plant == plant]
        alarmed = [[level != "pass" for level in trial.levels] for trial in mine]
        rules = Counter(rule for trial in mine for rule in trial.rules)
        counted.append(
            Caught(
                plant,
                len(mine),
                first_round=sum(levels[0] for levels in alarmed) / len(mine),
                flagged=sum(map(any, alarmed)) / len(mine),
                stopped=sum("stop" in trial.levels for trial in mine) / len(mine),
                alarmed_rounds=sum(map(sum, alarmed)) / len(mine) / ROUNDS,
                rules=tuple(rules.most_common(5)),
            )
        )
    return counted


def trials(
    runs: Sequence[int], settings: Settings, policy: Policy | None = None
) -> Iterator[Trial]:
    """Every planted collapse, and the healthy loop, once per run; each run has its own reference.

    Round 0 is healthy; the reference has three rows for each row of a sample.
    """
    for run in runs:
        source = PlantedSource(run)
        ruler = Ruler(source.draw(3 * settings.m, 0), settings)
        first = _record(ruler, source, 0, 1, "healthy")
        for number, plant in enumerate(PLANTED):
            history, levels, rules = [first], list[Level](), list[str]()
            for round_ in range(1, ROUNDS + 1):
                draw = 2 + number * ROUNDS + round_
                history.append(_record(ruler, source, round_, draw, plant))
                verdict = judge(history, policy)
                levels.append(verdict.level)
                rules += [alarm.rule for alarm in verdict.alarms]
            yield Trial(plant, run, tuple(levels), tuple(dict.fromkeys(rules)))


def _record(ruler: Ruler, source: PlantedSource, round_: int, draw: int, plant: str) -> GuardRecord:
    rows = source.draw(ruler.settings.m, draw, PLANTED[plant](round_))
    return GuardRecord(
        round=round_,
        m=ruler.settings.m,
        sample_seed=ruler.settings.seed,
        reference_hash=ruler.reference.hash,
        metrics={"raw": ruler.measure(rows)},
        depths=Depths(0, 0.0, 0, 0.0),
        losses={"raw": losses_of(ruler.rows_of(rows), ruler.reference)},
    )
