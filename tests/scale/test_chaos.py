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

import psutil
import pytest
from tests.scale import node
from tests.scale.killing import (
    CONCURRENCY,
    MODEL,
    ROWS,
    SLOW,
    WORKERS,
    answered,
    asked,
    command,
    config,
    kill_often,
    merged,
    wait_for,
    whole,
    workers_of,
)
from tests.system.processes import arrivals, call, committed, environment, start

from selfsown.scale.segments import read_chain
from selfsown.scale.store import Store
from selfsown.testing.process import ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A slow enough endpoint."""
    with ServerProcess(*SLOW) as server:
        yield server


def test_workers_and_driver_killed_at_random_leave_the_same_bytes(
    tmp_path: Path, server: ServerProcess
) -> None:
    expected = whole(tmp_path, server)
    kills = kill_often(tmp_path, "killed", server, random.Random(4))
    assert kills >= 5
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
