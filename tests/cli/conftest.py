"""The program as users run it, and small inputs for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from selfsown.cli.main import cli

LISTS = (
    "Name a river that flows north.\nTask 10: Sort these fruits by weight.\nTask 11: Why is ice"
    " slippery?\n",
    "Describe an old lighthouse keeper.\nTask 10: Count the vowels of the word.\nTask 11: Suggest"
    " three gifts for a carpenter.\n",
    "Translate the greeting into Latin.\nTask 10: Which planet is largest?\nTask 11: Rewrite the"
    " sentence without commas.\n",
    "Compare two kinds of bread.\nTask 10: Give a synonym of happy.\nTask 11: Outline a speech"
    " about honest work.\n",
)
"""Answers to list requests; no two instructions are alike."""


class Outcome(NamedTuple):
    code: int
    stdout: str
    stderr: str


Program = Callable[..., Outcome]


@pytest.fixture
def selfsown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs the program in a directory of its own and returns exit code and both streams."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Six rows with ids of their own."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"id": "row-{n}", "text": "t{n}"}}\n' for n in range(6)))
    return path


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A model that refuses the row `t3` for good and greets every other."""
    path = tmp_path / "script.jsonl"
    lines = [{"match": "t3", "error": "bad_request"}, {"text": "hello"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def base_script(tmp_path: Path) -> Path:
    """A base model that knows enough for a small Self-Instruct run."""
    path = tmp_path / "base.yaml"
    rules = [
        {"match": "series of tasks", "texts": [f" {text}" for text in LISTS], "per": "rule"},
        {"match": "Is it classification?", "text": " No"},
        {"text": "Example 1\nInput: some words to work on\nOutput: a fitting answer"},
    ]
    path.write_text(json.dumps({"rules": rules, "capabilities": {"chat": False}}))
    return path


@pytest.fixture
def complete(rows: Path, script: Path) -> list[str]:
    """Arguments of a run of `complete` over the six rows."""
    prompt = ["--prompt", "Say {{ text }}"]
    return ["complete", "--rows", str(rows), "--model", f"scripted:{script}", *prompt]


@pytest.fixture
def grow(base_script: Path) -> list[str]:
    """Arguments of a small Self-Instruct run, reproducible by strict order."""
    model = ["--model", f"scripted:{base_script}", "--seeds", "starter"]
    return ["self-instruct", *model, "--order", "strict", "--seed", "3"]
