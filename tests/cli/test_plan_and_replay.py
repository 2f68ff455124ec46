"""Claim: `plan` says beforehand what `run` then asks, and `replay` finds every changed byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Program = Callable[..., tuple[int, str, str]]


def planned(selfsown: Program, *arguments: object) -> dict[str, object]:
    code, stdout, _ = selfsown("plan", *arguments, "--json")
    assert code == 0
    form: dict[str, object] = json.loads(stdout)
    return form


def test_a_plan_over_rows_is_exact_and_writes_nothing(
    selfsown: Program, complete: list[str]
) -> None:
    found = planned(selfsown, *complete, "-o", "out")
    assert (found["exact"], found["new_calls"], found["cached_calls"]) == (True, 6, 0)
    assert not Path("out").exists()
    selfsown("run", *complete, "-o", "out")
    assert planned(selfsown, *complete, "-o", "out")["new_calls"] == 0
    assert planned(selfsown, "out/config.yaml", "--retry-failed")["new_calls"] == 1


def test_a_plan_works_without_a_directory(selfsown: Program, complete: list[str]) -> None:
    code, stdout, _ = selfsown("plan", *complete)
    assert code == 0
    assert "new calls: exactly 6" in stdout


def test_a_plan_names_what_changed_and_how_many_calls_that_costs(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out")
    code, stdout, _ = selfsown("plan", "out/config.yaml", "--set", "max_tokens=9")
    assert code == 0
    assert "options.max_tokens: `1024` → `9`" in stdout
    assert "new calls: exactly 6" in stdout
    _, said, _ = selfsown("run", "out/config.yaml", "--set", "max_tokens=9", "--update", "--json")
    assert json.loads(said)["run"]["calls"] == 12


def test_a_plan_of_a_growing_pool_is_a_bound_that_holds_and_is_called_one(
    selfsown: Program, grow: list[str]
) -> None:
    code, stdout, _ = selfsown("plan", *grow, "-n", 3, "-o", "grown")
    assert code == 0
    assert "calls, at most" in stdout
    bound = planned(selfsown, *grow, "-n", 3, "-o", "grown")["new_calls"]
    _, said, _ = selfsown("run", *grow, "-n", 3, "-o", "grown", "--json")
    assert isinstance(bound, int)
    assert 0 < json.loads(said)["run"]["calls"] <= bound


def test_a_plan_without_any_bound_says_so(selfsown: Program, grow: list[str]) -> None:
    off = ["--set", "least_yield=0", "--set", "least_task_yield=0"]
    code, stdout, _ = selfsown("plan", *grow, *off, "-n", 3)
    assert code == 0
    assert "no bound" in stdout
    assert planned(selfsown, *grow, *off, "-n", 3)["new_calls"] is None


def test_replay_reproduces_every_file_also_shuffled(selfsown: Program, grow: list[str]) -> None:
    selfsown("run", *grow, "-n", 4, "-o", "grown")
    for flags in ([], ["--shuffle"]):
        code, stdout, stderr = selfsown("replay", "grown", *flags)
        assert (code, stderr) == (0, "")
        assert [line.split()[0] for line in stdout.splitlines()] == [
            *("accepted.jsonl", "rejected.jsonl", "failed.jsonl", "provenance.jsonl", "manifest"),
        ]
        assert "different" not in stdout


def test_replay_of_files_made_otherwise_exits_1_and_names_them(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out")
    path = Path("out/manifest.json")
    manifest = json.loads(path.read_text())
    manifest["data"]["files"]["accepted.jsonl"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    code, stdout, stderr = selfsown("replay", "out", "--json")
    assert code == 1
    assert json.loads(stdout)["different"] == ["accepted.jsonl"]
    code, stdout, stderr = selfsown("replay", "out")
    assert code == 1
    assert "accepted.jsonl    different" in stdout
    assert "hint: " in stderr


def test_replay_of_an_unfinished_run_compares_nothing_and_exits_1(
    selfsown: Program, complete: list[str]
) -> None:
    selfsown("run", *complete, "-o", "out", "--budget-tokens", 10)
    code, stdout, _ = selfsown("replay", "out")
    assert code == 1
    assert stdout.startswith("incomplete: ")


def test_replay_of_what_is_no_run_exits_2(selfsown: Program, tmp_path: Path) -> None:
    code, stdout, stderr = selfsown("replay", tmp_path)
    assert (code, stdout) == (2, "")
    assert "has no config.yaml" in stderr
