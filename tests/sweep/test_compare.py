"""Claim: arms are compared in pairs, and the choice is by real text, then by tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from selfsown.cli.sweep_tables import comparison_lines, mix_command
from selfsown.core.errors import ConfigError
from selfsown.mixing.sources import MixSource
from selfsown.sweep.arms import Student, ratio_arms
from selfsown.sweep.compare import compare, tokens_to
from selfsown.sweep.given import given_design
from selfsown.sweep.measure import Answered
from selfsown.sweep.student import Point


def _student(
    arm: str, losses: Sequence[float], right: int, *, human: float = 0.5, seed: int = 0
) -> Student:
    curve = (Point(100, {"web": losses[0] + 2}), Point(200, {"web": sum(losses) / len(losses)}))
    answers = tuple(Answered(number < right, 1.0) for number in range(10))
    return Student(arm, seed, 200, human, {"web": 1.0}, curve, {"web": tuple(losses)},
                   {"facts": answers}, 1.0)  # fmt: skip


BASE = [1.0, 2.0, 3.0, 2.0, 1.5, 2.5]
STUDENTS = [
    *(_student("real only", BASE, 3, human=1.0, seed=seed) for seed in (0, 1)),
    *(_student("qa 50 %", [x - 0.20 for x in BASE], 5, seed=seed) for seed in (0, 1)),
    *(_student("qa 30 %", [x - 0.15 - 0.1 * (k % 2) for k, x in enumerate(BASE)], 8, seed=seed)
      for seed in (0, 1)),
    *(_student("qa only", [x - 0.5 for x in BASE], 9, human=0.0, seed=seed) for seed in (0, 1)),
]  # fmt: skip


def test_differences_are_taken_document_by_document() -> None:
    rows = {
        row.arm: row for row in compare(STUDENTS, reference="real only", decided_by=["web"]).rows
    }
    less = rows["qa 50 %"].difference
    assert less is not None
    # Losses of the documents lie 2 apart, their differences are all -0.20: the interval is a point.
    assert (less.value, less.low, less.high) == pytest.approx((-0.2, -0.2, -0.2))
    assert rows["real only"].difference is None


def test_of_arms_that_cannot_be_told_apart_the_best_at_tasks_is_chosen() -> None:
    found = compare(STUDENTS, reference="real only", decided_by=["web"])
    assert set(found.candidates) == {"qa 50 %", "qa 30 %"}
    assert found.chosen == "qa 30 %"


def test_what_people_wrote_none_of_is_chosen_only_if_allowed() -> None:
    found = compare(STUDENTS, reference="real only", decided_by=["web"], allow_all_synthetic=True)
    assert found.chosen == "qa only"
    assert "chosen: `qa only` (people wrote 0% of it)" in comparison_lines(found)


def test_tokens_to_a_target_lie_on_the_line_between_two_points() -> None:
    curve = (Point(100, {"web": 4.0}), Point(200, {"web": 2.0}), Point(300, {"web": 1.0}))
    student = Student("x", 0, 300, 1.0, {}, curve, {}, {}, 0.0)
    assert tokens_to(student, "web", 3.0) == 150
    assert tokens_to(student, "web", 1.0) == 300
    assert tokens_to(student, "web", 0.9) is None
    assert tokens_to(student, "web", 5.0) == 100


def test_ratios_and_styles_give_one_arm_each_and_real_text_one() -> None:
    arms = ratio_arms({"web": 0.75, "books": 0.25}, ["qa", "easy"], [0, 0.2, 1])
    assert [arm.name for arm in arms] == ["real only", "qa 20 %", "easy 20 %", "qa only",
                                          "easy only"]  # fmt: skip
    assert all(sum(arm.shares.values()) == pytest.approx(1) for arm in arms)
    assert arms[1].shares == pytest.approx({"web": 0.6, "books": 0.2, "qa": 0.2})
    assert len({arm.folder for arm in arms}) == len(arms)


def test_the_command_of_the_choice_takes_what_its_students_took() -> None:
    sources = [
        MixSource("web", Path("web.jsonl"), kind="real", max_epochs=2),
        MixSource("qa", Path("run"), only={"style": ("qa", "faq")}),
        MixSource("hard", Path("hard.jsonl"), kind="synthetic"),
    ]
    design = given_design(sources, {"web": Path("held.jsonl")})
    found = compare(STUDENTS, reference="real only", decided_by=["web"])
    assert mix_command(found, design, sources) == (
        "selfsown mix --real web=web.jsonl:0.7 --epochs web=2 --source qa=run:0.3"
        " --only qa:style=qa --only qa:style=faq --tokens N -o mixture"
    )


@pytest.mark.parametrize("names", [("web", "qa", "qa"), ("web", "qa", "QA"), ("web", "real", "qa"),
                                   ("web", "web", "qa"), ("web", "日本", "中国")])  # fmt: skip
def test_students_that_would_lie_in_one_folder_are_refused(names: tuple[str, ...]) -> None:
    real, *swept = names
    sources = [MixSource(real, Path("web.jsonl"), kind="real")]
    sources += [MixSource(name, Path(f"{n}.jsonl")) for n, name in enumerate(swept)]
    with pytest.raises(ConfigError, match="the same name"):
        given_design(sources, {"held": Path("held.jsonl")})
