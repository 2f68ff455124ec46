"""Claim: `preview` shows prompts and answers in full, at a bounded cost, and leaves nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.cli.preview import CALLS_PER_UNIT

Program = Callable[..., tuple[int, str, str]]


def test_the_first_rows_are_shown_with_prompt_and_answer(
    selfsown: Program, complete: list[str]
) -> None:
    code, stdout, _ = selfsown("preview", *complete, "-n", 2)
    assert code == 0
    assert "| Say t0" in stdout and "| Say t1" in stdout and "| Say t2" not in stdout
    assert "completion: hello" in stdout


def test_nothing_is_left_behind(
    selfsown: Program, complete: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = sorted(tmp_path.iterdir())
    selfsown("preview", *complete, "-n", 2, "-o", "out")
    assert not list(scratch.iterdir())
    assert sorted(tmp_path.iterdir()) == before


def test_a_kept_preview_pays_for_the_run_after_it(selfsown: Program, complete: list[str]) -> None:
    selfsown("preview", *complete, "-n", 2, "--keep", "tried")
    _, stdout, _ = selfsown("run", *complete, "-o", "out", "--reuse", "tried", "--json")
    assert json.loads(stdout)["run"]["reused"] == 2


def test_each_kind_of_call_of_self_instruct_is_shown_once(
    selfsown: Program, grow: list[str]
) -> None:
    code, stdout, _ = selfsown("preview", *grow, "-n", 1, "--json")
    stages = {stage["stage"]: stage for stage in json.loads(stdout)["stages"]}
    assert code == 0
    assert list(stages) == ["completions", "instructions", "tasks", "instances"]
    assert "series of tasks" in stages["completions"]["calls"][0]["request"]["prompt"]
    prompts = [call["request"]["prompt"] for call in stages["tasks"]["calls"]]
    assert len(prompts) == 2
    assert sum("Is it classification?" in prompt for prompt in prompts) == 1
    assert not stages["instructions"]["calls"] and not stages["instances"]["calls"]
    assert stages["instances"]["candidates"][0]["end"] == "accepted"


def test_a_preview_stops_at_its_ration_of_calls(selfsown: Program, grow: list[str]) -> None:
    useless = Path("useless.yaml")
    useless.write_text(json.dumps({"rules": [{"text": "!"}], "capabilities": {"chat": False}}))
    code, _, stderr = selfsown(
        "preview", *grow, "--model", f"scripted:{useless}", "-n", 1, "--keep", "tried", "--json"
    )
    assert code == 0
    assert "stopped: 16 calls" in stderr
    made = json.loads(Path("tried/manifest.json").read_text())["run"]["calls"]
    assert made <= CALLS_PER_UNIT * 2
