"""Claim: `doctor` finds what is broken, says how to mend it, and mends a journal into a copy."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.core.rundir import locked

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def finished(selfsown: Program, complete: list[str]) -> Path:
    """A finished run of six rows."""
    selfsown("run", *complete, "-o", "out")
    return Path("out")


def verdicts(stdout: str) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in json.loads(stdout)}


def test_a_sound_run_passes_every_check(selfsown: Program, finished: Path) -> None:
    code, stdout, stderr = selfsown("doctor", finished, "--json")
    assert (code, stderr) == (0, "")
    assert set(verdicts(stdout).values()) == {"ok"}


def test_a_changed_data_file_is_found(selfsown: Program, finished: Path) -> None:
    with (finished / "accepted.jsonl").open("a") as handle:
        handle.write("\n")
    code, stdout, _ = selfsown("doctor", finished)
    assert code == 1
    assert "bad  accepted.jsonl" in stdout and "hint: accepted.jsonl: " in stdout


def test_a_changed_count_is_found(selfsown: Program, finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    manifest["data"]["stages"][0]["in"] += 1
    (finished / "manifest.json").write_text(json.dumps(manifest))
    code, stdout, _ = selfsown("doctor", finished, "--json")
    assert code == 1
    assert verdicts(stdout)["conservation"] == "bad"


def test_a_lock_that_is_held_is_noted_with_its_holder(selfsown: Program, finished: Path) -> None:
    with locked(finished):
        code, stdout, _ = selfsown("doctor", finished, "--json")
    assert code == 0
    assert verdicts(stdout)["lock"] == "note"


def test_a_damaged_row_is_found_and_recovery_keeps_all_others(
    selfsown: Program, finished: Path
) -> None:
    journal = sqlite3.connect(finished / "journal.sqlite")
    journal.execute("UPDATE outcomes SET model='forged' WHERE seq=(SELECT max(seq) FROM outcomes)")
    journal.commit()
    journal.close()
    before = (finished / "journal.sqlite").read_bytes()
    code, stdout, _ = selfsown("doctor", finished)
    assert code == 1
    assert "journal, outcomes" in stdout and "--recover NEW_DIR" in stdout
    code, stdout, stderr = selfsown("doctor", finished, "--recover", "mended")
    assert code == 0
    assert "5 outcomes" in stdout
    assert (finished / "journal.sqlite").read_bytes() == before
    config = stderr.partition("selfsown run ")[2].split()[0]
    _, stdout, _ = selfsown("run", config, "--json")
    run = json.loads(stdout)["run"]
    assert run["calls_from_journal"] == 5
    manifest = json.loads((finished / "manifest.json").read_text())
    assert json.loads(stdout)["data"] == manifest["data"]


def test_recovery_never_overwrites(selfsown: Program, finished: Path) -> None:
    code, _, stderr = selfsown("doctor", finished, "--recover", finished)
    assert code == 2
    assert "exists" in stderr


def test_the_environment_is_checked_without_a_directory(selfsown: Program) -> None:
    code, stdout, _ = selfsown("doctor", "--json")
    found = verdicts(stdout)
    assert code in (0, 1)
    assert {"selfsown", "python", "extra local", "lab model", "disk"} <= set(found)


def test_a_model_out_of_reach_is_bad_and_one_that_answers_is_ok(
    selfsown: Program, script: Path
) -> None:
    _, stdout, _ = selfsown("doctor", "--model", f"scripted:{script}", "--json")
    assert verdicts(stdout)["model"] == "ok"
    code, stdout, _ = selfsown("doctor", "--model", "http://127.0.0.1:9/v1#none", "--json")
    assert code == 1
    assert verdicts(stdout)["model"] == "bad"
