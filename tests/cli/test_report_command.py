"""`selfsown report` writes page and numbers, prints data on stdout alone, and explains refusals."""

from __future__ import annotations

import runpy
from pathlib import Path

import orjson
import pytest

from selfsown.cli.main import main

RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small", answers=5)
    return path


def test_the_path_of_the_page_is_all_of_stdout(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{run / 'report.html'}\n"
    assert "wrote" in err
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    assert not (run / "README.md").exists()


def test_json_prints_the_numbers_that_are_in_the_file(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run), "--json", "--open-nothing"]) == 0
    out = capsys.readouterr().out
    assert orjson.loads(out) == orjson.loads((run / "report.json").read_bytes())
    assert orjson.loads(out)["run"]["recipe"] == "self-instruct"


def test_the_card_is_written_on_request(run: Path) -> None:
    assert main(["report", str(run), "--card"]) == 0
    assert (run / "README.md").read_text().startswith("---\npretty_name:")


def test_a_directory_that_is_no_run_is_refused_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "is not a run directory" in err
    assert "hint:" in err
