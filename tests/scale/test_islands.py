"""Claim: islands grow alone, exchange what they made by the merge, and forget no human seed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.gardener import SEEDS
from tests.scale.jobs import Inline, data, do, make_job, merged

from selfsown.core.errors import ConfigError
from selfsown.core.rundir import read_manifest
from selfsown.curate.near_duplicates import NearDuplicates
from selfsown.export.run_files import open_run
from selfsown.recipes.seeds import read_seeds
from selfsown.runner import Start, execute
from selfsown.scale.job import Job
from selfsown.scale.split import part_rows
from selfsown.scale.tasks import Outcome, Task
from selfsown.testing.process import ServerProcess


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """An endpoint that answers the prompts of Self-Instruct."""
    with ServerProcess("--model", "m", "--answer", "tests.system.answers:garden") as server:
        yield server


def islands(folder: Path, name: str, server: ServerProcess, **given: Any) -> Job:
    return make_job(
        folder,
        name,
        recipe="self-instruct",
        models={"generator": server.model_uri("m")},
        order="strict",
        rules=(),
        **{"shards": 3, "target": 36, "options": {"layout": "completion"}, **given},
    )


def rows(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_islands_of_two_epochs_make_the_same_bytes_in_any_order(
    tmp_path: Path, server: ServerProcess
) -> None:
    results = []
    for number in range(2):
        job = islands(tmp_path, f"job{number}", server, epochs=2)
        order = random.Random(number)
        totals = do(job, Inline(lambda tasks, o=order: o.sample(tasks, len(tasks))), rows=SEEDS)  # type: ignore[misc]
        assert totals.finished == 6
        results.append(merged(job))
    assert results[0] == results[1]
    accepted, provenance = rows(results[0]["accepted.jsonl"]), rows(results[0]["provenance.jsonl"])
    assert len({row["instruction"] for row in accepted}) >= 30
    assert {row.get("shard", 0) for row in provenance} == set(range(6))


def test_every_parent_of_every_epoch_is_a_seed_or_a_record(
    tmp_path: Path, server: ServerProcess
) -> None:
    job = islands(tmp_path, "job", server, epochs=3)
    do(job, rows=SEEDS)
    provenance = {row["id"]: row for row in rows(merged(job)["provenance.jsonl"])}
    for row in provenance.values():
        for parent in row["parents"]:
            if parent.startswith("seed:"):
                assert parent.removeprefix("seed:") in {str(seed["id"]) for seed in SEEDS}
            else:
                assert provenance[parent]["parent_depth"] < row["parent_depth"]
    assert max(row["parent_depth"] for row in provenance.values()) > 4


def test_the_seeds_of_the_next_epoch_are_all_humans_and_all_accepted_tasks(
    tmp_path: Path, server: ServerProcess
) -> None:
    job = islands(tmp_path, "job", server, epochs=2)
    do(job, rows=SEEDS)
    given = [row for shard in range(3, 6) for row in part_rows(job.places.part(shard))]
    human = {row["id"] for row in given if not row.get("depth")}
    assert human == {seed["id"] for seed in SEEDS}
    between = open_run(job.places.epoch(0))
    made = {str(row["instruction"]) for row in between.rows("accepted")}
    assert {row["instruction"] for row in given if row.get("depth")} == made
    for run in (open_run(job.places.shard(3)), between):
        assert not [row for row in run.seeds() if row.get("depth")], "no human wrote these"
    first = [{row["id"] for row in part_rows(job.places.part(n))} for n in (0, 3)]
    assert first[0] != first[1] & human, "the human seeds moved on"
    assert all(task.depth > 0 for task in read_seeds([r for r in given if r.get("depth")]))


def test_an_epoch_that_is_worked_on_again_is_merged_and_dealt_out_again(
    tmp_path: Path, server: ServerProcess
) -> None:
    job = islands(tmp_path, "job", server, epochs=2)
    do(job, rows=SEEDS)
    expected, between = merged(job), job.places.epoch(0) / "manifest.json"
    stamp = between.stat().st_mtime_ns
    do(job, rows=SEEDS)
    assert between.stat().st_mtime_ns == stamp, "nothing was worked on"
    (job.places.shard(1) / "done.json").unlink()
    job.places.ledger.unlink()

    class Gone(Inline):
        def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
            next(tasks)
            raise ZeroDivisionError  # the driver dies once it has handed out a shard

    with pytest.raises(ZeroDivisionError):
        do(job, Gone(), rows=SEEDS)
    assert not between.exists(), "the next start merges and deals again"
    assert do(job, rows=SEEDS).finished == 6
    assert merged(job) == expected


def test_one_island_is_the_run_it_would_be_alone_and_so_is_its_merge(
    tmp_path: Path, server: ServerProcess
) -> None:
    job = islands(tmp_path, "job", server, shards=1)
    do(job, rows=SEEDS)
    config = job.config.model_copy(update={"out": str(tmp_path / "alone")})
    asyncio.run(execute(config, Start(), seeds=SEEDS))
    assert data(job.places.shard(0)) == data(tmp_path / "alone") == merged(job)


def test_a_merge_drops_what_two_islands_found_both_and_counts_it(
    tmp_path: Path, server: ServerProcess
) -> None:
    job = islands(tmp_path, "job", server, shards=2, target=20)
    do(job, rows=SEEDS)
    kept = rows(merged(job, novelty=0.2)["accepted.jsonl"])
    manifest: Any = read_manifest(job.places.home / "merged")
    facts = manifest["data"]["notes"]["merge"]
    assert facts["in"] == facts["accepted"] + sum(facts["rejected"].values())
    assert facts["accepted"] == len(kept) < facts["in"]
    for stage in manifest["data"]["stages"]:
        ends = stage["accepted"] + sum(stage["rejected"].values()) + sum(stage["failed"].values())
        assert stage["in"] == ends


def test_a_merge_asks_the_recipes_own_filters_with_memory_which_each_island_asked_alone(
    tmp_path: Path, server: ServerProcess
) -> None:
    options = {"layout": "completion", "novelty_threshold": 1.0}
    near = {"near_duplicate": {"threshold": 0.1, "words": 1}}
    for shards in (1, 3):
        job = islands(
            tmp_path,
            f"near-{shards}",
            server,
            shards=shards,
            target=24,
            options={**options, "filters": near},
        )
        do(job, rows=SEEDS)
        kept = [row["instruction"] for row in rows(merged(job)["accepted.jsonl"])]
        facts = merge_facts(job)
        assert "`near_duplicate` of `instruction`" in facts["filters"]
        assert (facts["rejected"].get("merge_near_duplicate", 0) > 0) == (shards > 1)
        pool = NearDuplicates(0.1, words=1)
        for text in dict.fromkeys(kept):
            assert pool.nearest(text) is None
            pool.add(text)
        assert len(rows(merged(job, no_novelty=True)["accepted.jsonl"])) == facts["in"]
        assert merge_facts(job)["filters"] == []


def merge_facts(job: Job) -> dict[str, Any]:
    """What the last merge of a job says of itself."""
    data: Any = read_manifest(job.places.home / "merged")["data"]
    facts: dict[str, Any] = data["notes"]["merge"]
    return facts


def test_islands_without_a_seed_and_epochs_without_a_pool_are_refused(
    tmp_path: Path, server: ServerProcess
) -> None:
    with pytest.raises(ConfigError, match="12 seeds are too few for 13 islands"):
        do(islands(tmp_path, "a", server, shards=13), rows=SEEDS)
    with pytest.raises(ConfigError, match="does not suit recipe `complete`"):
        do(make_job(tmp_path, "b", shards=2, epochs=2))
    with pytest.raises(ConfigError, match="less than the 40 shards"):
        do(islands(tmp_path, "c", server, shards=10, epochs=4), rows=SEEDS)
