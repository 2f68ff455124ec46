"""Claim: a suite is read as it stands in its file, and a file that cannot be scored is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from selfsown.core.errors import ConfigError, InputError
from selfsown.evaluate.layouts import LAYOUTS, layout_named
from selfsown.evaluate.open_suite import SuiteChanges, open_suite, open_suites
from selfsown.evaluate.score import score_answers
from selfsown.evaluate.suite import Suite, answer_of
from selfsown.evaluate.suite_file import read_suite_file
from selfsown.evaluate.superni import EXACT_MATCH_CATEGORIES, TEST_LIST
from selfsown.lab.suites import demonstrations_for, load_suite, prompt_for

SHARED = Path(__file__).parents[2] / "../shared/data"
USER_TASKS = SHARED / "self_instruct/user_oriented_instructions.jsonl"
SUPERNI = SHARED / "superni/superni_test.jsonl.gz"


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def published(path: Path) -> Path:
    if not path.is_file():
        pytest.skip(f"`{path.name}` is not beside the checkout (shared/data)")
    return path


def test_the_252_user_oriented_tasks_have_the_published_prompts() -> None:
    suite = open_suite(f"user-oriented={published(USER_TASKS)}")
    without = [one for one in suite.instances if not one.input]
    assert (len(suite.instances), len(without)) == (252, 44)
    first = suite.instances[0]
    assert first.prompt == f"{first.instruction}\n\nInput: {first.input}\nOutput:"
    assert without[0].prompt == f"{without[0].instruction}\nOutput:"
    assert first.categories == ("Grammarly",)
    assert suite.max_tokens == 1024 and suite.stop == () and suite.answer == "whole"


def test_superni_scores_the_known_baselines_on_the_shared_subset() -> None:
    """The README of the subset: copying the input 12.2, the first example 29.4 (10 per task)."""
    text = gzip.decompress(published(SUPERNI).read_bytes()).decode()
    tasks = {row["task"]: row for row in map(json.loads, text.splitlines())}
    suite = open_suite(f"superni={SUPERNI}", SuiteChanges(metrics=("rouge_l_stem",)))
    chosen = [one for one in suite.instances if int(one.id.rpartition("/")[2]) < 10]
    few = Suite(name="few", about="", instances=tuple(chosen), metrics=suite.metrics)
    copied = {one.id: one.input for one in chosen}
    shown = {one.id: tasks[one.cluster]["positive_examples"][0]["output"] for one in chosen}
    scores = [score_answers(few, answers) for answers in (copied, shown)]
    assert [round(100 * one.metrics["rouge_l_stem"].mean, 1) for one in scores] == [12.2, 29.4]
    assert {name for one in chosen for name in one.categories} >= EXACT_MATCH_CATEGORIES


def test_superni_is_read_from_a_checkout_with_the_first_100_instances(tmp_path: Path) -> None:
    (tmp_path / TEST_LIST).parent.mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    (tmp_path / TEST_LIST).write_text("task001_a\n")
    body = {
        "Categories": ["Word Analogy"],
        "Definition": ["Say the letter."],
        "Instances": [{"id": str(i), "input": f"x{i}", "output": ["a", "b"]} for i in range(120)],
    }
    (tmp_path / "tasks/task001_a.json").write_text(json.dumps(body))
    suite = open_suite(f"superni={tmp_path}")
    assert len(suite.instances) == 100
    one = suite.instances[99]
    assert (one.id, one.cluster, one.references) == ("task001_a/99", "task001_a", ("a", "b"))
    assert one.prompt == "Say the letter.\n\nInput: x99\nOutput:"


def test_a_file_of_the_users_may_be_flat_or_nested(tmp_path: Path) -> None:
    path = written(
        tmp_path / "mine.jsonl",
        {"instruction": "Add.", "input": "1 2", "reference": "3", "category": "sums"},
        {"prompt": "Q: why?\nA:", "references": ["so", "because"]},
        {"id": "t", "instruction": "Say hi.", "instances": [{"output": "hi"}, {"output": "hey"}]},
    )
    suite = open_suite(str(path), SuiteChanges(layout="task"))
    assert [one.id for one in suite.instances] == ["line-1", "line-2", "t-0", "t-1"]
    assert suite.instances[0].prompt == "Task: Add.\nInput: 1 2\nOutput:"
    assert suite.instances[1].prompt == "Q: why?\nA:"
    assert suite.instances[1].references == ("so", "because")
    assert suite.instances[0].categories == ("sums",)
    assert open_suite(f"other={path}").name == "other"


def test_empty_references_are_refused_and_listed(tmp_path: Path) -> None:
    path = written(
        tmp_path / "s.jsonl",
        {"instruction": "Good.", "output": "yes"},
        {"instruction": "Bad.", "references": []},
        {"instruction": "Blank.", "references": [" ", ""]},
    )
    with pytest.raises(InputError, match=r"2 of 3 instances.*`line-2`, `line-3`"):
        read_suite_file(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is a JSON list"),
        ('{"instruction": "x"}', "line 2: field `references` is missing"),
        ('{"output": "x"}', "line 2: field `instruction` is missing"),
        ('{"instruction": 3, "output": "x"}', "line 2: field `instruction` is int"),
        ('{"instruction": "x", "output": [1]}', "line 2: field `output` is neither"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(f'{{"instruction": "x", "output": "y"}}\n{line}\n')
    with pytest.raises(InputError) as caught:
        read_suite_file(path)
    assert message in caught.value.what


def test_an_empty_file_and_double_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no instances"):
        read_suite_file(written(tmp_path / "a.jsonl"))
    row = {"id": "x", "instruction": "i", "output": "o"}
    with pytest.raises(InputError, match="ids twice: `x`"):
        read_suite_file(written(tmp_path / "b.jsonl", row, row))


def test_unknown_suites_layouts_and_metrics_name_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_suite("lab-tusk")
    assert "did you mean `lab-task`" in caught.value.fix
    with pytest.raises(InputError) as caught:
        open_suite("superni")
    assert "selfsown suites get superni" in caught.value.fix
    with pytest.raises(ConfigError, match="no prompt layout `x`"):
        layout_named("x")
    with pytest.raises(ConfigError, match="no metric `bleu`"):
        open_suite("lab-task", SuiteChanges(metrics=("bleu",)))
    with pytest.raises(ConfigError, match="two suites are called `lab-task`"):
        open_suites(["lab-task", "lab-task"])


def test_lab_suites_ask_exactly_what_the_lab_asks() -> None:
    items = load_suite()
    pool = [item for item in items if item.part == "demonstration"]
    suite = open_suite("lab-task-4")
    asked = [item for item in items if item.part != "demonstration"]
    assert [one.prompt for one in suite.instances] == [
        prompt_for(item, "task", demonstrations_for(item, pool, 4)) for item in asked
    ]
    plain = open_suite("lab-plain", SuiteChanges(limit=30))
    assert len(plain.instances) == 30
    parts = {name for one in plain.instances for name in one.categories}
    assert {"split: independent", "split: compositional", "part: family"} <= parts


def test_the_lab_suite_scores_as_the_labs_own_evaluation_does() -> None:
    from selfsown.evaluate.lab_suite import Condition
    from selfsown.evaluate.lab_suite import score_answers as lab_scores

    items = [item for item in load_suite() if item.part != "demonstration"]
    replies = [f"{item.reference}" if i % 3 else "no idea" for i, item in enumerate(items)]
    theirs = lab_scores(Condition("task", 0), items, replies)
    answers = {item.id: reply for item, reply in zip(items, replies, strict=True)}
    ours = score_answers(open_suite("lab-task"), answers)
    assert ours.metrics["rouge_l"].mean == pytest.approx(theirs.rouge_l.mean, abs=1e-12)
    assert ours.metrics["oracle"].mean == pytest.approx(theirs.exact_match.mean, abs=1e-12)


def test_texts_with_braces_stay_as_they_are() -> None:
    for layout in LAYOUTS.values():
        prompt = layout.prompt("Keep {input} and {instruction}.", "a {instruction} b")
        assert "Keep {input} and {instruction}." in prompt and "a {instruction} b" in prompt


def test_the_hash_changes_with_what_scores_depend_on_and_not_with_the_name(tmp_path: Path) -> None:
    row = {"instruction": "i", "output": "o"}
    one = read_suite_file(written(tmp_path / "one.jsonl", row))
    same = read_suite_file(written(tmp_path / "same.jsonl", row))
    other = read_suite_file(written(tmp_path / "other.jsonl", {**row, "output": "p"}))
    assert one.sha256 == same.sha256 != other.sha256
    assert one.sha256 != read_suite_file(tmp_path / "one.jsonl", layout="plain").sha256


def test_only_the_first_line_counts_where_the_suite_says_so() -> None:
    lab = open_suite("lab-task")
    assert answer_of(lab, " red \nTask: more") == "red"
    whole = open_suite("lab-task", SuiteChanges(answer="whole"))
    assert answer_of(whole, " red \nTask: more") == "red \nTask: more"
