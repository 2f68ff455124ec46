"""Claim: Ray makes the bytes that child processes make, also when its workers or its driver die."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.scale.jobs import Standing, do, make_job, merged
from tests.system.processes import call, committed, start

from selfsown.core.errors import ConfigChanged, ConfigError, EnvironmentFailure, SelfsownError
from selfsown.scale.on_ray import OnRay
from selfsown.scale.processes import Processes
from selfsown.scale.tasks import Outcome, Task

pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")

SLOW = [{"regex": ".", "delay_s": 0.05}]


class Borrowed(Standing):
    """The module's Ray, which outlives a job."""

    def __init__(self, ray: OnRay) -> None:
        self._ray = ray

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        return self._ray.run(tasks)

    def interrupt(self) -> Iterator[Outcome]:
        return self._ray.interrupt()


@pytest.fixture(scope="module")
def ray() -> Iterator[Borrowed]:
    """A Ray with two CPUs on this machine."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), before])
    try:
        with OnRay(2, None, has_store=True) as ray:
            yield Borrowed(ray)
    finally:
        os.environ["PYTHONPATH"] = before
    assert not ray_processes(os.getpid())


def ray_processes(parent: int) -> list[psutil.Process]:
    """Ray's processes below a process."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            process
            for process in psutil.Process(parent).children(recursive=True)
            if "ray" in " ".join(process.cmdline()[:3])
        ]
    return []


def at_work() -> list[psutil.Process]:
    """Ray workers that work on a shard now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::work"):
                found.append(process)
    return found


def answers(shard: Path) -> int:
    """Calls that a shard's journal holds an outcome for."""
    try:
        return committed(shard, "").total()
    except SelfsownError:  # it is being created
        return 0


def wait_for(driver: subprocess.Popen[bytes], shard: Path) -> None:
    """Until a shard has an answer, or the driver has ended."""
    while not answers(shard):
        with contextlib.suppress(subprocess.TimeoutExpired):
            driver.wait(0.05)
            return


def test_ray_makes_the_bytes_that_processes_make(tmp_path: Path, ray: Borrowed) -> None:
    job, other = make_job(tmp_path, "a", shards=5), make_job(tmp_path, "b", shards=5)
    do(job, ray)
    do(other, Processes(2))
    assert merged(job) == merged(other)


def test_ray_starts_a_shard_again_whose_worker_was_killed(tmp_path: Path, ray: Borrowed) -> None:
    job = make_job(tmp_path, "a", shards=4, rules=SLOW, limits={"concurrency": 1})
    killed = 0

    class Killing(Borrowed):
        def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
            nonlocal killed
            for outcome in super().run(tasks):
                if killed < 2:
                    for process in at_work():
                        process.kill()
                        killed += 1
                yield outcome

    totals = do(job, Killing(ray._ray))
    assert (totals.finished, totals.accepted) == (4, 23)
    assert killed >= 1
    reference = make_job(tmp_path, "b", shards=4, rules=SLOW)
    do(reference, Processes(2))
    assert merged(job) == merged(reference)


def test_an_error_in_a_ray_worker_is_the_jobs_error(tmp_path: Path, ray: Borrowed) -> None:
    do(make_job(tmp_path, "a", shards=2), ray)
    with pytest.raises(ConfigChanged, match=r"shard \d: "):
        do(make_job(tmp_path, "a", shards=2, options={"prompt": "Tell {{ text }}."}), ray)


def test_a_cluster_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray as real

    monkeypatch.setattr(real, "init", lambda **_: (_ for _ in ()).throw(ConnectionError("refused")))
    with pytest.raises(EnvironmentFailure, match=r"127\.0\.0\.1:1.*refused"):
        OnRay(2, "127.0.0.1:1", has_store=True)


