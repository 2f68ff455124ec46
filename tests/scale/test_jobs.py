"""Claim: a job's data depend on its config and its number of shards, not on who worked on what."""

from __future__ import annotations

import json
import random
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scale.jobs import ROWS, Inline, data, do, make_job, merged, plain

from selfsown.core.config import make_config
from selfsown.core.errors import (
    BudgetExhausted,
    CheckFailed,
    ConfigChanged,
    ConfigError,
    EnvironmentFailure,
)
from selfsown.core.stages import Origin
from selfsown.offline import replay
from selfsown.scale.job import read_facts
from selfsown.scale.ledger import Ledger
from selfsown.scale.processes import Processes
from selfsown.scale.split import deal, part_rows
from selfsown.scale.tasks import Outcome, Task, shard_seed, share


def test_one_shard_is_the_run_it_would_be_alone_and_so_is_its_merge(tmp_path: Path) -> None:
    alone = data(plain(tmp_path))
    job = make_job(tmp_path, "job", shards=1)
    do(job)
    assert data(job.places.shard(0)) == alone
    assert merged(job) == alone
    assert json.loads(alone["rejected.jsonl"])["reason"] == "cut_off"


def test_every_shard_replays_without_a_model(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=3)
    do(job)
    assert all(replay(job.places.shard(shard)).identical for shard in range(3))


def test_the_order_in_which_shards_are_worked_on_does_not_matter(tmp_path: Path) -> None:
    results = []
    for number in range(3):
        job = make_job(tmp_path, f"job{number}", shards=5)
        order = random.Random(number)
        do(job, Inline(lambda tasks, order=order: order.sample(tasks, len(tasks))))
        results.append(merged(job))
    assert results[0] == results[1] == results[2]


def test_processes_make_the_same_bytes_whatever_their_number(tmp_path: Path) -> None:
    results = []
    for workers in (1, 3):
        job = make_job(tmp_path, f"job{workers}", shards=5)
        do(job, Processes(workers))
        results.append(merged(job))
    reference = make_job(tmp_path, "reference", shards=5)
    do(reference)
    assert results[0] == results[1] == merged(reference)


def test_a_shard_whose_workers_keep_dying_stops_the_job_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    start = Processes._start

    def counted(self: Processes) -> object:
        started.append(self)
        return start(self)

    job = make_job(tmp_path, "job", shards=1)
    with monkeypatch.context() as patch:
        patch.setattr(Processes, "_start", counted)
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(EnvironmentFailure, match="the worker of shard 0 died 20 times"):
            do(job, Processes(1))
    assert len(started) == 20
    assert do(job, Processes(1)).finished == 1


def test_the_merge_has_the_order_of_the_input(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=4)
    do(job)
    for name, lines in merged(job).items():
        alone = (plain(tmp_path) / name).read_bytes()
        if name != "provenance.jsonl":
            rows = [
                [{**json.loads(line), "id": ""} for line in text.splitlines()]
                for text in (lines, alone)
            ]
            assert rows[0] == rows[1]


def test_ids_differ_between_shards_also_where_the_rows_do_not(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=4)
    do(job, rows=[{"text": "the same"}] * 12)
    ids = [json.loads(line)["id"] for line in merged(job)["accepted.jsonl"].splitlines()]
    assert len(set(ids)) == len(ids) == 12
    assert Origin("r", "1", {}).shard == 0


def test_more_shards_than_rows_leave_some_empty(tmp_path: Path) -> None:
    job = make_job(tmp_path, "job", shards=4)
    totals = do(job, rows=ROWS[:2])
    assert (totals.finished, totals.accepted) == (4, 2)
    assert merged(job)["accepted.jsonl"].count(b"\n") == 2


def test_rows_are_dealt_out_by_their_number(tmp_path: Path) -> None:
    deal(ROWS, 4, tmp_path)
    for shard in range(4):
        assert list(part_rows(tmp_path / f"{shard:05d}.jsonl")) == ROWS[shard::4]


def test_a_finished_job_that_is_started_again_works_on_nothing(tmp_path: Path) -> None:
    do(make_job(tmp_path, "job", shards=3))
    again = Inline()
    totals = do(make_job(tmp_path, "job", shards=3), again)
    assert (again.ran, totals.finished, totals.accepted) == ([], 3, 21)


