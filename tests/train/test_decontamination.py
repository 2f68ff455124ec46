"""Claim: no model is trained on, nor asked unnoticed, what a suite in use holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.errors import CheckFailed, ConfigChanged, InputError
from selfsown.evaluate.open_suite import SuiteChanges, open_suite
from selfsown.evaluate.suite import Suite
from selfsown.train.decontamination import decontamination_of
from selfsown.train.exposure import exposures
from selfsown.train.plan import make_plan, read_training, refuse_change
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import train

ROWS = [
    {"instruction": f"Write the number after {n} as a word.", "input": "", "output": f"w{n}"}
    for n in range(12)
]


def suite_of(path: Path, numbers: range) -> Suite:
    """A suite of some of the rows, kept in a file."""
    lines = [{"instruction": ROWS[n]["instruction"], "references": ["x"]} for n in numbers]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return open_suite(str(path))


def config_for(base: Path, data: Path, out: Path, **given: Any) -> TrainConfig:
    form = {"data": [{"path": str(data)}], "base": str(base), "out": str(out), "threads": 1}
    return TrainConfig.model_validate({**form, "encoding": "task", "max_steps": 1, **given})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("clean")
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    suite_of(path / "asked.jsonl", range(3))
    return path


@pytest.fixture(scope="module")
def tuned(tiny: Path, home: Path) -> Path:
    """A model trained on the rows, cleaned of a suite that holds three of them."""
    suites = [str(home / "asked.jsonl")]
    config = config_for(tiny, home / "rows.jsonl", home / "model", suites=suites)
    result = train(config)
    assert result.failure is None, result.failure
    return home / "model"


def test_the_record_names_suites_by_hash_and_lists_what_was_left_out(
    tuned: Path, home: Path
) -> None:
    record: Any = read_training(tuned)
    asked = open_suite(str(home / "asked.jsonl"))
    told = record["trained_on"]
    assert told["chosen"] == "given"
    assert [(one["name"], one["sha256"]) for one in told["suites"]] == [
        ("asked", asked.questions_sha256)
    ]
    assert len(told["removed"]) == record["data"]["left_out"]["benchmark_overlap"] == 3
    assert "question of `line-1` of `asked`" in told["removed"][0]["detail"]
    assert record["data"]["rows"] == len(ROWS) - 3
    listed = (tuned / "training" / "left_out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in listed] == [one["id"] for one in told["removed"]]


def test_a_suite_that_was_left_out_is_asked_also_in_part(tuned: Path, home: Path) -> None:
    for limit in (None, 2):
        asked = open_suite(str(home / "asked.jsonl"), SuiteChanges(limit=limit))
        (one,) = exposures(f"hf:{tuned}", [asked])
        assert one.state == "cleaned"


def test_another_suite_is_compared_with_the_data(tuned: Path, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"instruction": "Which river runs through Vienna?", "references": ["x"]}\n')
    (one,) = exposures(f"hf:{tuned}", [open_suite(str(path))])
    assert (one.state, one.data) == ("compared", str(home / "rows.jsonl"))


def test_what_was_trained_on_is_refused_with_a_list_unless_allowed(
    tuned: Path, tmp_path: Path
) -> None:
    seen = suite_of(tmp_path / "seen.jsonl", range(2, 6))  # 2 was left out
    with pytest.raises(CheckFailed) as caught:
        exposures(f"hf:{tuned}", [seen])
    assert "in 3 records" in caught.value.what and "`line-4`" in caught.value.what
    assert "--allow-overlap" in caught.value.fix
    (one,) = exposures(f"hf:{tuned}", [seen], allow=True)
    assert one.state == "overlap" and one.about.startswith("3 records repeat items")


def test_data_that_changed_or_are_gone_are_said_to_be_unknown(
    tiny: Path, tuned: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    seen = suite_of(tmp_path / "seen.jsonl", range(4))
    record: Any = read_training(tuned)
    data = tmp_path / "data.jsonl"
    record["trained_on"]["data"][0]["path"] = str(data)
    (folder / "training.json").write_text(json.dumps(record))
    shutil.copy(tiny / "config.json", folder)
    (gone,) = exposures(f"hf:{folder}", [seen])
    assert gone.state == "unknown" and "does not exist" in gone.about
    data.write_text(json.dumps(ROWS[0]) + "\n")
    (changed,) = exposures(f"hf:{folder}", [seen])
    assert (changed.state, changed.about) == ("unknown", "the data changed since the training")


def test_trainings_behind_the_base_count_too(tuned: Path, home: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text("".join(json.dumps({**row, "output": "y"}) + "\n" for row in ROWS[:2]))
    second = tmp_path / "second"
    assert train(config_for(tuned, more, second, suites=[])).failure is None
    asked = open_suite(str(home / "asked.jsonl"))
    found = exposures(f"hf:{second}", [asked], allow=True)
    assert [(one.state, one.data) for one in found] == [
        ("overlap", str(more)),
        ("cleaned", str(home / "rows.jsonl")),
    ]
    earlier: Any = make_plan(config_for(second, more, tmp_path / "third", suites=[])).earlier
    assert [one["data"][0]["path"] for one in earlier] == [one.data for one in found]


def test_by_default_suites_at_hand_are_used_and_the_labs_for_its_tokenizer_only(
    tiny: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_for(tiny, home / "rows.jsonl", tmp_path / "m")
    assert decontamination_of(config, tmp_path).identity() == {}
    lab = TrainConfig.model_validate({**config.model_dump(), "base": "lab"})
    plan = make_plan(lab)
    assert plan.cleaned_of.chosen == "at hand"
    assert [one.name for one in plan.cleaned_of.suites] == ["lab-task"]
    for layout in ("lab-plain", "lab-task", "lab-task-8"):
        assert open_suite(layout).questions_sha256 == plan.cleaned_of.suites[0].sha256
    (tmp_path / "suites").mkdir()
    suite_of(tmp_path / "suites" / "user-oriented.jsonl", range(2))
    names = [one.name for one in decontamination_of(config, tmp_path).suites]
    assert names == ["user-oriented"]


def test_the_choice_of_suites_is_part_of_a_training(tuned: Path, tiny: Path, home: Path) -> None:
    config = config_for(tiny, home / "rows.jsonl", tuned, suites=[])
    with pytest.raises(ConfigChanged, match=r"suites\.asked"):
        refuse_change(make_plan(config))


def test_nothing_left_is_said_with_the_reason(tiny: Path, home: Path, tmp_path: Path) -> None:
    suite_of(tmp_path / "all.jsonl", range(12))
    suites = [str(tmp_path / "all.jsonl")]
    config = config_for(tiny, home / "rows.jsonl", tmp_path / "m", suites=suites)
    with pytest.raises(InputError, match=r"no record to train on.*benchmark_overlap 12"):
        train(config)


def test_models_that_were_not_trained_here_say_nothing(tiny: Path, home: Path) -> None:
    asked = open_suite(str(home / "asked.jsonl"))
    for uri in (f"hf:{tiny}", "lab", "http://127.0.0.1:9/v1#m", "hf:no-such-folder"):
        assert exposures(uri, [asked]) == []
    with pytest.raises(CheckFailed, match="in 3 lines"):
        exposures("lab", [asked], files=[home / "rows.jsonl"])
    other = replace(asked, whole_sha256="x")
    (one,) = exposures("lab", [other], files=[home / "rows.jsonl"], allow=True)
    assert one.state == "overlap"
