"""Claim: `selfsown loop` says what it cannot take before it makes anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.cli.loop import lab_variants

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