def test_another_split_of_the_same_directory_is_refused(tmp_path: Path) -> None:
    do(make_job(tmp_path, "job", shards=3))
    with pytest.raises(ConfigChanged, match="shards: 3 → 4"):
        do(make_job(tmp_path, "job", shards=4))
    with pytest.raises(ConfigChanged, match="input_sha256"):
        do(make_job(tmp_path, "job", shards=3), rows=ROWS[1:])
    assert read_facts(tmp_path / "job").rows == 23


def test_a_shard_that_is_refused_stops_the_job_with_its_error(tmp_path: Path) -> None:
    do(make_job(tmp_path, "job", shards=3))
    other = make_job(tmp_path, "job", shards=3, options={"prompt": "Tell {{ text }}."})
    with pytest.raises(ConfigChanged, match=r"shard 0: .*another config"):
        do(other)


def test_an_error_of_a_class_from_elsewhere_is_the_nearest_that_every_driver_knows(
    tmp_path: Path,
) -> None:
    filters = {"benchmark_overlap": {"indexes": ["mmlu"]}}
    options = {"prompt": "Say {{ text }}.", "prompt_filters": filters}
    with pytest.raises(CheckFailed, match="shard 0: there is no index of `mmlu`") as found:
        do(make_job(tmp_path, "job", shards=2, options=options))
    assert found.value.exit_code == 1, "as without --shards"


def test_a_job_in_the_directory_of_a_run_is_refused(tmp_path: Path) -> None:
    plain(tmp_path, "job")
    with pytest.raises(ConfigError, match="a run without shards"):
        do(make_job(tmp_path, "job", shards=2))


def test_seeds_of_shards_are_told_apart_and_shares_add_up() -> None:
    assert shard_seed(7, 0) == 7
    assert len({shard_seed(7, shard) for shard in range(1000)}) == 1000
    make_config({"recipe": "complete", "seed": shard_seed(2**63 - 1, 99)})
    assert [share(10, 4, part) for part in range(4)] == [3, 3, 2, 2]


def test_the_drivers_memory_does_not_grow_with_the_number_of_shards(tmp_path: Path) -> None:
    class Instant(Inline):
        def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
            for task in tasks:
                yield Outcome(shard=task.shard, status="finished", accepted=1)

    def peak(shards: int, name: str = "job") -> int:
        job = make_job(tmp_path, f"{name}{shards}", shards=shards)
        tracemalloc.start()
        do(job, Instant(), rows=ROWS)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)
    few = peak(100)
    many = min(peak(1000), peak(1000, "again"))  # the table of interned strings may grow once
    assert many < few + 1_000_000  # paths of the parts: 600 bytes a shard, while they are dealt


def test_a_jobs_shards_never_spend_more_than_its_cap(tmp_path: Path) -> None:
    job = make_job(
        tmp_path, "job", shards=4, rules=[], budget={"tokens": 4400}, options=_options(1000)
    )
    with pytest.raises(BudgetExhausted, match="of 4 shards"):
        do(job)
    with Ledger(job.places.ledger) as ledger:
        caps = [ledger.cap(shard)[1] for shard in range(4)]
        assert sum(caps) <= 4400
        assert ledger.totals().tokens <= 4400
    totals = do(replace(job, config=job.config.model_copy(update=_budget(100_000))))
    assert totals.accepted == 23
    with pytest.raises(ConfigError, match="lower than"):
        do(job)


def test_what_a_finished_shard_leaves_over_goes_to_one_that_ran_out(tmp_path: Path) -> None:
    # One shard has long prompts: a quarter of the cap is too little for it, the whole is enough.
    rows = [{"text": f"{n:02d} " + "word " * (30 if n % 4 == 0 else 1)} for n in range(16)]
    job = make_job(
        tmp_path, "job", shards=4, rules=[], budget={"tokens": 4800}, options=_options(900)
    )
    ran = Inline()
    totals = do(job, ran, rows=rows)
    assert totals.accepted == 16
    assert totals.tokens <= 4800
    assert len(ran.ran) > 4, "no shard ran out, so the test shows nothing"
    with Ledger(job.places.ledger) as ledger:
        assert sum(ledger.cap(shard)[1] for shard in range(4)) <= 4800


def _options(max_tokens: int) -> dict[str, object]:
    return {"prompt": "Say {{ text }}.", "max_tokens": max_tokens}


def _budget(tokens: int) -> dict[str, object]:
    return {"budget": make_config({"recipe": "complete", "budget": {"tokens": tokens}}).budget}
