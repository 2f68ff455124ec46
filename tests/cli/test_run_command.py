"""Claim: `run` works without a config, with one, again and further, and says what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from selfsown.cli.run import program
from selfsown.core.rundir import locked

Program = Callable[..., tuple[int, str, str]]


def records(directory: Path) -> list[dict[str, object]]:
    """Accepted records."""
    return [json.loads(line) for line in (directory / "accepted.jsonl").read_text().splitlines()]


def test_a_run_without_a_config_accepts_every_row_but_the_refused_one(
    selfsown: Program, complete: list[str], tmp_path: Path
) -> None:
    code, stdout, stderr = selfsown("run", *complete, "-o", "out")
    assert (code, stdout) == (0, "")
    assert {record["id"] for record in records(tmp_path / "out")} == {
        "row-0", "row-1", "row-2", "row-4", "row-5",
    }  # fmt: skip
    assert "rows  6 in  5 kept  1 failed: bad_request 1" in stderr
    assert "wrote `out/accepted.jsonl` (5 records)" in stderr
    assert stderr.splitlines()[-1].startswith("next: ")


def test_json_puts_the_manifest_on_stdout_and_quiet_nothing_on_stderr(
    selfsown: Program, complete: list[str]
) -> None:
    code, stdout, stderr = selfsown("run", *complete, "-o", "out", "--json", "--quiet")
    form = json.loads(stdout)
    assert (code, stderr) == (0, "")
    assert form["directory"] == "out"
    assert form["data"]["files"]["accepted.jsonl"]["rows"] == 5


def test_the_same_command_again_asks_nothing(selfsown: Program, complete: list[str]) -> None:
    selfsown("run", *complete, "-o", "out")
    _, stdout, _ = selfsown("run", *complete, "-o", "out", "--json")
    run = json.loads(stdout)["run"]
    assert (run["calls"], run["calls_from_journal"], run["attempts"]) == (6, 6, 6)


def test_retry_failed_asks_exactly_those_again_and_is_not_part_of_the_resume_command(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out")
    _, stdout, _ = selfsown("run", "out/config.yaml", "--retry-failed", "--json")
    run = json.loads(stdout)["run"]
    assert (run["calls"], run["calls_from_journal"]) == (7, 5)
    assert "--retry-failed" not in run["resume"]


def test_a_key_on_the_command_line_is_in_no_file_of_the_run(
    selfsown: Program, complete: list[str], tmp_path: Path
) -> None:
    given = ["--model", "generator=http://u:canary-1@127.0.0.1:9/v1?key=canary-2#m"]
    key = ["--set", "models.generator.api_key=canary-3"]
    code, stdout, stderr = selfsown("run", *complete, *given, *key, "-o", "out", "--json")
    assert code == 3, "nobody is there"
    assert "canary" not in stdout + stderr
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"canary" in path.read_bytes()]


def test_a_growing_run_is_extended_through_its_own_config(
    selfsown: Program, grow: list[str], tmp_path: Path
) -> None:
    assert selfsown("run", *grow, "-n", 3, "-o", "grown")[0] == 0
    before = (tmp_path / "grown" / "accepted.jsonl").read_text()
    code, _, stderr = selfsown("run", "grown/config.yaml", "-n", 6)
    assert code == 0
    assert (tmp_path / "grown" / "accepted.jsonl").read_text().startswith(before)
    assert "accepted 6/6" in stderr
    assert "more: " in stderr and "grown/config.yaml -n 12" in stderr


def test_a_run_directory_goes_on_with_its_own_copy_of_the_rows(
    selfsown: Program, complete: list[str], rows: Path
) -> None:
    selfsown("run", *complete, "-o", "out")
    rows.unlink()
    assert selfsown("run", "out/config.yaml")[0] == 0
    assert selfsown("run", "out")[0] == 0


def test_flags_lie_above_the_config_and_set_above_both(
    selfsown: Program, rows: Path, script: Path, tmp_path: Path
) -> None:
    config = {
        "recipe": "complete",
        "models": {"generator": {"uri": f"scripted:{script}"}},
        "rows": str(rows),
        "seed": 1,
        "options": {"prompt": "From the file {{ text }}", "max_tokens": 7},
        "limits": {"concurrency": 3},
        "out": "out",
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    given = ["--prompt", "From a flag {{ text }}", "--seed", 2, "--concurrency", 5]
    sets = ["--set", "temperature=0.5", "--set", "limits.attempts=2", "--set", "seed=3"]
    assert selfsown("run", "c.yaml", *given, *sets)[0] == 0
    effective = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert effective["options"]["prompt"] == "From a flag {{ text }}"
    assert effective["options"]["max_tokens"] == 7
    assert effective["options"]["temperature"] == 0.5
    assert effective["seed"] == 3
    assert (effective["limits"]["concurrency"], effective["limits"]["attempts"]) == (5, 2)


def test_set_reaches_into_a_model_given_by_flag(
    selfsown: Program, complete: list[str], tmp_path: Path
) -> None:
    price = ["--set", "models.generator.price={input: 1, output: 2}"]
    assert selfsown("run", *complete, *price, "-o", "out")[0] == 0
    effective = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert effective["models"]["generator"]["uri"].startswith("scripted:")
    assert effective["models"]["generator"]["price"] == {"input": 1, "output": 2}


def test_a_toml_config_works_too(selfsown: Program, rows: Path, script: Path) -> None:
    Path("c.toml").write_text(
        f'recipe = "complete"\nrows = "{rows}"\nout = "out"\n'
        f'[models]\ngenerator = "scripted:{script}"\n[options]\nprompt = "Say {{{{ text }}}}"\n'
    )
    assert selfsown("run", "c.toml")[0] == 0


def test_prompt_and_schema_come_from_files(selfsown: Program, rows: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("A long prompt about {{ text }}")
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    (tmp_path / "schema.json").write_text(json.dumps({**schema, "required": ["colour"]}))
    (tmp_path / "any.jsonl").write_text('{"text": "{\\"colour\\": \\"red\\"}"}\n')
    given = ["--prompt", "@prompt.txt", "--system", "Be brief", "--schema", "schema.json"]
    model = ["--model", f"scripted:{tmp_path / 'any.jsonl'}"]
    assert selfsown("run", "complete", "--rows", rows, *model, *given, "-o", "out")[0] == 0
    assert {record["colour"] for record in records(tmp_path / "out")} == {"red"}
    _, stdout, _ = selfsown("why", "out", "row-0", "--json")
    call = next(iter(json.loads(stdout)["calls"].values()))
    assert [turn["role"] for turn in call["request"]["messages"]] == ["system", "user"]


def test_reuse_copies_answers_from_another_directory(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "first")
    _, stdout, _ = selfsown("run", *complete, "-o", "second", "--reuse", "first", "--json")
    run = json.loads(stdout)["run"]
    assert (run["reused"], run["attempts"]) == (5, 1)  # the failure is asked again


def test_another_config_in_the_same_directory_is_refused_until_update(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out")
    other = [word.replace("Say", "Tell") for word in complete]
    code, _, stderr = selfsown("run", *other, "-o", "out")
    assert code == 2
    assert "`Say {{ text }}` → `Tell {{ text }}`" in stderr
    assert selfsown("run", *other, "-o", "out", "--update")[0] == 0


def test_a_spent_budget_suspends_with_exit_3_and_the_command_that_resumes(
    selfsown: Program, complete: list[str]
) -> None:
    code, stdout, stderr = selfsown("run", *complete, "-o", "out", "--budget-tokens", 10, "--json")
    assert code == 3
    assert stderr.splitlines()[-1].startswith("resume: ")
    assert "--budget-tokens 10" in stderr.splitlines()[-1]
    assert json.loads(stdout)["run"]["status"] == "suspended"


def test_a_directory_in_use_exits_3_and_does_not_pass_off_an_old_ending_as_its_own(
    selfsown: Program, complete: list[str], tmp_path: Path
) -> None:
    selfsown("run", *complete, "-o", "out")
    with locked(tmp_path / "out"):
        code, stdout, stderr = selfsown("run", *complete, "-o", "out", "--json")
    assert (code, stdout) == (3, "")
    assert "is in use by process" in stderr and "finished" not in stderr


def test_printed_commands_call_the_program_as_the_user_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = tmp_path / "bin" / "selfsown"
    typed.parent.mkdir()
    typed.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(typed)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == str(typed)
    monkeypatch.setenv("PATH", str(typed.parent))
    assert program() == "selfsown"
    monkeypatch.setattr("sys.argv", ["somewhere/selfsown/__main__.py"])
    assert program() == f"{sys.executable} -m selfsown"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "complete", "--prompt", "x"], "no run directory was given"),
        (["run", "complet", "-o", "o"], "did you mean `complete`?"),
        (["run", "missing.yaml", "-o", "o"], "config `missing.yaml` cannot be read"),
        (["run", "complete", "--seeds", "lab", "-o", "o"], "takes no `--seeds`"),
        (["run", "complete", "-n", "3", "-o", "o"], "takes no `-n`"),
        (["run", "self-instruct", "--prompt", "x", "-o", "o"], "takes no `--prompt`"),
        (["run", "complete", "--schema", "absent.json", "-o", "o"], "`absent.json` cannot be read"),
        (["run", "complete", "--prompt", "@absent.txt", "-o", "o"], "`absent.txt` cannot be read"),
        (["run", "complete", "--set", "prompt", "-o", "o"], "is not an assignment"),
        (["run", "complete", "--prompt", "x", "-o", "o"], "has no model for its role"),
        (["run", "complete", "--prompt", "x", "--model", "lib", "-o", "o"], "is not a model URI"),
        (["run", "complete", "--promt", "x"], "--prompt"),
        (["run", "complete", "--set", "promt=x", "-o", "o"], "did you mean `prompt`?"),
        (
            ["run", "complete", "--model", "judge=lab", "--prompt", "x", "-o", "o"],
            "no role `judge`",
        ),
    ],
)
def test_what_cannot_work_exits_2_and_says_so(
    selfsown: Program, arguments: list[str], said: str
) -> None:
    code, stdout, stderr = selfsown(*arguments)
    assert (code, stdout) == (2, "")
    assert said in stderr
    assert not Path("o").exists() or not list(Path("o").glob("accepted.jsonl"))


def test_an_unknown_key_of_a_config_is_named_with_the_nearest(selfsown: Program) -> None:
    Path("c.yaml").write_text("recipe: complete\ntargt: 3\nout: o\n")
    code, _, stderr = selfsown("run", "c.yaml")
    assert code == 2
    assert "unknown key `targt`" in stderr and "did you mean `target`?" in stderr
