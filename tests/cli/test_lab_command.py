"""Claim: `selfsown lab` shows the world, asks the oracle, trains and measures models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfsown.cli.lab import lab
from selfsown.lab import oracle


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(lab, arguments)
    return result.exit_code, result.stdout


def test_world_prints_tasks_that_the_oracle_calls_right() -> None:
    code, text = call("world", "-n", "8", "--seed", "3", "--json")
    rows = [json.loads(line) for line in text.splitlines()]
    assert code == 0 and len(rows) == 8
    for row in rows:
        assert oracle.check(row["instruction"], row["input"], row["output"]).is_correct
    assert call("world", "-n", "8", "--seed", "3", "--json") == (code, text)
    assert call("world", "-n", "8", "--seed", "4", "--json") != (code, text)


@pytest.mark.parametrize("part", ["family", "modifier", "verb"])
def test_world_shows_what_is_held_out(part: str) -> None:
    _, text = call("world", "-n", "3", "--part", part, "--json")
    assert all(oracle.is_unseen(json.loads(line)["instruction"]) for line in text.splitlines())


def test_check_says_right_or_wrong_and_exits_accordingly() -> None:
    instruction = "Give the capital of the country."
    assert call("check", instruction, "Peru", "Lima") == (0, "verdict: right\nreference: Lima\n")
    assert call("check", instruction, "Peru", "Paris")[0] == 1
    assert call("check", "Sing a song.", "", "la") == (1, "verdict: not a task\n")
    _, text = call("check", instruction, "Peru", "Paris", "--json")
    assert json.loads(text)["reason"] == "wrong"


def test_corpus_prints_the_same_documents_for_the_same_seed() -> None:
    code, text = call("corpus", "-n", "2", "--json")
    assert code == 0
    assert [list(json.loads(line)) for line in text.splitlines()] == [["text"], ["text"]]
    assert call("corpus", "-n", "2", "--json")[1] == text


@pytest.mark.slow
def test_pretrain_smoke_writes_a_model_that_evaluate_scores(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the `local` extra")
    out = tmp_path / "model"
    code, text = call("pretrain", "--smoke", "-o", str(out), "--json")
    assert code == 0
    assert json.loads(text)["outcome"]["parameters"] < 100_000
    assert "## Scores on suite v1" in (out / "README.md").read_text(encoding="utf-8")
    code, text = call("evaluate", str(out), "--limit", "4", "--shots", "2")
    assert code == 0 and text.splitlines()[1].split()[:2] == ["task", "2"]


def test_help_and_world_load_no_torch() -> None:
    import subprocess

    program = (
        "import sys; from click.testing import CliRunner; from selfsown.cli.lab import lab; "
        "CliRunner().invoke(lab, ['world']); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
