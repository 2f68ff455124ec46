"""What the lab experiment of preference loops is made of: right, disjoint, and as it says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from selfsown.core.request import Completion
from selfsown.judge.rubric import Rubric, score_of
from selfsown.judge.scores import POINTS
from selfsown.lab.oracle import check, parse, without_words
from selfsown.loop.preference.config import make_preference_loop_config
from selfsown.loop.preference.lab_preferences import EXPERIMENT
from selfsown.loop.preference.lab_world import (
    RUBRIC,
    Kind,
    Task,
    judgements_of,
    labels_of,
    pairs_of,
    talkative,
    task_sets,
)
from selfsown.preference.records import Candidate, Scored


def _scored(task: Task, *texts: str) -> list[Scored]:
    """Answers, scored by the oracle."""
    return [
        Scored(
            candidate=Candidate(prompt=task.prompt, index=number, text=text, model="lab"),
            values=(float(check(task.instruction, task.input, text).is_correct),),
            judge="oracle",
        )
        for number, text in enumerate(texts)
    ]


def _wordy(task: Task) -> str:
    return f"Well, I would say {task.reference} here."


@pytest.mark.parametrize("kind", ["plain", "modified"])
def test_sets_share_no_task_and_the_oracle_knows_every_answer(kind: Kind) -> None:
    sets = task_sets(3, kind, {"validation": 20, "rounds": 60, "labelled": 40})
    assert {name: len(tasks) for name, tasks in sets.items()} == {
        "validation": 20,
        "rounds": 60,
        "labelled": 40,
    }
    tasks = [task for found in sets.values() for task in found]
    assert len({(task.instruction, task.input) for task in tasks}) == len(tasks)
    assert len({task.id for task in tasks}) == len(tasks)
    assert all(check(task.instruction, task.input, task.reference).is_correct for task in tasks)
    demands = [program.modifier for task in tasks if (program := parse(task.instruction))]
    assert any(demands) == (kind == "modified")


def test_a_set_depends_on_the_sizes_before_it_alone() -> None:
    small = task_sets(0, "plain", {"a": 5, "b": 5})
    assert task_sets(0, "plain", {"a": 5, "b": 9})["b"][:5] == small["b"]


def test_pairs_are_right_against_wrong_but_for_the_wanted_noise() -> None:
    tasks = task_sets(0, "plain", {"all": 400})["all"]
    right = Counter[bool]()
    for task in tasks:
        answers = _scored(task, task.reference, ".....", _wordy(task), " ", task.reference)
        pairs = list(pairs_of(answers, 0, noise=0.1))
        assert len(pairs) == 2
        for pair in pairs:
            found = check(task.instruction, task.input, str(pair["chosen"])).is_correct
            other = check(task.instruction, task.input, str(pair["rejected"])).is_correct
            assert found != other
            right[found] += 1
    assert 0.07 < right[False] / 800 < 0.13  # 10 % of 800, with a standard error of 1 %


def test_a_judgement_asks_what_the_rubric_asks_and_ends_with_its_score() -> None:
    task = task_sets(0, "modified", {"all": 1})["all"][0]
    answers = _scored(task, task.reference, ".....", _wordy(task), "nonsense")
    read: dict[str, float | None] = {}
    for row in judgements_of(task, answers, 0):
        asked, _, answer = str(row["prompt"]).removesuffix("\nOutput:").partition("\nAnswer: ")
        assert asked == f"Task: {task.prompt.request}"
        completion = Completion(text=str(row["completion"]))
        read[answer] = score_of(completion, POINTS).value
    assert len(read) == 3 and read[task.reference] == 5
    expected = {task.reference: 5.0, ".....": 0.0, _wordy(task): 3.0, "nonsense": 1.0}
    assert read.items() <= expected.items()
    assert Rubric(template=RUBRIC, max_tokens=16).options["template"] == RUBRIC


def test_prompts_whose_answers_are_all_alike_teach_and_anchor_nothing() -> None:
    task = task_sets(0, "plain", {"all": 1})["all"][0]
    for texts in ((task.reference, task.reference), (".....", "nonsense")):
        answers = _scored(task, *texts)
        assert not list(judgements_of(task, answers, 0))
        assert not list(labels_of(task, answers, 0))
        assert not list(pairs_of(answers, 0, noise=0.0))


def test_labels_of_the_anchor_are_the_oracle_s() -> None:
    for task in task_sets(0, "plain", {"all": 10})["all"]:
        rows = list(labels_of(task, _scored(task, task.reference, ".....", "nonsense"), 0))
        assert [row["label"] for row in rows] == [1.0, 0.0, 0.0]
        assert rows[0]["answer"] == task.reference


def test_half_of_the_talkative_lessons_are_in_words_that_the_lenient_oracle_takes_off() -> None:
    rows = [(task, talkative(task, 0)) for task in task_sets(0, "modified", {"all": 200})["all"]]
    worded = [row for task, row in rows if row["output"] != task.reference]
    assert 70 < len(worded) < 130  # 100, with a standard deviation of 7
    assert all(without_words(str(row["output"])) == task.reference for task, row in rows)


def test_every_arm_is_a_loop_that_can_be_configured(tmp_path: Path) -> None:
    for arm in EXPERIMENT.arms:
        form = {**arm.config(tmp_path, 1), "out": str(tmp_path / arm.key), "seed": 1}
        config = make_preference_loop_config(form)
        assert config.probe.gold is not None and config.probe.gold.scorer == "oracle"
        assert "noise" not in config.probe.gold.options
    keys = [arm.key for arm in EXPERIMENT.arms]
    assert len(set(keys)) == len(keys)
    assert {key for pair in EXPERIMENT.compared for key in pair} <= set(keys)
