"""Claim: a model is promoted only if the deciding metric did not fall beyond chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfsown.evaluate.results import Results
from selfsown.evaluate.score import score_answers
from selfsown.evaluate.suite import Instance, Suite
from selfsown.loop.config import GateConfig
from selfsown.loop.ending import Ending, gate, read_ending, write_ending
from selfsown.loop.places import RoundPlaces

COUNT = 60
SUITE = Suite(
    name="own",
    about="",
    instances=tuple(
        Instance(id=str(n), instruction="Say it.", references=("yes",), prompt=f"{n}")
        for n in range(COUNT)
    ),
    metrics=("exact_match", "rouge_l"),
)


def results(right: int) -> Results:
    """A model that has the first so many answers right."""
    answers = {str(n): "yes" if n < right else "no" for n in range(COUNT)}
    return Results("m", (score_answers(SUITE, answers),))


@pytest.mark.parametrize(
    ("before", "after", "decision"),
    [(10, 40, "promoted"), (30, 30, "promoted"), (30, 29, "promoted"), (40, 10, "rolled_back")],
)
def test_only_a_fall_beyond_chance_rolls_back(before: int, after: int, decision: str) -> None:
    found, reason, test = gate(GateConfig(), results(before), results(after))
    assert found == decision
    assert "`exact_match` on `own`" in reason
    assert test["metric"] == "exact_match"


def test_a_gate_that_is_off_promotes_and_says_so() -> None:
    found, reason, test = gate(GateConfig(acts=False), results(40), results(10))
    assert found == "promoted"
    assert "the gate is off" in reason
    assert test["fell"] is True


def test_an_ending_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    places = RoundPlaces(tmp_path)
    assert read_ending(places) is None
    _, reason, test = gate(GateConfig(), results(10), results(40))
    ending = Ending(3, "promoted", reason, "lab", 0, model="lab:x", model_depth=1, test=test)
    write_ending(places, ending)
    assert read_ending(places) == ending
