"""Claim: `selfsown seeds` keeps data on stdout, the rest on stderr, and its exit codes true."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from selfsown.cli.seeds import seeds
from selfsown.core.errors import SelfsownError
from selfsown.recipes.seeds import PUBLISHED, read_seeds
from selfsown.recipes.seeds.fetch import PublishedSeeds


class Outcome(NamedTuple):
    code: int
    stdout: str
    stderr: str


def selfsown_seeds(*args: str | Path) -> Outcome:
    """Run the group as the program does: errors of ours are printed with their own exit code."""
    result = CliRunner().invoke(seeds, [str(arg) for arg in args])
    if isinstance(result.exception, SelfsownError):
        error = result.exception
        return Outcome(error.exit_code, result.stdout, f"{result.stderr}{error}")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two usable seeds around a malformed line and a line without output."""
    path = tmp_path / "mixed.jsonl"
    path.write_text(
        '{"id": "a", "instruction": "Name a river", "output": "Nile"}\n'
        '{"instruction": \n'
        '{"id": "c", "instruction": "Name a lake"}\n'
        '{"id": "d", "instruction": "Describe rust", "output": "red-brown", "note": "extra"}\n',
        encoding="utf-8",
    )
    return path


def test_check_of_a_clean_set_exits_0_and_says_how_many() -> None:
    code, stdout, stderr = selfsown_seeds("check", "starter")
    assert (code, stderr) == (0, "")
    assert stdout.splitlines()[-1].endswith("usable seeds, 0 errors, 0 warnings")


def test_check_explains_each_problem_by_line_and_exits_1(mixed: Path) -> None:
    code, stdout, stderr = selfsown_seeds("check", mixed)
    assert code == 1
    assert "error    line 2: malformed JSON at column 17" in stdout
    assert "error    line 3 (seed `c`): there is no instance" in stdout
    assert "warning  there are 2 usable seeds" in stdout
    assert "4 rows, 2 usable seeds, 2 errors, 1 warning" in stdout
    assert f"selfsown seeds check {mixed} --drop-invalid -o clean.jsonl" in stderr


def test_check_json_holds_the_same_findings_and_is_plain_ascii(mixed: Path) -> None:
    code, stdout, _ = selfsown_seeds("check", mixed, "--json")
    found = json.loads(stdout)
    assert code == 1
    assert stdout.isascii()
    assert (found["row_count"], found["usable_count"], found["error_count"]) == (4, 2, 2)
    assert [(p["line"], p["rule"]) for p in found["problems"]] == [
        (None, "too-few-seeds"),
        (2, "malformed-json"),
        (3, "no-instances"),
    ]


