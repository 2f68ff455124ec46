"""The data-set card is valid for the hub, tells the run's counts, and claims nothing unknown."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfsown.report.card import render_card, write_card
from selfsown.report.facts import ModelFacts
from selfsown.report.numbers import read_numbers

RUNS = runpy.run_path(str(Path(__file__).with_name("run_fixture.py")))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small")
    return path


def _front(card: str) -> dict[str, Any]:
    empty, front, _ = card.split("---\n", 2)
    assert not empty
    fields = yaml.safe_load(front)
    assert isinstance(fields, dict)
    return fields


def test_front_matter_is_what_the_hub_reads(run: Path) -> None:
    write_card(run)
    fields = _front((run / "README.md").read_text())
    assert fields["license"] == "unknown"
    assert fields["language"] == ["en"]
    assert fields["size_categories"] == ["n<1K"]
    assert fields["task_categories"] == ["text-generation"]
    assert "self-instruct" in fields["tags"]
    for config in fields["configs"]:
        for file in config["data_files"]:
            assert (run / file["path"]).is_file()


def test_the_hub_library_accepts_the_card(run: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    write_card(run)
    card = hub.DatasetCard.load(run / "README.md")
    assert card.data.license == "unknown"
    assert card.data.pretty_name == "small: self-instruct"
    assert card.data.to_dict()["configs"][0]["data_files"][0]["path"] == "accepted.jsonl"


def test_counts_by_reason_models_and_settings_are_told(run: Path) -> None:
    write_card(run)
    text = (run / "README.md").read_text()
    numbers = read_numbers(run)
    assert f"{numbers.accepted} records grown by selfsown" in text
    for reason in numbers.reasons:
        assert f"`{reason.reason}` {reason.count}" in text
    assert RUNS["MODEL"] in text
    assert "| `temperature` | 0.7 |" in text
    assert "selfsown replay small" in text
    assert "depends on the licence and the terms" in text


def test_an_unfinished_or_empty_run_says_so(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](
        tmp_path / "part", answers=0, status="suspended", stop="", data_files=False
    )
    write_card(run)
    text = (run / "README.md").read_text()
    assert "has not come to its end" in text
    assert "language" not in _front(text)


def test_folders_of_this_machine_are_not_published(run: Path) -> None:
    import dataclasses

    numbers = read_numbers(run)
    models = (
        ModelFacts("generator", "hf:/home/someone/secret-project/model-7b", "sha256:abc"),
        ModelFacts("judge", "scripted:/home/someone/answers.jsonl", "~/answers.jsonl"),
    )
    numbers = dataclasses.replace(numbers, run=dataclasses.replace(numbers.run, models=models))
    text = render_card(numbers, languages=[])
    assert "`hf:model-7b`" in text
    assert "`scripted:answers.jsonl`" in text
    assert "someone" not in text


def test_names_cannot_break_the_yaml_or_the_markdown(run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a: [b] #c | `d` \u202e --- $(x)"
    shutil.copytree(run, odd)
    write_card(odd)
    text = (odd / "README.md").read_text()
    fields = _front(text)
    assert fields["pretty_name"].startswith("a: [b] #c | `d` ⟨U+202E⟩ --- $(x)")
    assert "\u202e" not in text
    assert "selfsown replay 'a: [b]" in text


def test_only_settings_that_say_something_are_listed_and_nested_ones_by_their_path(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.yaml").write_text(
        "recipe: self-instruct\noptions: {lists: {temperature: 0.9, stop: null}, header: ''}\n"
        "effective: {models: {generator: {uri: lab, identity: 'lab:sha256:1'}}}\n"
    )
    text = render_card(read_numbers(tmp_path), languages=[])
    assert "| `lists.temperature` | 0.9 |" in text
    assert "lists.stop" not in text
    assert "`header`" not in text
    assert "do not train other models on these records" in text
