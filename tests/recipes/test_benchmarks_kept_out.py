"""Claim: with filter `benchmark_overlap`, no seed and no prompt repeats a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import selfsown
from selfsown.core.errors import CheckFailed, ConfigError
from selfsown.curate.decontaminate import DecontaminationIndex, Item, MissingIndex
from selfsown.curate.index_file import write_index
from selfsown.curate.steps import filter_named

QUESTION = "Which gas do green plants take in from the air around them by day?"


@pytest.fixture
def index(tmp_path: Path) -> str:
    items = DecontaminationIndex()
    items.add(Item("quiz", "q1", "question", QUESTION))
    path = tmp_path / "quiz.index"
    write_index(path, items.own)
    return str(path)


def complete(tmp_path: Path, **given: Any) -> Any:
    script = tmp_path / "answers.jsonl"
    script.write_text(json.dumps({"text": "an answer"}) + "\n")
    return selfsown.run("complete", model=f"scripted:{script}", out=tmp_path / "run", **given)


def test_a_prompt_that_repeats_a_benchmark_is_rejected_and_never_asked(
    tmp_path: Path, index: str
) -> None:
    result = complete(
        tmp_path,
        rows=[{"q": QUESTION.upper()}, {"q": "Name a bird."}],
        prompt="Answer briefly. {{ q }}",
        prompt_filters={"benchmark_overlap": {"indexes": [index]}},
    )
    assert [record["q"] for record in result.accepted] == ["Name a bird."]
    (line,) = (result.directory / "rejected.jsonl").read_text().splitlines()
    rejected = json.loads(line)
    assert (rejected["reason"], rejected["score"]) == ("benchmark_overlap", 1.0)
    assert result.manifest["run"]["calls"] == 1


def test_a_filter_with_memory_does_not_judge_prompts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`near_duplicate` cannot judge prompts"):
        complete(
            tmp_path, rows=[{"q": "a"}], prompt="{{ q }}", prompt_filters={"near_duplicate": {}}
        )


def test_a_seed_that_repeats_a_benchmark_stops_the_run_before_a_call(
    tmp_path: Path, index: str
) -> None:
    seeds = [
        {"id": "s1", "instruction": "Answer.", "instances": [{"input": QUESTION, "output": "CO2"}]},
        {"id": "s2", "instruction": "Name a bird.", "instances": [{"input": "", "output": "owl"}]},
    ]
    with pytest.raises(CheckFailed, match="seeds repeat items of a benchmark: `s1`"):
        selfsown.run(
            "self-instruct",
            model="lab",
            seeds=seeds,
            out=tmp_path / "run",
            target=1,
            filters={"benchmark_overlap": {"indexes": [index]}},
        )


def test_the_filter_names_an_index_that_is_not_there(index: str) -> None:
    rule = filter_named("benchmark_overlap", indexes=[index])
    assert rule(f"Tell me: {QUESTION}").reason == "benchmark_overlap"
    assert rule("Name a bird.").ok
    with pytest.raises(MissingIndex, match="no index of `mmlu`"):
        filter_named("benchmark_overlap", indexes=[index, "mmlu"])
    with pytest.raises(ConfigError, match="`indexes` is"):
        filter_named("benchmark_overlap", indexes=[])