def test_check_gives_each_explanation_once(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text('{"output": "x"}\n' * 50)
    stdout = selfsown_seeds("check", path).stdout
    assert stdout.count("error    line") == 50
    assert stdout.count("why:") == 1


def test_a_missing_file_exits_2_and_prints_no_data(tmp_path: Path) -> None:
    for extra in ([], ["--json"]):
        code, stdout, stderr = selfsown_seeds("check", tmp_path / "none.jsonl", *extra)
        assert (code, stdout) == (2, "")
        assert "there is no such file" in stderr


def test_drop_invalid_writes_the_valid_seeds_and_exits_0(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    code, _, stderr = selfsown_seeds("check", mixed, "--drop-invalid", "-o", out)
    assert code == 0
    assert "2 seeds; 2 rows left out for errors" in stderr
    assert [task.id for task in read_seeds(out)] == ["a", "d"]
    assert selfsown_seeds("check", out).code == 0


def test_drop_invalid_loses_no_file_of_the_user(mixed: Path, tmp_path: Path) -> None:
    before = mixed.read_bytes()
    out = tmp_path / "mine.jsonl"
    out.write_text("mine")
    same = selfsown_seeds("check", mixed, "--drop-invalid", "-o", mixed, "--force")
    other = selfsown_seeds("check", mixed, "--drop-invalid", "-o", out)
    assert (same.code, other.code) == (2, 2)
    assert mixed.read_bytes() == before
    assert out.read_text() == "mine"
    assert selfsown_seeds("check", mixed, "--drop-invalid", "-o", out, "--force").code == 0


def test_drop_invalid_without_a_valid_seed_exits_1_and_writes_nothing(tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out.jsonl"
    bad.write_text("{}\n")
    code, _, stderr = selfsown_seeds("check", bad, "--drop-invalid", "-o", out)
    assert (code, out.exists()) == (1, False)
    assert "no valid seed" in stderr


def test_drop_invalid_into_a_missing_folder_exits_3(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "no" / "out.jsonl"
    assert selfsown_seeds("check", mixed, "--drop-invalid", "-o", out).code == 3


@pytest.mark.parametrize("args", [["--drop-invalid"], ["-o", "x.jsonl"]])
def test_drop_invalid_and_out_belong_together(args: list[str]) -> None:
    code, _, stderr = selfsown_seeds("check", "starter", *args)
    assert code == 2
    assert "belong together" in stderr


def test_instructions_only_turns_missing_examples_into_warnings(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text("Name a river\nName a lake of Finland\n")
    assert selfsown_seeds("check", path).code == 1
    assert selfsown_seeds("check", path, "--instructions-only").code == 0


def test_show_prints_tasks_on_stdout_and_the_count_on_stderr() -> None:
    code, stdout, stderr = selfsown_seeds("show", "starter", "-n", "2")
    assert code == 0
    assert stdout.count("  instruction") == 2
    assert stdout.startswith("starter_000")
    assert stderr.startswith("2 of ")


def test_show_json_is_a_seed_file_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_text(selfsown_seeds("show", "starter", "--json").stdout, encoding="utf-8")
    assert read_seeds(copy) == read_seeds("starter")


def test_show_escapes_what_a_terminal_would_obey(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = {"instruction": "one\u202etwo\nthree", "output": "x\u200by"}
    path.write_text(json.dumps(row), encoding="utf-8")
    stdout = selfsown_seeds("show", path).stdout
    assert "one\\u202etwo\n" in stdout
    assert "x\\u200by" in stdout


def test_list_names_every_set_and_how_to_have_it() -> None:
    stdout = selfsown_seeds("list").stdout
    assert [line.split()[0] for line in stdout.splitlines()] == ["lab", "starter", "self-instruct"]
    rows = json.loads(selfsown_seeds("list", "--json").stdout)
    assert {row["name"]: row["kind"] for row in rows}["self-instruct"] == "to fetch"


def test_get_prints_the_path_and_verifies_a_file_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.jsonl"
    path.write_bytes(b"{}\n")
    digest = hashlib.sha256(b"{}\n").hexdigest()
    tiny = PublishedSeeds("tiny", "http://127.0.0.1:9/", digest, "CC0-1.0", "one empty seed")
    monkeypatch.setitem(PUBLISHED, "tiny", tiny)
    code, stdout, stderr = selfsown_seeds("get", "tiny", "-o", path)
    assert (code, stdout) == (0, f"{path}\n")
    assert "verified: one empty seed, CC0-1.0" in stderr
    assert f"--seeds {path}" in stderr


def test_get_offline_exits_3_and_an_unknown_name_2(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        offline = selfsown_seeds("get", "self-instruct", "-o", tmp_path / "x", "--url", closed)
    assert offline.code == 3
    assert "put the file at" in offline.stderr
    assert selfsown_seeds("get", "alpaca", "-o", tmp_path / "x").code == 2


def test_every_command_and_option_has_help() -> None:
    context = click.Context(seeds)
    for name in seeds.list_commands(context):
        command = seeds.get_command(context, name)
        assert command is not None
        assert command.help
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None)


def test_loading_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys, selfsown.cli.seeds\n"
        "heavy = {'aiohttp', 'pydantic', 'numpy', 'torch', 'urllib.request', 'selfsown.recipes'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
