"""Claim: `selfsown train` prints the folder, explains refusals, and reads config files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("trl", reason="needs the `local` extra")

from selfsown.cli.train import train
from selfsown.core.errors import SelfsownError
from selfsown.train import sft
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import Progress, TrainFailure, TrainResult


def call(*arguments: object) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[TrainConfig]:
    """Configs that reach `train`, which answers with a finished training."""
    seen: list[TrainConfig] = []

    def record(config: TrainConfig, *, on_progress: Progress | None = None) -> TrainResult:
        assert on_progress is not None
        on_progress({"clean_of": "`lab-task`"})
        on_progress({"rows": 10, "left_out": {"duplicate": 1}})
        for step in range(1, 31):
            on_progress({"step": step, "steps": 30, "loss": 1 / step})
        seen.append(config)
        said = {"steps": 30, "seconds": 2.0, "cpu_seconds": 1.5}
        model = {"model_hash": "ab" * 32, "model_depth": 1}
        return TrainResult(Path(config.out), True, {"result": said, "model": model}, None)

    monkeypatch.setattr(sft, "train", record)
    return seen


def test_the_folder_goes_to_stdout_and_a_few_lines_to_stderr(asked: list[TrainConfig]) -> None:
    result = call("runs/a", "--base", "lab", "-o", "models/x")
    assert result.exit_code == 0
    assert result.stdout == "models/x\n"
    lines = result.stderr.splitlines()
    assert lines[:2] == ["clean of    `lab-task`", "data        10 rows   left out: duplicate 1"]
    assert 10 <= sum(line.startswith("train ") for line in lines) <= 12
    assert lines[-1] == "wrote `models/x`; ask it as `hf:models/x`"


def test_options_config_file_and_assignments_come_together(
    asked: list[TrainConfig], tmp_path: Path
) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(
        "base: lab\nout: models/x\npreset: lab\nepochs: 5\ndata: [{path: runs/a, repeat: 2}]\n"
    )
    result = call(
        "--config", file, "--epochs", 1, "--human", "mine.jsonl", "--lora", "--no-seeds",
        "--set", "lora_rank=4",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (config,) = asked
    assert [(one.path, one.origin, one.repeat) for one in config.data] == [
        ("runs/a", None, 2.0),
        ("mine.jsonl", "human", 1.0),
    ]
    assert (config.epochs, config.method, config.lora_rank) == (1.0, "lora", 4)
    assert config.seeds is False and config.preset == "lab" and config.suites is None


def test_suites_are_named_or_turned_off_and_not_both(asked: list[TrainConfig]) -> None:
    given = ("runs/a", "--base", "lab", "-o", "x")
    call(*given, "--suite", "lab-task", "--suite", "mine.jsonl")
    call(*given, "--no-decontaminate")
    assert [one.suites for one in asked] == [["lab-task", "mine.jsonl"], []]
    both = call(*given, "--suite", "lab-task", "--no-decontaminate")
    assert both.exit_code == 2 and "does not go with" in both.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "lab", "-o", "x"], "DIR is missing"),
        (["runs/a", "-o", "x"], "--base MODEL is missing"),
        (["runs/a", "--base", "lab"], "-o FOLDER is missing"),
        (["runs/a", "--base", "lab", "-o", "x", "--emit", "other"], "axolotl or llama-factory"),
    ],
)
def test_usage_errors_say_what_is_missing(arguments: list[str], message: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_an_unknown_key_names_the_nearest(asked: list[TrainConfig]) -> None:
    result = call("runs/a", "--base", "lab", "-o", "x", "--set", "epoch=2")
    assert isinstance(result.exception, SelfsownError)
    assert "did you mean `epochs`?" in result.exception.fix


@pytest.mark.parametrize("assignment", ["epochs", "epochs=["])
def test_what_is_no_assignment_is_refused(assignment: str) -> None:
    result = call("runs/a", "--base", "lab", "-o", "x", "--set", assignment)
    assert isinstance(result.exception, SelfsownError)
    assert f"`--set {assignment}`" in str(result.exception)


def test_a_crash_shows_the_end_of_the_log_and_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failure = TrainFailure(
        "crashed", "the training crashed", "why", "fix", -9, tmp_path / "log", "last words\n", None
    )
    crashed = TrainResult(tmp_path, True, {}, failure)
    monkeypatch.setattr(sft, "train", lambda config, on_progress: crashed)
    result = call("runs/a", "--base", "lab", "-o", "x")
    assert result.stderr == "last words\n" and result.stdout == ""
    assert isinstance(result.exception, SelfsownError) and result.exception.exit_code == 3


def test_emit_prints_files_and_the_next_command(
    tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ax"
    result = call(rows_file, "--base", tiny, "-o", out, "--emit", "axolotl", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == 24
    result = call(rows_file, "--base", tiny, "-o", tmp_path / "lf", "--emit", "llama-factory")
    assert f"next: cd {tmp_path / 'lf'} && llamafactory-cli train" in result.stderr
