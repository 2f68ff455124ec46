"""Claim: kill workers and the driver at any moment: the same bytes, and nothing paid twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.scale import node
from tests.scale.jobs import data
from tests.system.processes import arrivals, call, committed, environment, start, write_config

from selfsown.scale.segments import read_chain
from selfsown.scale.store import Store
from selfsown.testing.process import ServerProcess

pytestmark = pytest.mark.slow

MODEL = "m"
SHARDS = 4
ROWS = 240
CONCURRENCY = 3
WORKERS = 2


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A slow enough endpoint."""
    with ServerProcess("--model", MODEL, "--latency-median-s", "0.06") as server:
        yield server


def config(home: Path, name: str, server: ServerProcess) -> Path:
    rows = home / "rows.jsonl"
    rows.write_text("".join(f'{{"n": {n}}}\n' for n in range(ROWS)))
    form: dict[str, Any] = {
        "recipe": "complete",
        "rows": str(rows),
        "models": {"generator": server.model_uri(MODEL)},
        "options": {"prompt": "Say {{ n }}."},
        "limits": {"concurrency": CONCURRENCY, "resend": 0},
        "out": str(home / name),
    }
    return write_config(home / f"{name}.yaml", form)


def command(path: Path, *more: str) -> list[str | Path]:
    return ["run", path, "--shards", str(SHARDS), "--workers", str(WORKERS), "--quiet", *more]


def merged(home: Path, name: str) -> dict[str, bytes]:
    done = call("merge", home / name, "-o", home / f"{name}-merged")
    assert done.returncode == 0, done.stderr
    return data(home / f"{name}-merged")


def workers_of(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def asked(server: ServerProcess) -> int:
    return int(str(server.counters(bodies=False)["requests"]))


def wait_for(server: ServerProcess, driver: subprocess.Popen[bytes], calls: int) -> None:
    while driver.poll() is None and asked(server) < calls:
        time.sleep(0.005)


def whole(home: Path, server: ServerProcess, *more: str) -> dict[str, bytes]:
    done = call(*command(config(home, "whole", server), *more))
    assert done.returncode == 0, done.stderr
    files = merged(home, "whole")
    server.reset()
    return files


def answered(home: Path, name: str) -> int:
    return sum(
        committed(home / name / "shards" / f"{shard:05d}", MODEL).total() for shard in range(SHARDS)
    )


def test_workers_and_driver_killed_at_random_leave_the_same_bytes(
    tmp_path: Path, server: ServerProcess
) -> None:
    expected = whole(tmp_path, server)
    path, rng, kills = config(tmp_path, "killed", server), random.Random(4), 0
    while True:
        before = asked(server)
        driver = start(*command(path))
        wait_for(server, driver, before + rng.randrange(5, 20))
        children = workers_of(driver)
        for child in rng.sample(children, min(len(children), rng.choice((0, 1, 2)))):
            child.kill()  # the driver starts another one
            kills += 1
        wait_for(server, driver, asked(server) + rng.randrange(2, 10))
        if driver.poll() is None and kills < 12:
            children = workers_of(driver)
            driver.kill()
            kills += 1
            psutil.wait_procs(children, timeout=20)
        assert driver.stderr is not None
        said = driver.stderr.read().decode()
        driver.stderr.close()
        code = driver.wait(120)
        if code == 0:
            break
        assert code == -signal.SIGKILL, said
    assert kills >= 3
    assert merged(tmp_path, "killed") == expected
    total = arrivals(server).total()
    lost = total - answered(tmp_path, "killed")
    assert answered(tmp_path, "killed") == ROWS
    assert lost <= kills * CONCURRENCY * WORKERS, "a committed call was asked again"


def test_ctrl_c_stops_all_workers_cleanly_and_the_same_command_resumes(
    tmp_path: Path, server: ServerProcess
) -> None:
    expected = whole(tmp_path, server)
    path = config(tmp_path, "stopped", server)
    driver = start(*command(path))
    wait_for(server, driver, 40)
    children = workers_of(driver)
    assert children
    driver.send_signal(signal.SIGINT)
    assert driver.stderr is not None
    said = driver.stderr.read().decode()
    driver.stderr.close()
    assert driver.wait(60) == 130
    assert "the job was interrupted" in said
    assert "resume: " in said
    assert not [child for child in children if child.is_running()]
    assert arrivals(server).total() == answered(tmp_path, "stopped"), "an answer was lost"
    assert call(*command(path)).returncode == 0
    assert merged(tmp_path, "stopped") == expected
    assert arrivals(server).total() == ROWS


def test_a_driver_that_is_gone_takes_its_workers_along(
    tmp_path: Path, server: ServerProcess
) -> None:
    server.reset()
    driver = start(*command(config(tmp_path, "orphans", server)))
    wait_for(server, driver, 20)
    children = workers_of(driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert driver.stderr is not None
    driver.stderr.close()
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert gone and not alive


def test_nodes_lost_with_their_disks_at_random_leave_the_same_bytes(
    tmp_path: Path, server: ServerProcess
) -> None:
    expected = whole(tmp_path, server, "--shards", str(node.SHARDS))
    path, store, rng = config(tmp_path, "lost", server), str(tmp_path / "store"), random.Random(1)
    nodes = kept = 0
    while True:
        before = asked(server)
        lonely = subprocess.Popen(
            [sys.executable, "-m", "tests.scale.node", path, store], env=environment()
        )
        wait_for(server, lonely, before + rng.randrange(30, 70))
        time.sleep(0.25)  # a segment may have been sent
        lonely.kill()
        if lonely.wait() == 0:
            break
        nodes += 1
        shutil.rmtree(tmp_path / "lost", ignore_errors=True)
        chains = [read_chain(Store(store), f"shards/{n:05d}", 999) for n in range(node.SHARDS)]
        assert sum(chain.last for chain in chains) >= kept, "a segment is gone"
        kept = sum(chain.last for chain in chains)
    assert nodes >= 2
    assert kept > 0
    assert merged(tmp_path, "lost") == expected
    committed_calls = sum(
        committed(tmp_path / "lost" / "shards" / f"{n:05d}", MODEL).total()
        for n in range(node.SHARDS)
    )
    assert committed_calls <= ROWS, "of shards whose results were fetched there is no journal"
    lost = arrivals(server).total() - ROWS
    print(f"\n{nodes} nodes lost, {lost} calls asked again")
    assert lost <= nodes * 30, "answers that had been sent away were asked for again"
