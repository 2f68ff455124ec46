"""Claim: `status`, `why` and `diff` tell of a run what its directory holds, at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.cli.status import lock_holder, read_status
from selfsown.core.rundir import locked

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def grown(selfsown: Program, grow: list[str]) -> Path:
    """A finished Self-Instruct run."""
    assert selfsown("run", *grow, "-n", 5, "-o", "grown")[0] == 0
    return Path("grown")


def test_status_of_a_finished_run_counts_and_says_how_to_extend(
    selfsown: Program, grown: Path
) -> None:
    code, stdout, stderr = selfsown("status", grown)
    assert (code, stderr) == (0, "")
    assert "finished: the target is reached" in stdout
    assert "more: " in stdout and "-n 10" in stdout
    assert "resume: " not in stdout


def test_status_while_the_lock_is_held_says_running_and_by_whom(
    selfsown: Program, grown: Path
) -> None:
    with locked(grown):
        found = read_status(grown)
    assert (found.state, found.process) == ("running", os.getpid())
    assert found.stages is not None
    assert lock_holder(grown) is None


def test_status_of_a_killed_run_counts_what_the_journal_leads_to(
    selfsown: Program, complete: list[str], tmp_path: Path
) -> None:
    selfsown("run", *complete, "-o", "out")
    for name in ("manifest.json", "accepted.jsonl", "provenance.jsonl"):
        (tmp_path / "out" / name).unlink()
    found = read_status(tmp_path / "out", count_stages=False)
    assert (found.state, found.stages, found.failures) == ("killed", None, 1)
    assert found.totals["calls"] == 6
    _, stdout, _ = selfsown("status", "out")
    assert "not finished" in stdout
    assert "resume: " in stdout


def test_status_of_a_suspended_run_repeats_the_command_that_resumes(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out", "--budget-tokens", 10)
    _, stdout, _ = selfsown("status", "out", "--json")
    found = json.loads(stdout)
    assert found["state"] == "suspended"
    assert found["resume"].endswith("-o out --budget-tokens 10")


def test_why_leads_from_an_accepted_record_to_the_seeds_and_shows_each_call(
    selfsown: Program, grown: Path
) -> None:
    record = json.loads((grown / "accepted.jsonl").read_text().splitlines()[0])
    code, stdout, _ = selfsown("why", grown, record["id"])
    assert code == 0
    assert record["instruction"] in stdout
    for part in ("instances  accepted", "tasks  passed", "instructions  passed", "seed  human"):
        assert part in stdout
    assert "| Come up with a series of tasks:" in stdout
    assert "Is it classification?" in stdout
    assert stdout.count("    answer\n") == 3


def test_why_takes_the_beginning_of_an_id_and_a_rows_own_id(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out")
    record = json.loads(Path("out/accepted.jsonl").read_text().splitlines()[0])
    whole = selfsown("why", "out", record["record_id"])
    assert whole[0] == 0
    assert selfsown("why", "out", record["record_id"][:12]) == whole
    assert selfsown("why", "out", record["record_id"].removeprefix("r-")) == whole
    assert selfsown("why", "out", record["id"]) == whole


def test_why_says_why_a_record_failed_or_was_rejected(
    selfsown: Program, complete: list[str], grown: Path
) -> None:
    selfsown("run", *complete, "-o", "out")
    _, stdout, _ = selfsown("why", "out", "row-3")
    assert "rows  failed (bad_request: " in stdout
    assert "    failed\n" in stdout
    rejected = (grown / "rejected.jsonl").read_text().splitlines()
    for line in rejected[:1]:
        form = json.loads(line)
        _, stdout, _ = selfsown("why", grown, form["id"])
        assert f"rejected ({form['reason']})" in stdout


def test_an_ambiguous_id_lists_its_records_and_an_unknown_one_is_named(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out")
    code, stdout, stderr = selfsown("why", "out", "r-")
    assert (code, stdout) == (2, "")
    assert "names 6 records" in stderr and stderr.count("  rows  ") == 6
    code, _, stderr = selfsown("why", "out", "\x1b[2Jnothing")
    assert code == 2
    assert "\x1b" not in stderr and "␛[2Jnothing" in stderr


def test_escapes_in_an_answer_are_shown_and_not_sent_to_the_terminal(
    selfsown: Program, rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "evil.jsonl").write_text(
        json.dumps({"text": "\x1b]0;owned\x07 \x9b31m red"}) + "\n"
    )
    model = ["--model", f"scripted:{tmp_path / 'evil.jsonl'}"]
    selfsown("run", "complete", "--rows", rows, "--prompt", "{{ text }}", *model, "-o", "out")
    _, stdout, _ = selfsown("why", "out", "row-0")
    assert "␛]0;owned␇" in stdout
    assert not set(stdout) & {"\x1b", "\x07", "\x9b"}


def test_diff_of_a_run_with_itself_finds_nothing(selfsown: Program, grown: Path) -> None:
    code, stdout, _ = selfsown("diff", grown, grown, "--json")
    found = json.loads(stdout)
    assert code == 0
    assert not found["config"] and not found["only_first"] and not found["only_second"]
    assert all(count["first"] == count["second"] for count in found["counts"])


def test_diff_names_settings_counts_and_records_that_differ(
    selfsown: Program, grow: list[str], grown: Path
) -> None:
    selfsown("run", *grow, "-n", 3, "-o", "smaller")
    _, stdout, _ = selfsown("diff", grown, "smaller")
    assert "target: `5` → `3`" in stdout
    _, stdout, _ = selfsown("diff", grown, "smaller", "--json")
    found = json.loads(stdout)
    assert found["shared"] == 3
    assert len(found["only_first"]) == 2 and not found["only_second"]


def test_diff_sees_other_answers_to_the_same_rows(
    selfsown: Program, complete: list[str], tmp_path: Path
) -> None:
    (tmp_path / "other.jsonl").write_text('{"text": "goodbye"}\n')
    selfsown("run", *complete, "-o", "first")
    selfsown("run", *complete, "--model", f"scripted:{tmp_path / 'other.jsonl'}", "-o", "second")
    _, stdout, _ = selfsown("diff", "first", "second", "--json")
    found = json.loads(stdout)
    assert (found["shared"], len(found["same_id_other_fields"])) == (5, 5)
    assert len(found["only_second"]) == 1
