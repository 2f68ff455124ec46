"""Claim: scores are means over all instances, their tables add up, comparisons are paired."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfsown.core.errors import InputError
from selfsown.evaluate.exact_match import exact_match, normalized_answer
from selfsown.evaluate.predictions import read_predictions
from selfsown.evaluate.results import (
    Results,
    prediction_summary,
    read_results,
    score_table,
    write_results,
)
from selfsown.evaluate.score import compare, score_answers
from selfsown.evaluate.suite import Instance, Suite


def suite(*rows: tuple[str, str, str]) -> Suite:
    instances = tuple(
        Instance(
            id=name,
            instruction="i",
            references=(reference,),
            prompt="p",
            categories=(cluster,),
            cluster=cluster,
        )
        for name, reference, cluster in rows
    )
    metrics = ("rouge_l", "exact_match")
    return Suite(name="s", about="", instances=instances, metrics=metrics)


THREE = suite(("a", "one two", "x"), ("b", "three", "y"), ("c", "four", "y"))


def row(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {"prompt": "p", "instruction": "i", "input": "", "response": "yes"}
    return {**base, "target": "yes", **changes}


def predictions(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def test_exact_match_is_that_of_superni() -> None:
    assert normalized_answer("  The Answer,\tis:  A. ") == "the answer is a"
    assert exact_match("Yes!", ["no", "yes"]) == 1.0
    assert exact_match("the cat", ["cat"]) == 0.0
    assert exact_match("naïve … café", ["NAÏVE … CAFÉ"]) == 1.0


def test_means_are_pooled_per_category_and_per_task() -> None:
    found = score_answers(THREE, {"a": "one", "b": "Three.", "c": ""})
    # ROUGE-L of "one" and "one two": 2*1/(1+2) = 2/3; of the others 1 and 0
    assert found.metrics["rouge_l"].mean == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found.metrics["exact_match"].mean == pytest.approx(1 / 3)
    assert found.task_means["rouge_l"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert [(one.category, one.n) for one in found.categories] == [("x", 1), ("y", 2)]
    assert found.categories[1].values["rouge_l"] == 0.5


def test_an_instance_without_an_answer_is_an_error() -> None:
    with pytest.raises(InputError, match=r"2 instances.*`b`"):
        score_answers(THREE, {"a": ""})


def test_results_survive_their_file(tmp_path: Path) -> None:
    answers = {"a": "one two", "b": "", "c": "four"}
    results = Results("m", (score_answers(THREE, answers, unanswered=1),))
    write_results(tmp_path / "results.json", results)
    assert read_results(tmp_path) == results
    before = (tmp_path / "results.json").read_bytes()
    write_results(tmp_path / "results.json", results)
    assert (tmp_path / "results.json").read_bytes() == before
    cells = score_table(results)
    assert cells[1][:4] == ["s", "all", "3", cells[1][3]] and cells[1][3].startswith("66.67 (")


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as results"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be read as results"):
        read_results(tmp_path)


def test_only_the_same_suite_and_a_common_metric_compare() -> None:
    first = score_answers(THREE, {"a": "", "b": "", "c": ""})
    second = score_answers(THREE, {"a": "one two", "b": "three", "c": "four"})
    assert compare(first, second, "rouge_l").difference.mean == 1.0
    with pytest.raises(InputError, match="not scored with `oracle`"):
        compare(first, second, "oracle")
    other = suite(("a", "one", "x"), ("b", "three", "y"), ("c", "four", "y"))
    with pytest.raises(InputError, match="not results of the same instances"):
        compare(first, score_answers(other, {"a": "", "b": "", "c": ""}), "rouge_l")


def test_results_with_other_prompts_compare_where_the_questions_are_the_same(
    tmp_path: Path,
) -> None:
    other = predictions(tmp_path / "other.jsonl", row(prompt="q", instruction="i\n", response="no"))
    first, second = (
        read_results(path) for path in (predictions(tmp_path / "p.jsonl", row()), other)
    )
    assert first.suites[0].suite_sha256 != second.suites[0].suite_sha256
    matched = first.counterpart(second.suites[0])
    assert matched == first.suites[0]
    assert compare(matched, second.suites[0], "rouge_l").losses == 1
    both = Results("m", (score_answers(THREE, {"a": "", "b": "", "c": ""}), *first.suites))
    assert both.counterpart(second.suites[0]) == first.suites[0]


def test_a_prediction_file_is_scored_as_published(tmp_path: Path) -> None:
    path = predictions(
        tmp_path / "p.jsonl",
        row(),
        row(response="", target="maybe"),
        row(response="the moving cars", target=["cars moved", "the moved car"]),
    )
    found = prediction_summary(read_results(path))
    assert found["n"] == 3
    # unstemmed: best of (cars; 2*1/5) and (the; 2*1/6); stemmed: the, move, car = 1
    assert found["rouge_l"] == pytest.approx((1 + 0 + 0.4) / 3)
    assert found["rouge_l_stem"] == pytest.approx(2 / 3)
    intervals = found["intervals"]
    assert isinstance(intervals, dict) and set(intervals) == {
        "rouge_l",
        "rouge_l_stem",
        "exact_match",
    }


def test_missing_fields_are_named_with_their_lines(tmp_path: Path) -> None:
    path = predictions(tmp_path / "p.jsonl", row(), {"prompt": "p"}, row(target=None))
    with pytest.raises(InputError) as caught:
        read_predictions(path)
    assert "line 2 lacks `instruction`, `input`, `response`, `target`" in caught.value.what
    assert "line 3 lacks `target`" in caught.value.what


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(response=3), "line 2: field `response` is int, not text"),
        (row(target={"a": 1}), "line 2: field `target` is neither text nor a list of texts"),
        (row(target=" "), "`line-2`"),
    ],
)
def test_fields_of_another_kind_and_empty_targets_are_refused(
    tmp_path: Path, bad: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_predictions(predictions(tmp_path / "p.jsonl", row(), bad))
    assert message in caught.value.what


def test_an_empty_prediction_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no instances"):
        read_predictions(predictions(tmp_path / "p.jsonl"))
    with pytest.raises(InputError, match="cannot be read"):
        read_predictions(tmp_path / "absent.jsonl")
