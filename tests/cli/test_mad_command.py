"""Claim: `selfsown mad` prints what it found, and trains nothing unless that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.guard.simulate import study
from selfsown.guard.simulate.closed_forms import ClosedForm
from selfsown.guard.simulate.orderings import Ordering
from selfsown.guard.simulate.study import Study
from selfsown.guard.simulate.worlds import WORLDS
from selfsown.loop.lab_loops import LAB

Program = Callable[..., tuple[int, str, str]]


def test_an_unknown_world_is_named_beside_those_there_are(selfsown: Program) -> None:
    code, _, stderr = selfsown("mad", "--world", "mars")
    assert code == 2 and "unknown world `mars`" in stderr
    assert all(f"--world {name}" in stderr for name in (*WORLDS, "lab"))


def test_json_holds_closed_forms_loops_and_planted_collapses(selfsown: Program) -> None:
    code, stdout, _ = selfsown(
        "mad", "--json", "--world", "unigram", "--rounds", 2, "--planted", 1, "-o", "out"
    )
    found = json.loads(stdout)
    assert code == 0
    assert set(found["closed_forms"][0]) == {"name", "expected", "measured", "standard_error"}
    assert set(found["loops"]) == {"gaussian", "wide", "unigram"}
    assert {len(rounds) for rounds in found["loops"]["unigram"].values()} == {3}
    assert [one["plant"] for one in found["planted"]][-1] == "healthy"
    assert json.loads(Path("out/mad.json").read_text()) == found
    page = Path("out/mad.html").read_text()
    assert "planted collapses" in page and "temperature decay" in page


def test_what_does_not_hold_is_named_and_ends_with_1(
    selfsown: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = [ClosedForm("variance", 1.0, 1.0, 0.1), ClosedForm("mean", 1.0, 1.4, 0.1)]
    orderings = [Ordering("more is more", True, (1,)), Ordering("less is less", False, (1,))]
    found = Study(0, forms, [], {}, orderings, {})
    monkeypatch.setattr(study, "run_study", lambda *_: found)
    code, stdout, stderr = selfsown("mad")
    assert code == 1 and "variance" in stdout
    assert "error: does not hold: mean; less is less" in stderr and "--seed" in stderr


def test_the_lab_is_left_out_unless_it_is_asked_for(
    selfsown: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, int]] = []

    def simulate(*arguments: object, **_: object) -> Study:
        (worlds,) = (one for one in arguments if isinstance(one, dict))
        asked.append({name: experiment.rounds for name, experiment in worlds.items()})
        return Study(0, [], [], {}, [], {})

    monkeypatch.setattr(study, "run_study", simulate)
    assert LAB.cost in selfsown("mad", "--world", "lab")[2]
    selfsown("mad")
    assert asked == [{"lab": 4}, {"unigram": 8, "bigram": 8}]
