"""`selfsown pairs` prints the file on stdout, and on stderr what every rejected record came to."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.preference.rejected_run import write_run

from selfsown.cli.main import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = write_run(tmp_path_factory.mktemp("runs") / "small")
    return path


def test_the_counts_of_every_reason_are_shown_and_add_up(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pairs.jsonl"
    assert main(["pairs", str(run), "-o", str(out), "--no-decontaminate"]) == 0
    printed, err = capsys.readouterr()
    assert printed == f"{out}\n"
    assert "votes_disagree" in err
    assert "accepted_too 1, no_accepted_answer 1, repeated 1" in err
    assert "records: 16 in, 3 pairs, 13 left out" in err


def test_json_has_the_same_counts(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["pairs", str(run), "-o", str(tmp_path / "p.jsonl"), "--format", "trl-chat"]
    assert main([*command, "--json", "--also", "too_loud", "--no-decontaminate"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert said["records"] == said["pairs"] + said["left_out"] == 16
    assert said["by_reason"]["too_loud"] == {"records": 1, "pairs": 1, "left_out": {}}
    rows = [orjson.loads(line) for line in Path(said["path"]).read_bytes().splitlines()]
    assert len(rows) == said["pairs"] == 4
    assert rows[0]["prompt"][0]["role"] == "user"


def test_a_pair_that_a_suite_asks_is_left_out(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "quiz.jsonl"
    question = {"instruction": "Add the numbers.", "input": "2 3", "references": ["5"]}
    suite.write_bytes(orjson.dumps(question) + b"\n")
    out = tmp_path / "pairs.jsonl"
    assert main(["pairs", str(run), "-o", str(out), "--suite", str(suite), "--json"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert said["by_reason"]["conflicting_outputs"]["left_out"] == {
        "benchmark_overlap": 1,
        "tied": 1,
    }
    assert said["clean_of"] == ["quiz"]


def test_refusals_say_what_to_do_and_leave_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pairs.jsonl"
    for words, message in (
        (["--format", "trl-caht"], "did you mean `trl-chat`?"),
        (["--without", "duplicate"], "is not used for negatives anyway"),
        (["--prompt-field", "question"], "no field `question`"),
    ):
        assert main(["pairs", str(run), "-o", str(out), *words]) == 2
        assert message in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
