"""Claim: Ctrl-C ends a run with exit 130 and prints a command that then works; so does SIGTERM."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest


@pytest.fixture
def slow(tmp_path: Path) -> list[str]:
    """A run of 400 rows of which every one takes a fifth of a second."""
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(400)))
    (tmp_path / "slow.jsonl").write_text('{"text": "done", "delay_s": 0.2}\n')
    given = ["--rows", "rows.jsonl", "--prompt", "Do {{ n }}", "--model", "scripted:slow.jsonl"]
    return ["run", "complete", *given, "--concurrency", "8", "-o", "out"]


def interrupted(arguments: list[str], folder: Path, number: int, after: str) -> tuple[int, str]:
    """Start the program, signal it when a line of stderr holds `after`, and wait for its end."""
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", "selfsown", *arguments],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as child:
        guard = threading.Timer(60, child.kill)
        guard.start()
        assert child.stderr is not None
        for line in child.stderr:
            lines.append(line)
            if after in line and number:
                child.send_signal(number)
                number = 0
        guard.cancel()
    return child.returncode, "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_exits_130_and_the_printed_command_finishes_the_run(
    slow: list[str], tmp_path: Path, number: int
) -> None:
    code, stderr = interrupted(slow, tmp_path, number, "calls 8")
    assert code == 130
    resume = stderr.splitlines()[-1]
    assert resume.startswith("resume: ")
    done = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert done["run"]["status"] == "suspended"
    assert 0 < done["run"]["calls"] < 400
    again = f"{resume.removeprefix('resume: ')} --concurrency 400 --json"
    finished = subprocess.run(
        shlex.split(again), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    run = json.loads(finished.stdout)["run"]
    assert run["status"] == "finished"
    assert run["attempts"] == 400  # no call was paid twice
    assert run["calls_from_journal"] == done["run"]["calls"]
