"""The ground of the lab experiment: what is trained on what, and how reward models are measured.

Trainings are left out here (they are the product's own, with tests of their own): models are played
by the oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from selfsown.core.rundir import read_lines
from selfsown.lab.oracle import check
from selfsown.loop.preference import lab_ground
from selfsown.loop.preference.lab_ground import prepare
from selfsown.models.reward import Answered, Score
from selfsown.train.settings import TrainConfig

_SIZES = {
    "ROUNDS": 2,
    "PER_ROUND": 4,
    "VALIDATION": 4,
    "_LABELLED": 12,
    "_LESSONS": 8,
    "_IFT": 3,
    "_ANCHOR": 4,
    "_TALKATIVE": 3,
}


class _Knows:
    """A reward model that is always right."""

    def __init__(self, folder: Path, *, rows: int) -> None:
        assert folder.name == "reward"

    def score(self, answers: Sequence[Answered]) -> list[Score]:
        """1 for right answers, 0 for wrong ones."""
        return [
            Score(float(check(one.question.text, one.question.input, one.answer).is_correct), 1, "")
            for one in answers
        ]


class _Done:
    def raise_for_failure(self) -> None:
        """Nothing failed."""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """The trainings that a small ground asks for."""
    found: list[TrainConfig] = []

    def train(config: TrainConfig) -> _Done:
        found.append(config)
        return _Done()

    for name, size in _SIZES.items():
        monkeypatch.setattr(lab_ground, name, size)
    monkeypatch.setattr(lab_ground, "train", train)
    monkeypatch.setattr("selfsown.models.reward.RewardModel", _Knows)
    return found


def _asked(path: Path) -> set[str]:
    """Instruction and input of the rows of a file, as one text."""
    rows = [row for row in read_lines(path) if isinstance(row, dict)]
    return {
        "\n\n".join(filter(None, (str(row.get("instruction") or row["prompt"]), row.get("input"))))
        for row in rows
    }


def test_a_ground_trains_on_nothing_that_is_measured_and_is_made_once(
    tmp_path: Path, trained: list[TrainConfig]
) -> None:
    told: list[str] = []
    prepare(1, tmp_path, told.append)
    sets = {
        "plain rounds": _asked(tmp_path / "plain/prompts.jsonl"),
        "plain validation": _asked(tmp_path / "plain/validation.jsonl"),
        "reward 1": _asked(tmp_path / "labelled/1/pairs.jsonl"),
        "reward 2": _asked(tmp_path / "labelled/2/pairs.jsonl"),
        "rounds": _asked(tmp_path / "modified/prompts.jsonl"),
        "validation": _asked(tmp_path / "modified/validation.jsonl"),
        "ift": _asked(tmp_path / "lessons/ift.jsonl"),
        "anchor": _asked(tmp_path / "lessons/anchor.jsonl"),
        "talkative": _asked(tmp_path / "talkative/data.jsonl"),
    }
    assert all(sets.values())
    assert sum(map(len, sets.values())) == len(set().union(*sets.values()))
    judged = [str(row["prompt"]) for row in _rows(tmp_path / "lessons/eft.jsonl")]
    shown = {text.removeprefix("Task: ").partition("\nAnswer: ")[0] for text in judged}
    assert shown and not shown & sets["anchor"] and not shown & sets["validation"]
    names = [Path(one.out).relative_to(tmp_path).as_posix() for one in trained]
    assert names == ["initial", "talkative/model", "labelled/1/reward", "labelled/2/reward"]
    assert [Path(one.path).name for one in trained[0].data] == ["ift.jsonl", "eft.jsonl"]
    assert trained[2].seed != trained[3].seed
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")}
    prepare(1, tmp_path, told.append)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")} == files


def test_a_reward_model_that_is_always_right_is_measured_as_that(
    tmp_path: Path, trained: list[TrainConfig]
) -> None:
    prepare(2, tmp_path, lambda line: None)
    form = orjson.loads((tmp_path / "rewards.json").read_bytes())
    assert isinstance(form, dict)
    for found in form.values():
        assert isinstance(found, dict)
        assert found["accuracy"] == found["hard"] == 1.0
        assert float(str(found["best"])) > float(str(found["random"]))


def _rows(path: Path) -> list[dict[str, object]]:
    return [dict(row) for row in read_lines(path) if isinstance(row, dict)]
