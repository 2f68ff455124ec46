"""The test server as a child says where it is, counts, and outlives neither parent nor time."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request
from selfsown.models.uri import open_model
from selfsown.testing.process import ServerProcess

PARENT = """
import os, sys
from selfsown.testing.process import ServerProcess
server = ServerProcess("--max-seconds", "60")
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""


async def test_a_child_answers_counts_and_starts_over() -> None:
    with ServerProcess("--model", "m", "--bad-request", "1", "--max-seconds", "60") as server:
        model = open_model(server.model_uri(), environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(Request(prompt="p"), timeout_s=30)
        await model.close()
        assert caught.value.kind == "bad_request"
        assert server.counters()["by_fault"] == {"bad_request": 1}
        server.reset()
        assert server.counters(bodies=False)["requests"] == 0
    assert has_ended(server.pid)
    server.stop()


def test_a_child_ends_when_its_time_is_up() -> None:
    command = [sys.executable, "-m", "selfsown.testing.server", "--max-seconds", "0.1"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert set(orjson.loads(ended.stdout)) == {"url", "pid", "model"}


def test_a_child_ends_when_its_parent_is_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    parent = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert parent.returncode == -9
    assert has_ended(int(parent.stdout.split()[0]))


def test_arguments_that_make_no_server_are_reported(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        ServerProcess("--no-such-flag")


def has_ended(pid: int) -> bool:
    """Whether a process ends within 30 seconds; waits on the kernel's handle instead of polling."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)
