"""Claim: no benchmark counts as compared without an index, and what repeats one does not pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfsown.cli.main import main

QUESTIONS = [
    {"id": "q1", "question": "Which gas do green plants take in from the air around them by day?",
     "choices": ["oxygen", "carbon dioxide"]},
    {"id": "q2", "question": "What is the largest planet?", "choices": ["Mars", "Jupiter"]},
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("quiz.jsonl", QUESTIONS)
    fields = ("--field", "question", "--field", "choices")
    assert main(["decontaminate", "index", "quiz.jsonl", *fields]) == 0


def write(name: str, rows: list[dict[str, object]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def check(*arguments: str) -> int:
    return main(["decontaminate", "check", *arguments])


def test_an_index_is_found_by_its_name_or_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    write("data.jsonl", [{"text": "nothing of it"}])
    assert Path("indexes/quiz.index").exists()
    capsys.readouterr()
    assert check("data.jsonl", "--index", "quiz", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"benchmarks": {"quiz": 8}, "lines": []}  # 2 questions, 4 choices, 2 together
    assert check("data.jsonl", "--index", "indexes/quiz.index") == 0


def test_a_benchmark_without_index_exits_non_zero(capsys: pytest.CaptureFixture[str]) -> None:
    write("data.jsonl", [{"text": "nothing of it"}])
    for verb, more in (("check", []), ("clean", ["-o", "clean.jsonl"])):
        asked = ["decontaminate", verb, "data.jsonl", "--index", "quiz", "--index", "mmlu", *more]
        assert main(asked) == 1
        error = capsys.readouterr().err
        assert "no index of `mmlu`" in error and "-o indexes/mmlu.index" in error
    assert not Path("clean.jsonl").exists()
    assert check("data.jsonl") == 2  # compared with nothing


def test_rows_that_repeat_a_question_do_not_pass_in_any_kind_of_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = str(QUESTIONS[0]["question"]).upper()
    write("rows.jsonl", [{"prompt": "Be kind."}, {"prompt": f"Answer: {asked}"}])
    Path("rows.csv").write_text(f'prompt\nBe kind.\n"Answer: {asked}"\n')
    Path("rows.json").write_text(json.dumps([{"p": "Be kind."}, {"p": asked}]))
    Path("rows.txt").write_text(f"Be kind.\n{asked}\n")
    seed = {"id": "s", "instruction": "Answer.", "instances": [{"input": "2?"}, {"input": asked}]}
    write("seeds.jsonl", [{"instruction": "Be kind.", "instances": []}, seed])
    for name in ("rows.jsonl", "rows.csv", "rows.json", "rows.txt", "seeds.jsonl"):
        capsys.readouterr()
        assert check(name, "--index", "quiz", "--json") == 1, name
        lines = json.loads(capsys.readouterr().out)["lines"]
        assert [(one["line"], one["overlaps"][0]["item"]) for one in lines] == [(2, "q1")]
        asked_for = ["decontaminate", "clean", name, "--index", "quiz", "-o", "clean.jsonl"]
        assert main(asked_for) == 0
        assert len(Path("clean.jsonl").read_text().splitlines()) == 1
        assert check("clean.jsonl", "--index", "quiz") == 0


def test_a_suite_is_indexed_as_it_is_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["decontaminate", "index", "lab-task", "-o", "lab.index", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    write("data.jsonl", [{"prompt": "anything at all"}])
    for given in (["--index", "lab.index"], ["--suite", "lab-task"]):
        capsys.readouterr()
        assert check("data.jsonl", *given, "--json") == 0
        assert json.loads(capsys.readouterr().out)["benchmarks"] == made["benchmarks"]


def test_what_cannot_be_indexed_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decontaminate", "index", "quiz.jsonl"]) == 2
    assert "--field question" in capsys.readouterr().err, "no line of a benchmark is at fault"
    assert main(["decontaminate", "index", "nowhere.jsonl"]) == 2
    assert "--field" not in capsys.readouterr().err
    assert main(["decontaminate", "index", "quiz.jsonl", "--field", "text"]) == 2
    assert "has no field `text`" in capsys.readouterr().err
    assert main(["decontaminate", "index", "lab-task", "-o", "quiz.jsonl/x.index"]) == 3
    assert "`quiz.jsonl/x.index` cannot be written" in capsys.readouterr().err
    write("blank.jsonl", [{"q": " "}])
    assert main(["decontaminate", "index", "blank.jsonl", "--field", "q"]) == 1
    assert not Path("indexes/blank.index").exists()
