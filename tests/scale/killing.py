"""Jobs of shards whose workers and driver are killed at exact moments."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
from tests.scale.jobs import data
from tests.system.processes import call, committed, start, write_config

from selfsown.testing.process import ServerProcess

MODEL = "m"
SHARDS = 4
ROWS = 240
CONCURRENCY = 3
WORKERS = 2
MOST_KILLS = 6
SLOW = ("--model", MODEL, "--latency-median-s", "0.06")
"""Of the server: slow enough for workers to be amid something."""


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


def hold_after(server: ServerProcess, calls: int) -> int:
    """Let so many calls more come, and keep the last and what follows waiting; its number."""
    number = asked(server) + calls
    server.hold(number)
    return number


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


def kill_often(home: Path, name: str, server: ServerProcess, rng: random.Random) -> int:
    """Start a job again and again, kill workers and driver each time, and let it end; how often.

    The server keeps calls waiting from a random one on, so the kills fall amid work. Of 240 calls
    no more than 45 come before each, so there are at least five.
    """
    path, kills = config(home, name, server), 0
    while True:
        number = hold_after(server, rng.randrange(12, 25))
        driver = start(*command(path))
        wait_for(server, driver, number)
        children = workers_of(driver)
        doomed = rng.sample(children, min(len(children), rng.choice((0, 1, 2))))
        number = hold_after(server, rng.randrange(2, 10))  # those that live on go on
        for child in doomed:
            child.kill()  # the driver starts another one
            kills += 1
        wait_for(server, driver, number)
        if driver.poll() is None and kills < MOST_KILLS:
            children = workers_of(driver)
            driver.kill()
            kills += 1
            psutil.wait_procs(children, timeout=20)
        server.hold(None)
        assert driver.stderr is not None
        said = driver.stderr.read().decode()
        driver.stderr.close()
        code = driver.wait(120)
        if code == 0:
            return kills
        assert code == -signal.SIGKILL, said
