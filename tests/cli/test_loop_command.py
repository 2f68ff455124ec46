"""Claim: `selfsown loop` says what it cannot take before it makes anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.cli.loop import lab_variants
from selfsown.loop import experiment, rounds
from selfsown.loop.preference import experiment as preference_experiment

Program = Callable[..., tuple[int, str, str]]


def test_set_adds_an_arm_of_other_options_to_the_lab_experiment() -> None:
    assert lab_variants(()) == {}
    given = ("options.answer_votes=3", "answer.temperature=0.5")
    name = "Self-Instruct, answer_votes=3, answer.temperature=0.5"
    assert lab_variants(given) == {name: {"answer_votes": 3, "answer": {"temperature": 0.5}}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "seeds=lab:50"), "takes options of the recipe alone"),
        (("--set", "options=3"), "takes options of the recipe alone"),
        (("--rounds", 2), "takes `-o DIR`"),
        (("--set", "options.answer_vote=3"), "answer_votes"),
    ],
)
def test_the_lab_experiment_refuses_what_it_cannot_take(
    selfsown: Program, arguments: tuple[object, ...], said: str
) -> None:
    code, _, stderr = selfsown("loop", "--lab-experiment", "-o", "x", *arguments)
    assert code == 2 and said in stderr
    assert not Path("x/arms").exists()


@pytest.mark.parametrize("arguments", [("--rounds", 2), ("--set", "rounds=2"), ("loop.yaml",)])
def test_the_preference_experiment_refuses_what_it_cannot_take(
    selfsown: Program, arguments: tuple[object, ...]
) -> None:
    code, _, stderr = selfsown("loop", "--lab-preferences", "-o", "x", *arguments)
    assert code == 2 and "takes `-o DIR` and `--repeat`" in stderr
    assert not Path("x").exists()


@pytest.mark.parametrize("assignment", ["seeds", "=3", "seeds=["])
def test_set_refuses_what_is_no_assignment(selfsown: Program, assignment: str) -> None:
    code, _, stderr = selfsown("loop", "-o", "x", "--set", assignment)
    assert code == 2 and f"`--set {assignment}`" in stderr and "Traceback" not in stderr


def test_set_reaches_every_key_and_keeps_those_beside_it(selfsown: Program) -> None:
    Path("loop.yaml").write_text("seeds: lab\nsuites: [lab-plain]\ngate: {suite: lab-plain}\n")
    code, _, stderr = selfsown("loop", "loop.yaml", "-o", "x", "--set", "gate.metric=blue")
    assert code == 2 and "`blue` on `lab-plain`" in stderr


def stopped(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "arguments",
    [
        ("--lab-experiment",),
        ("--lab-preferences",),
        ("--set", "seeds=lab", "--set", "suites=[lab-plain]"),
    ],
)
def test_ctrl_c_in_any_stage_prints_the_command_that_goes_on(
    selfsown: Program, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(rounds, "turn", stopped)
    monkeypatch.setattr(experiment, "experiment", stopped)
    monkeypatch.setattr(preference_experiment, "run_experiment", stopped)
    code, _, stderr = selfsown("loop", "-o", "x", *arguments)
    assert code == 130
    (resume,) = (line for line in stderr.splitlines() if line.startswith("resume: "))
    assert "loop -o x" in resume and arguments[0] in resume
