"""Claim: an evaluation asks each prompt once, keeps every answer, and scores what was answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfsown.core.errors import ConfigChanged
from selfsown.core.rundir import read_manifest
from selfsown.evaluate.open_suite import open_suite
from selfsown.evaluate.results import read_results, results_of_predictions
from selfsown.evaluate.suite import Suite
from selfsown.evaluation import evaluate, model_uri
from selfsown.runner import Start


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    rows = [
        {"id": f"q{n}", "instruction": f"Say number {n}.", "output": f"number {n}", "category": c}
        for n, c in enumerate("aabb")
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_suite(str(path))


def model(path: Path, *rules: dict[str, object], chat: bool = False) -> str:
    form = {"rules": list(rules), "capabilities": {"chat": chat}}
    path.write_text(json.dumps(form))
    return f"scripted:{path}"


def test_answers_are_scored_and_kept(tmp_path: Path, suite: Suite) -> None:
    uri = model(tmp_path / "m.yaml", {"match": "number 1", "text": " number 1 "}, {"text": "no"})
    results = evaluate(uri, [suite], tmp_path / "eval")
    scores = results.suites[0]
    assert scores.metrics["exact_match"].mean == 0.25
    assert [(one.category, one.values["exact_match"]) for one in scores.categories] == [
        ("a", 0.5),
        ("b", 0.0),
    ]
    assert read_results(tmp_path / "eval") == results
    again = results_of_predictions(tmp_path / "eval/predictions/mine.jsonl")
    assert again.suites[0].metrics["rouge_l"] == scores.metrics["rouge_l"]
    first = json.loads((tmp_path / "eval/accepted.jsonl").read_text().splitlines()[0])
    assert (first["prompt"], first["completion"]) == ("Say number 0.\nOutput:", "no")


def test_the_same_evaluation_again_asks_nothing_and_gives_the_same_bytes(
    tmp_path: Path, suite: Suite
) -> None:
    uri = model(tmp_path / "m.yaml", {"text": "number 2"})
    evaluate(uri, [suite], tmp_path / "eval")
    before = (tmp_path / "eval/results.json").read_bytes()
    evaluate(uri, [suite], tmp_path / "eval")
    assert (tmp_path / "eval/results.json").read_bytes() == before
    run = read_manifest(tmp_path / "eval")["run"]
    assert isinstance(run, dict) and run["calls"] == 4 and run["attempts"] == 4


def test_chat_models_get_the_prompt_as_a_user_turn(tmp_path: Path, suite: Suite) -> None:
    uri = model(tmp_path / "m.yaml", {"text": "number 3"}, chat=True)
    results = evaluate(uri, [suite], tmp_path / "eval")
    assert results.suites[0].metrics["exact_match"].mean == 0.25


def test_a_call_that_fails_for_good_counts_as_an_empty_answer_and_is_told(
    tmp_path: Path, suite: Suite
) -> None:
    rules = ({"match": "number 1", "error": "bad_request"}, {"text": "number 1"})
    results = evaluate(model(tmp_path / "m.yaml", *rules), [suite], tmp_path / "eval")
    scores = results.suites[0]
    assert (scores.n, scores.unanswered) == (4, 1)
    assert scores.metrics["exact_match"].mean == 0.0


def test_another_suite_in_the_same_directory_needs_update_and_keeps_equal_prompts(
    tmp_path: Path, suite: Suite
) -> None:
    uri = model(tmp_path / "m.yaml", {"text": "number 2"})
    evaluate(uri, [suite], tmp_path / "eval")
    lab = open_suite("lab-task")
    few = Suite(name="few", about="", instances=lab.instances[:3], metrics=("oracle",))
    with pytest.raises(ConfigChanged):
        evaluate(uri, [suite, few], tmp_path / "eval")
    results = evaluate(uri, [suite, few], tmp_path / "eval", start=Start(update=True))
    assert [one.n for one in results.suites] == [4, 3]
    run = read_manifest(tmp_path / "eval")["run"]
    assert isinstance(run, dict) and run["calls"] == 7


def test_a_folder_of_a_model_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert model_uri(str(tmp_path)) == f"hf:{tmp_path}"
    assert model_uri("lab") == "lab"