def test_a_cluster_of_several_nodes_needs_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray as real

    ended: list[str] = []
    monkeypatch.setattr(real, "init", lambda **_: None)
    monkeypatch.setattr(real, "nodes", lambda: [{"Alive": True}, {"Alive": False}, {"Alive": True}])
    monkeypatch.setattr(real, "cluster_resources", lambda: {"CPU": 4.0})
    monkeypatch.setattr(real, "shutdown", lambda: ended.append("shutdown"))
    with pytest.raises(ConfigError, match="has 2 nodes, and no store was given"):
        OnRay(2, "auto", has_store=False)
    assert ended == ["shutdown"]
    OnRay(2, "auto", has_store=True)


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_port_where_nobody_is_is_reported_before_ray_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    import ray as real

    monkeypatch.setattr(real, "init", lambda **_: pytest.fail("Ray waits for minutes"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = form.format(taken.getsockname()[1])
        with pytest.raises(EnvironmentFailure, match=f"{address}.*refused"):
            OnRay(2, address, has_store=True)


@pytest.mark.slow
def test_ctrl_c_stops_the_shards_cleanly_and_ends_ray(tmp_path: Path) -> None:
    rules, rows = tmp_path / "rules.jsonl", tmp_path / "rows.jsonl"
    rules.write_text(json.dumps(SLOW[0]) + "\n")
    rows.write_text("".join(f'{{"n": {n}}}\n' for n in range(90)))
    out = tmp_path / "a"
    driver = start(
        *("run", "complete", "--rows", rows, "--model", f"scripted:{rules}", "--on", "ray"),
        *("--prompt", "Say {{ n }}.", "--shards", "3", "--concurrency", "1", "--workers", "2"),
        *("-o", out, "--quiet"),
    )
    shards = [out / "shards" / f"{shard:05d}" for shard in range(3)]
    wait_for(driver, shards[0])
    below = ray_processes(driver.pid)
    driver.send_signal(signal.SIGINT)
    assert driver.stderr is not None
    said = driver.stderr.read().decode()
    driver.stderr.close()
    assert driver.wait(60) == 130
    assert "the job was interrupted" in said
    begun = [shard for shard in shards if answers(shard)]
    assert shards[0] in begun
    for shard in begun:
        assert json.loads((shard / "manifest.json").read_text())["run"]["status"] == "suspended"
    assert not psutil.wait_procs(below, timeout=10)[1]


@pytest.mark.slow
def test_a_driver_killed_with_its_ray_ends_it_and_the_job_resumes(tmp_path: Path) -> None:
    rows, rules = tmp_path / "rows.jsonl", tmp_path / "rules.jsonl"
    rows.write_text("".join(f'{{"n": {n}}}\n' for n in range(60)))
    rules.write_text(json.dumps(SLOW[0]) + "\n")
    common = ["run", "complete", "--rows", rows, "--model", f"scripted:{rules}"]
    command = [*common, "--prompt", "Say {{ n }}.", "--shards", "3", "--concurrency", "1"]
    on_ray = [*command, "--on", "ray", "--workers", "2", "-o", tmp_path / "a", "--quiet"]
    driver = start(*on_ray)
    wait_for(driver, tmp_path / "a" / "shards" / "00000")
    below = ray_processes(driver.pid)
    assert below
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert driver.stderr is not None
    driver.stderr.close()
    _, alive = psutil.wait_procs(below, timeout=5)
    assert not [process for process in alive if "Agent" not in process.cmdline()[0]]
    for process in alive:  # they look for their Ray for most of a minute
        process.kill()
    assert call(*command, "-o", tmp_path / "a", "--quiet").returncode == 0
    assert call(*command, "-o", tmp_path / "b", "--quiet").returncode == 0
    for name in ("a", "b"):
        assert call("merge", tmp_path / name, "-o", tmp_path / f"{name}m").returncode == 0
    for file in ("accepted.jsonl", "provenance.jsonl"):
        assert (tmp_path / "am" / file).read_bytes() == (tmp_path / "bm" / file).read_bytes()
