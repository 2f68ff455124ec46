"""`selfsown export` prints files on stdout, the length table on stderr, and explains refusals."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import orjson
import pytest
import yaml

from selfsown.cli.main import main
from selfsown.lab.weights import weights_folder

RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small", answers=9)
    return path


def test_files_go_to_stdout_and_the_table_to_stderr(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "train.jsonl"
    command = ["export", str(run), "--format", "messages", "-o", str(out), "--validation", "0.1"]
    assert main(command) == 0
    printed, err = capsys.readouterr()
    assert printed == f"{out}\n{tmp_path / 'train.validation.jsonl'}\n"
    assert "tokens (estimated) in all" in err
    assert "estimated: UTF-8 bytes / 4" in err
    assert out.with_name("train.jsonl.provenance.jsonl").is_file()


def test_json_says_what_was_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "train.jsonl"
    assert main(["export", str(run), "--format", "text", "-o", str(out), "--json"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert said["files"][0]["path"] == str(out)
    assert said["files"][0]["rows"] == len(out.read_bytes().splitlines())
    assert {line["name"] for line in said["lengths"]} >= {"prompt words", "answer words"}


def test_records_that_a_suite_holds_are_left_out_and_listed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = orjson.loads((run / "accepted.jsonl").read_bytes().splitlines()[0])
    names = ("instruction", "input")
    question = {name: record[name] for name in names if name in record} | {"references": ["x"]}
    suite = tmp_path / "quiz.jsonl"
    suite.write_bytes(orjson.dumps(question) + b"\n")
    out = tmp_path / "train.jsonl"
    command = ["export", str(run), "--format", "alpaca", "-o", str(out), "--force"]
    assert main([*command, "--json", "--no-decontaminate"]) == 0
    everything = orjson.loads(capsys.readouterr().out)
    assert (everything["clean_of"], everything["removed"]) == ([], 0)
    assert main([*command, "--json", "--suite", str(suite)]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert said["clean_of"] == ["quiz"] and said["removed"] >= 1
    assert said["files"][0]["rows"] == everything["files"][0]["rows"] - said["removed"]
    told = out.with_name("train.jsonl.provenance.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["line"] for line in told] == list(range(1, len(told) + 1))
    listed = out.with_name("train.jsonl.overlaps.jsonl").read_bytes().splitlines()
    assert orjson.loads(listed[0])["line"] == 1 and len(listed) == said["removed"]
    assert main([*command, "--suite", str(suite)]) == 0
    assert f"clean of: `quiz`, {said['removed']} removed" in capsys.readouterr().err
    assert main([*command, "--no-decontaminate"]) == 0
    assert not out.with_name("train.jsonl.overlaps.jsonl").exists()


@pytest.mark.parametrize("uri", ["lab", f"hf:{weights_folder()}", {"uri": "lab"}])
def test_what_the_lab_or_a_model_with_its_tokenizer_wrote_is_cleaned_of_the_labs_suite(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], uri: object
) -> None:
    own = Path(shutil.copytree(run, tmp_path / "run"))
    config = yaml.safe_load((own / "config.yaml").read_text())
    command = ["export", str(own), "--format", "text", "-o", str(tmp_path / "x.jsonl"), "--json"]
    assert main(command) == 0
    assert orjson.loads(capsys.readouterr().out)["clean_of"] == []
    (own / "config.yaml").write_text(yaml.safe_dump(config | {"models": {"generator": uri}}))
    assert main([*command, "--force"]) == 0
    assert orjson.loads(capsys.readouterr().out)["clean_of"] == ["lab-task"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "text", "--suite", "lab-task", "--no-decontaminate"], "does not go with"),
        (["--format", "chatml"], "unknown export format `chatml`"),
        (["--format", "text", "--validation", "2"], "validation share"),
        (["--format", "text", "--prompt-field", "nope"], "no field `nope`"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2_and_a_hint(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert main(["export", str(run), "-o", str(tmp_path / "x.jsonl"), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "hint:" in err
    assert list(tmp_path.iterdir()) == []


def test_a_second_export_needs_force(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", str(run), "--format", "text", "-o", str(tmp_path / "x.jsonl")]
    assert main(command) == 0
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
