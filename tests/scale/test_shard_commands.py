"""Claim: the command line splits, shows and merges jobs, and refuses what makes no sense."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scale.jobs import RULES, do, make_job, script

from selfsown.cli.arguments import resolve
from selfsown.cli.main import main
from selfsown.cli.merge import export_command
from selfsown.cli.plan import plan_lines, planned
from selfsown.cli.run_options import RunArguments
from selfsown.cli.status_of_others import other_lines, read_other
from selfsown.core.errors import Interrupted
from selfsown.scale.job import Job
from selfsown.testing.process import ServerProcess

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Said:
    """Run a command: exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(item) for item in arguments])
        out = capfd.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture
def command(tmp_path: Path) -> list[str | Path]:
    """A run of 23 rows."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"text": "row number {n}"}}\n' for n in range(23)))
    model = script(tmp_path, *RULES)
    return ["run", "complete", "--rows", rows, "--prompt", "Say {{ text }}.", "--model", model]


def test_a_job_is_split_shown_and_merged(
    tmp_path: Path, say: Said, command: list[str | Path]
) -> None:
    job = tmp_path / "job"
    code, out, err = say(*command, "--shards", "3", "--workers", "2", "-o", job, "--json")
    assert code == 0
    assert json.loads(out)["accepted"] == 21
    assert "shard 00002" in err
    assert "finished: 3 shards, 21 kept, 1 rejected, 1 failed; 23 calls" in err
    code, out, _ = say("status", job)
    assert out.startswith(f"{job}: sharded job, 3 of 3 shards finished\n")
    code, out, err = say("merge", job, "-o", job / "merged", "--json")
    assert json.loads(out)["data"]["notes"]["merge"]["accepted"] == 21
    code, out, err = say("merge", job, "-o", job / "merged")
    assert (code, out) == (0, "")
    assert "merged 3 runs: 21 accepted in, 21 kept; dropped: none" in err
    again = err.rpartition("next: ")[2]
    assert again.endswith("--prompt-field NAME -o train.jsonl\n")
    words = again.replace("NAME", "text").replace("train.jsonl", str(tmp_path / "t.jsonl")).split()
    assert say(*words[words.index("export") :], "--no-decontaminate")[0] == 0, "what is said works"
    code, out, _ = say("status", job / "merged")
    assert out.startswith(f"{job / 'merged'}: merge, 3 runs, 21 of 21 kept\n")
    code, _, err = say("replay", job / "merged")
    assert (code, "of a merge, one of the runs that were merged" in err) == (2, True)
    assert (job / "merged" / "report.html").exists()
    assert (job / "merged" / "README.md").exists()


def test_a_job_without_budget_left_says_how_to_go_on(
    tmp_path: Path, say: Said, command: list[str | Path]
) -> None:
    given = [*command, "--shards", "2", "-o", tmp_path / "job", "--quiet"]
    code, _, err = say(*given, "--budget-tokens", "100")
    assert code == 3
    assert "the budget does not cover the next calls of 2 of 2 shards" in err
    assert "\nresume: " in err
    _, out, _ = say("status", tmp_path / "job")
    assert "shard 00001 was stopped: the budget of 50 tokens" in out
    assert say(*given, "--budget-tokens", "100000")[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--on", "ray"), "need --shards N"),
        (("--epochs", "2"), "need --shards N"),
        (("--shards", "2", "--address", "auto"), "--address goes with --on ray"),
        (("--shards", "2", "--epochs", "2"), "does not suit recipe `complete`"),
        (("--shards", "2", "--set", "shard=1"), "a job numbers its shards itself"),
        (("--shards", "2", "--store", "memory://x"), "is seen by one process"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, say: Said, command: list[str | Path], options: tuple[str, ...], said: str
) -> None:
    code, _, err = say(*command, *options, "-o", tmp_path / "job")
    assert code == 2
    assert said in err
    assert not (tmp_path / "job" / "shards").exists()


def test_the_folder_of_a_store_does_not_depend_on_where_a_worker_is(
    tmp_path: Path, say: Said, command: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given: list[str] = []

    def run_job(job: Job, *_: object) -> None:
        given.append(job.store)
        raise Interrupted("enough", why="", fix="")

    monkeypatch.setattr("selfsown.scale.driver.run_job", run_job)
    for store in ("keep/it", "/keep", "s3://bucket/it"):
        say(*command, "-o", tmp_path / "job", "--shards", "2", "--store", store)
    assert given == [str(tmp_path / "keep" / "it"), "/keep", "s3://bucket/it"]


def test_the_batches_of_a_job_are_canceled_shard_by_shard(
    tmp_path: Path, say: Said, command: list[str | Path]
) -> None:
    with ServerProcess("--batch-looks", "1000000") as server:
        batch = ("--batch", "--set", "batch.linger_s=0.02", "--set", "batch.poll_s=0.05")
        job = (*command[:-1], server.model_uri("test-model"), "--shards", "2", "-o", tmp_path / "j")
        driver = subprocess.Popen(
            [sys.executable, "-m", "selfsown", *map(str, job), *batch, "--quiet"],
            stderr=subprocess.DEVNULL,
        )
        try:
            while len(server.batches()) < 2:
                assert driver.poll() is None
            code, _, err = say("cancel", tmp_path / "j")
            assert (code, "is in use by process" in err) == (3, True)
        finally:
            driver.send_signal(signal.SIGINT)
            assert driver.wait() == 130
        code, out, err = say("cancel", tmp_path / "j")
        assert (code, out.count(": ended, ")) == (0, 2)
        assert "next: the command that began it, with --no-batch" in err
        assert say(*job, "--no-batch", "--quiet")[0] == 0
        assert "no batch is waited for" in say("cancel", tmp_path / "j")[2]
        counters = server.counters()
        assert counters["requests"] == counters["distinct"] == 23
        assert len(server.batches()) == 2


def test_the_status_of_a_running_job_names_its_process(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=2)
    do(job)
    found = read_other(job.places.home, lambda _: 4711)
    assert found is not None
    assert other_lines(found)[0].endswith("running, in process 4711: 2 of 2 shards finished")


def test_a_plan_of_more_calls_than_a_run_should_hold_names_the_shards(
    command: list[str | Path],
) -> None:
    rows, prompt, model = (str(command[at]) for at in (3, 5, 7))
    asked = resolve(RunArguments(source="complete", rows=rows, prompt=prompt, models=(model,)))
    found = planned(asked)
    assert not [line for line in plan_lines(found, asked.config) if "--shards" in line]
    lines = plan_lines(replace(found, new_calls=25_000_001), asked.config)
    assert [line for line in lines if line.endswith("split it with `run … --shards 3`")]


def test_a_merge_says_what_its_records_are_for() -> None:
    out = Path("merged")
    assert "--prompt-field NAME" in export_command(out, "complete")
    assert export_command(out, "grounded").endswith("merged --format messages -o train.jsonl")
    assert " mix " in export_command(out, "rephrase")
    assert " run cosmopedia --rows " in export_command(out, "topics")


def test_a_merge_of_rows_with_instructions_needs_no_field_named(tmp_path: Path) -> None:
    for name, is_named in (("instruction", False), ("question", True)):
        (tmp_path / "accepted.jsonl").write_text(f'{{"{name}": "Why?", "completion": "So."}}\n')
        assert ("--prompt-field" in export_command(tmp_path, "complete")) is is_named


@pytest.mark.parametrize("name", ["grounded", "cosmopedia"])
def test_a_shard_whose_files_are_all_unread_does_not_stop_the_others(
    tmp_path: Path, say: Said, name: str
) -> None:
    folder, answers = tmp_path / "documents", tmp_path / "answers.jsonl"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"no text")
    (folder / "b.txt").write_text("The old tower of Ardel has 100 steps and a bell. " * 8)
    answers.write_text('{"text": "Nothing."}\n')
    given = ["--model", f"scripted:{answers}", "--yes"]
    out = str(tmp_path / "job")
    code, _, _ = say("run", name, "--documents", folder, *given, "-o", out, "--shards", "2")
    assert code == 0
    alone = ["--documents", str(folder / "a.bin"), *given, "-o", str(tmp_path / "run")]
    code, _, stderr = say("run", name, *alone)
    assert code == 2 and "selfsown documents check PATH" in stderr
