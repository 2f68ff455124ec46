"""Planted collapses are flagged by round 2, healthy rounds are left in peace.

A reduced run; `benchmarks/guard_power.py` prints the table for 100 runs.
"""

from __future__ import annotations

import pytest

from selfsown.guard.judge import judge
from selfsown.guard.lineage import Depths
from selfsown.guard.measure import Ruler
from selfsown.guard.record import GuardRecord
from selfsown.guard.sample import Settings
from selfsown.guard.simulate.planted import PLANTED, Knobs, PlantedSource
from selfsown.guard.simulate.power import trials


@pytest.mark.slow
def test_planted_collapses_are_flagged_and_healthy_rounds_are_not() -> None:
    found = list(trials(range(6), Settings(m=300, replicates=30)))
    assert {trial.plant for trial in found} == set(PLANTED)
    for trial in found:
        alarmed = any(level != "pass" for level in trial.levels)
        assert alarmed == (trial.plant != "healthy"), trial


def test_the_rule_names_what_was_planted() -> None:
    (temperature, repetition, topics, labels, _) = trials([100], Settings(m=300, replicates=30))
    assert {"distinct_2", "vendi"} <= set(temperature.rules)
    assert {"self_bleu_4", "compression_ratio"} <= set(repetition.rules)
    assert {"rare_word_recall"} <= set(topics.rules)
    assert {"rare_label_recall"} <= set(labels.rules)


def test_knobs_do_what_they_say() -> None:
    source = PlantedSource(3)
    assert source.draw(50, 1) == source.draw(50, 1) != source.draw(50, 2)
    human, lost = source.draw(2000, 1), source.draw(2000, 2, Knobs(labels_lost=0.2))
    gone = {row.label for row in human} - {row.label for row in lost}
    assert sum(row.label in gone for row in human) / 2000 == pytest.approx(0.19, abs=0.04)
    repeated = source.draw(2000, 3, Knobs(repeated=0.3))
    assert len(set(repeated)) / 2000 == pytest.approx(0.7, abs=0.05)


def test_turning_the_temperature_down_first_warns_and_then_stops() -> None:
    source, settings = PlantedSource(4), Settings(m=300, replicates=30)
    ruler = Ruler(source.draw(900, 0), settings)
    history, levels, changes = [], [], []
    for round_, temperature in enumerate((1.0, 0.97, 0.87, 0.75, 0.6)):
        rows = source.draw(300, 1 + round_, Knobs(temperature=temperature))
        measured = {"raw": ruler.measure(rows)}
        history.append(
            GuardRecord(round_, 300, 0, "one", measured, Depths(0, 0.0, 0, 0.0), {"raw": ()})
        )
        verdict = judge([history[0], history[-1]])
        levels.append(verdict.level)
        changes.append({alarm.rule: (alarm.level, alarm.change) for alarm in verdict.alarms})
    assert levels == ["pass", "pass", "warn", "stop", "stop"]
    for level, change in (pair for alarms in changes for pair in alarms.values()):
        assert change is not None and level == ("stop" if change >= 0.25 else "warn")
