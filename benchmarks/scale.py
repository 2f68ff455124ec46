"""What sharding costs: per shard, per call, per merged record, per row restored from a store.

All but `documents` with a scripted model, so that no endpoint is in it. Printed:

- split: rows per CPU second dealt out to 64 shards
- shard: seconds and CPU of one shard of one row (the price of a shard), over many
- driver: peak memory of the driver over 100, 1,000 and 10,000 shards, and what a shard costs it
- calls: calls per CPU second through a worker, and journal and segment bytes per call
- restore: journal rows per CPU second from a store
- merge: records per CPU second, report included, without a filter and with exact novelty
- documents: calls with a prompt of 2,400 characters and an answer of 3,300, over HTTP to a local
  server whose CPU is not counted: CPU per 1,000 calls, bytes, records merged per CPU second
- ray (with --ray): seconds to start it here, and per shard of one row

    python -m benchmarks.scale [--rows 20000] [--shards 100] [--ray] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.page import flat
from benchmarks.record import Record

from selfsown.core.config import make_config
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.recipes.base import get_recipe
from selfsown.scale.data_set import Asked, merge_directories
from selfsown.scale.driver import run_job
from selfsown.scale.executor import Executor
from selfsown.scale.job import Job
from selfsown.scale.processes import Processes
from selfsown.scale.segments import read_chain, restore
from selfsown.scale.split import deal
from selfsown.scale.store import Store
from selfsown.scale.tasks import Outcome

Rows = Sequence[Mapping[str, Any]]


def rows(count: int) -> Rows:
    """Rows of about 100 bytes."""
    return [
        {"n": n, "text": f"row number {n} of a file, with a few more words"} for n in range(count)
    ]


def job(folder: Path, name: str, shards: int, store: str = "") -> Job:
    """A job of short calls to a scripted model."""
    rules = folder / "rules.jsonl"
    rules.write_text("")
    config = make_config(
        {
            "recipe": "complete",
            "models": {"generator": f"scripted:{rules}"},
            "options": {"prompt": "Sum up: {{ text }}"},
            "out": str(folder / name),
        }
    )
    return Job(config=config, recipe=get_recipe("complete"), shards=shards, store=store)


SERVER = """
import hashlib, random
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "io", "u") for c in "lrn"]
def document(body):
    seed = hashlib.sha256(str(body["messages"]).encode()).digest()
    return " ".join(random.Random(seed).choices(WORDS, k=700))
"""
"""What the local server answers: 700 words, another text for every prompt."""


def documents(folder: Path, count: int) -> dict[str, Any]:
    """The figures of long calls."""
    from selfsown.testing.process import ServerProcess

    (folder / "writer.py").write_text(SERVER)
    os.environ["PYTHONPATH"] = str(folder)
    given = [
        {"text": f"{n} " + "what an excerpt of some document says " * 62} for n in range(count)
    ]
    with ServerProcess("--model", "m", "--answer", "writer:document") as server:
        base = job(folder, "documents", 4, str(folder / "store2"))
        models: dict[str, Any] = {"generator": server.model_uri("m")}
        one = replace(base, config=base.config.model_copy(update={"models": models}))
        asked = work(one, given, lambda: Processes(1))
    home = Path(str(one.config.out))
    found: dict[str, Any] = {
        "calls_per_s": round(count / asked.wall_s),
        "cpu_s_per_1000_calls": round(1000 * asked.cpu_s / count, 2),
        "journal_bytes_per_call": round(sizes(home.glob(f"shards/*/{JOURNAL_NAME}")) / count),
        "segment_bytes_per_call": round(
            sizes((folder / "store2").glob("shards/*/segments/*")) / count
        ),
        "data_bytes_per_record": round(sizes(home.glob("shards/*/*.jsonl")) / count),
    }
    for name, asked_for in (
        ("merged_per_cpu_s", Asked()),
        ("merged_with_near_duplicates_per_cpu_s", Asked(near_duplicates=0.8, field="completion")),
    ):
        with Measured() as merged:
            merge_directories([home], folder / name, asked_for)
        found[name] = round(count / merged.cpu_s)
    return found


class Measured:
    """Wall time and CPU seconds of this process and its children."""

    def __enter__(self) -> Measured:
        self._wall, self._cpu = time.perf_counter(), _cpu_s()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._wall
        self.cpu_s = _cpu_s() - self._cpu


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def work(one: Job, given: Rows, executor: Callable[[], Executor]) -> Measured:
    """Do a job."""
    with Measured() as measured:
        run_job(one, given, executor, lambda outcome, finished: None)
    return measured


def measure_driver(folder: Path, shards: int) -> list[float]:
    """What `driver` prints, in a process of its own, with workers that do nothing."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.scale",
            "--driver",
            str(shards),
            "--folder",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(value) for value in done.stdout.split()]


