"""Claim: `evaluate`, `suites` and `rate` print what they found and refuse what they cannot use."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from selfsown.cli.decontaminate import decontaminate
from selfsown.cli.evaluate import evaluate
from selfsown.cli.rate import rate
from selfsown.cli.suites import suites
from selfsown.core.errors import CheckFailed, InputError


def ask(command: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prediction(response: str, target: str = "a red house") -> dict[str, object]:
    asked = {"prompt": "p", "instruction": "i", "input": ""}
    return {**asked, "response": response, "target": target}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    questions = [f"What is the right answer to question number {n}?" for n in range(6)]
    rows = [{"instruction": text, "output": f"answer {n}"} for n, text in enumerate(questions)]
    return lines(tmp_path / "quiz.jsonl", *rows)


def scripted(path: Path, *rules: dict[str, object]) -> str:
    path.write_text(json.dumps({"rules": list(rules), "capabilities": {"chat": False}}))
    return f"scripted:{path}"


def test_predictions_are_scored_as_json(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", prediction("a red house"), prediction("red houses"))
    done = ask(evaluate, "--predictions", path, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0 and found["n"] == 2
    # "red houses" has 1 of 2 and 3 words in common unstemmed (F 0.4), 2 stemmed (F 0.8)
    assert found["rouge_l"] == pytest.approx(0.7) and found["rouge_l_stem"] == pytest.approx(0.9)
    span = found["intervals"]["rouge_l"]
    assert 0 <= span["low"] <= found["rouge_l"] <= span["high"] <= 1


def test_two_prediction_files_are_compared_in_pairs(tmp_path: Path) -> None:
    good = lines(tmp_path / "g.jsonl", *[prediction("a red house")] * 12)
    bad = lines(tmp_path / "b.jsonl", *[prediction("no")] * 12)
    done = ask(evaluate, "--predictions", good, "--against", bad, "--json")
    test = json.loads(done.stdout)["against"]["rouge_l"]
    assert (test["wins"], test["losses"], test["rose"]) == (12, 0, True)
    table = ask(evaluate, "--predictions", good, "--against", bad).stdout
    assert "+100.00" in table and "wins" in table


def test_a_model_is_evaluated_twice_and_compared(tmp_path: Path, suite: Path) -> None:
    base = scripted(tmp_path / "base.yaml", {"text": "no idea"})
    tuned = scripted(
        tmp_path / "tuned.yaml", {"match": "number 1", "text": "answer 1"}, {"text": "x"}
    )
    ask(evaluate, base, "--suite", suite, "-o", tmp_path / "base")
    done = ask(
        evaluate, tuned, "--suite", suite, "-o", tmp_path / "t", "--against", tmp_path / "base"
    )
    assert done.exit_code == 0 and "quiz" in done.stdout and "exact_match" in done.stdout
    assert "wrote" in done.stderr
    again = ask(evaluate, tuned, "--suite", suite, "-o", tmp_path / "t", "--quiet", "--json")
    found = json.loads(again.stdout)["suites"][0]
    assert found["metrics"]["exact_match"]["mean"] == pytest.approx(1 / 6)
    assert again.stderr == ""


def test_failed_calls_are_told_with_the_command_that_asks_again(
    tmp_path: Path, suite: Path
) -> None:
    uri = scripted(
        tmp_path / "m.yaml", {"match": "number 1", "error": "bad_request"}, {"text": "x"}
    )
    done = ask(evaluate, uri, "--suite", suite, "-o", tmp_path / "e")
    assert "1 of 6 calls of `quiz` failed for good" in done.stderr
    assert "--retry-failed" in done.stderr


def test_a_training_file_that_overlaps_is_refused_before_a_model_is_opened(
    tmp_path: Path, suite: Path
) -> None:
    text = "What is the right answer to question number 3?"
    row = {"instruction": text, "input": "", "output": "answer 3"}
    training = lines(tmp_path / "train.jsonl", {**row, "instruction": "Other."}, row)
    asked = ["absent:model", "--suite", suite, "-o", tmp_path / "e", "--trained-on", training]
    done = ask(evaluate, *asked)
    assert isinstance(done.exception, CheckFailed)
    assert "line 2" in done.exception.what and "`line-4`" in done.exception.what
    assert done.exception.exit_code == 1 and not (tmp_path / "e").exists()


def test_an_overlap_that_is_allowed_is_told_and_kept_with_the_results(
    tmp_path: Path, suite: Path
) -> None:
    row = {"prompt": "What is the right answer to question number 3?", "completion": "x"}
    training = lines(tmp_path / "train.jsonl", row)
    uri = scripted(tmp_path / "m.yaml", {"text": "x"})
    asked = [uri, "--suite", suite, "-o", tmp_path / "e", "--trained-on", training]
    done = ask(evaluate, *asked, "--allow-overlap")
    assert done.exit_code == 0 and "trained on: `quiz` and" in done.stdout
    kept = json.loads((tmp_path / "e" / "results.json").read_text())["exposures"]
    assert [(one["suite"], one["state"]) for one in kept] == [("quiz", "overlap")]
    assert "line-4" in kept[0]["about"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "lab-task", "-o", "x"], "`MODEL` is missing"),
        (["lab", "-o", "x"], "`--suite SUITE` is missing"),
        (["lab", "--suite", "lab-task"], "`-o DIR` is missing"),
        (["lab", "--predictions", "p.jsonl"], "`MODEL` does not go with --predictions"),
        (["--predictions", "p.jsonl", "--max-tokens", "5"], "`--max-tokens` does not go with"),
    ],
)
def test_incomplete_commands_say_what_is_missing(arguments: list[str], message: str) -> None:
    done = ask(evaluate, *arguments)
    assert done.exit_code == 2 and message in done.stderr


def test_results_without_a_suite_in_common_do_not_compare(tmp_path: Path, suite: Path) -> None:
    uri = scripted(tmp_path / "m.yaml", {"text": "x"})
    ask(evaluate, uri, "--suite", suite, "-o", tmp_path / "a")
    asked = ["--suite", "lab-task", "--limit", 3, "-o", tmp_path / "b", "--against", tmp_path / "a"]
    done = ask(evaluate, uri, *asked)
    assert isinstance(done.exception, InputError)


def test_suites_are_listed_and_shown(suite: Path) -> None:
    names = [row["suite"] for row in json.loads(ask(suites, "list", "--json").stdout)]
    assert {"lab-task", "lab-plain", "user-oriented", "superni"} <= set(names)
    text = ask(suites, "show", suite, "-n", 1, "--layout", "task").stdout
    assert "Task: What is the right answer to question number 0?\nOutput:" in text
    assert json.loads(ask(suites, "show", suite, "--json").stdout)["n"] == 6


def test_decontaminate_exits_with_1_and_writes_a_clean_copy_on_request(
    tmp_path: Path, suite: Path
) -> None:
    rows = [{"prompt": f"What is the right answer to question number {n}?"} for n in (2, 9)]
    training = lines(tmp_path / "train.jsonl", *rows)
    done = ask(decontaminate, "check", training, "--suite", suite)
    assert done.exit_code == 1 and "row 1" in done.stdout and "row 2 " not in done.stdout
    clean = tmp_path / "clean.jsonl"
    assert ask(decontaminate, "clean", training, "--suite", suite, "-o", clean).exit_code == 0
    assert [json.loads(line) for line in clean.read_text().splitlines()] == rows[1:]
    assert ask(decontaminate, "check", clean, "--suite", suite, "--json").exit_code == 0


def test_a_sheet_is_made_and_read_back(tmp_path: Path) -> None:
    one = lines(tmp_path / "one.jsonl", *[prediction("x")] * 8)
    two = lines(tmp_path / "two.jsonl", *[prediction("y")] * 8)
    sheet = tmp_path / "sheet"
    made = ask(rate, "make", f"first={one}", two, "-o", sheet)
    assert made.exit_code == 0 and "keep to yourself" in made.stderr
    items = [row["item"] for row in json.loads((sheet / "key.json").read_text())["items"]]
    for name, levels in (("ann", "ABCD"), ("bob", "ABCC")):
        text = "".join(f"{item},{levels[i % 4]}\n" for i, item in enumerate(items))
        (tmp_path / f"{name}.csv").write_text("item,rating\n" + text)
    files = [tmp_path / "ann.csv", tmp_path / "bob.csv"]
    shown = ask(rate, "read", sheet, *files).stdout
    assert "kappa, four levels" in shown and "first" in shown
    found = json.loads(ask(rate, "read", sheet, *files, "--json").stdout)
    assert found["pairs"][0]["agreement"]["raw"]["value"] == 0.75
    assert found["pairs"][0]["agreement"]["kappa_two_classes"]["value"] == 1.0