class Instant:
    """An executor whose shards are finished at once."""

    def run(self, tasks: Iterator[Any]) -> Iterator[Outcome]:
        """Finish every task."""
        for task in tasks:
            yield Outcome(shard=task.shard, status="finished")

    def interrupt(self) -> Iterator[Outcome]:
        """Nothing is in work."""
        return iter(())

    def __enter__(self) -> Instant:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def driver(folder: Path, shards: int) -> None:
    """Print what instant shards cost their driver: MB at most, ms of CPU and of time for each."""
    spent = work(job(folder, f"d{shards}", shards), rows(10), Instant)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(peak, 1000 * spent.cpu_s / shards, 1000 * spent.wall_s / shards)


def sizes(paths: Iterator[Path]) -> int:
    """Bytes of files."""
    return sum(path.stat().st_size for path in paths)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--driver", type=int)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the result here")
    asked = parser.parse_args()
    if asked.driver:
        driver(asked.folder, asked.driver)
        return
    record = Record("Sharding: what a shard costs, and a call in it")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Measured() as split:
            deal(rows(asked.rows), 64, folder / "parts")
        found["split_rows_per_cpu_s"] = round(asked.rows / split.cpu_s)
        tiny = work(job(folder, "tiny", asked.shards), rows(asked.shards), lambda: Processes(1))
        found["shard_s"] = round(tiny.wall_s / asked.shards, 4)
        found["shard_cpu_s"] = round(tiny.cpu_s / asked.shards, 4)
        drivers = {n: measure_driver(folder, n) for n in (100, 1000, 10_000)}
        found["driver_mb"] = {n: mb for n, (mb, _, _) in drivers.items()}
        _, cpu_ms, wall_ms = drivers[10_000]
        found["driver_cpu_ms_per_shard"] = round(cpu_ms, 2)
        found["driver_ms_per_shard"] = round(wall_ms, 2)
        store = str(folder / "store")
        big = job(folder, "big", 8, store)
        whole = work(big, rows(asked.rows), lambda: Processes(1))
        found["calls_per_cpu_s"] = round(asked.rows / whole.cpu_s)
        home = Path(str(big.config.out))
        found["journal_bytes_per_call"] = round(
            sizes(home.glob(f"shards/*/{JOURNAL_NAME}")) / asked.rows
        )
        found["segment_bytes_per_call"] = round(
            sizes((folder / "store").glob("shards/*/segments/*")) / asked.rows
        )
        found["data_bytes_per_record"] = round(sizes(home.glob("shards/*/*.jsonl")) / asked.rows)
        chain = read_chain(Store(store), "shards/00000", 99)
        with Measured() as restored:
            restore(Store(store), "shards/00000", chain, folder / "restored.sqlite")
        Journal(folder / "restored.sqlite").close()
        found["restored_rows_per_cpu_s"] = round(chain.last / restored.cpu_s)
        with Measured() as merged:
            merge_directories([home], folder / "m", Asked())
        found["merged_records_per_cpu_s"] = round(asked.rows / merged.cpu_s)
        with Measured() as merged:
            merge_directories([home], folder / "n", Asked(novelty=0.7, field="completion"))
        found["merged_with_novelty_per_cpu_s"] = round(asked.rows / merged.cpu_s)
        found["documents"] = documents(folder, max(400, asked.rows // 5))
        if asked.ray:
            from selfsown.scale.on_ray import OnRay

            with Measured() as started:
                ray = OnRay(2, None, has_store=False)
            found["ray_start_s"] = round(started.wall_s, 2)
            count = asked.shards
            on_ray = work(job(folder, "ray", count), rows(count), lambda: ray)
            found["ray_shard_s_with_2_workers"] = round(on_ray.wall_s / count, 4)
    title = f"{asked.rows:,} rows in 8 shards, {asked.shards} shards of one row, a scripted model"
    record.table(title, ("what", "value"), list(flat(found)))
    record.write(asked.json)


if __name__ == "__main__":
    main()
