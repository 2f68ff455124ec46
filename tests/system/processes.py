"""Real processes for the system tests: the command line as a child, the server, what each saw."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from selfsown.core.errors import EnvironmentFailure
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.testing.process import ServerProcess
from selfsown.testing.replies import canonical_hash

REPOSITORY = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the tests' own modules importable."""
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", **more}


def selfsown(*arguments: str | Path) -> list[str]:
    """The command line that a user types."""
    return [sys.executable, "-m", "selfsown", *map(str, arguments)]


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    """The command as a child that is not waited for."""
    return subprocess.Popen(
        selfsown(*arguments),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        selfsown(*arguments),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write_config(path: Path, config: Mapping[str, Any]) -> Path:
    """A config file."""
    path.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    return path


def arrivals(server: ServerProcess) -> Counter[str]:
    """Body hash -> how often it arrived, once nothing is in flight any more."""
    server.counters(bodies=False)  # whoever was ahead of us in the server's queues is counted
    while (seen := server.counters())["in_flight"]:
        continue
    bodies = seen["bodies"]
    assert isinstance(bodies, dict)
    return Counter({body: len(times) for body, times in bodies.items()})


def committed(directory: Path, model: str) -> Counter[str]:
    """Body hash -> how many different calls with that body the journal holds an outcome for."""
    if not (directory / JOURNAL_NAME).exists():
        return Counter()
    try:
        journal = Journal(directory / JOURNAL_NAME, read_only=True)
    except EnvironmentFailure as error:
        assert "journal format 0" in error.what  # killed before its tables were there
        return Counter()
    try:
        calls = {row[1]: str(row[4]) for row in journal.rows("outcomes", "WHERE kind='call'")}
    finally:
        journal.close()
    return Counter(body_hash(request, model) for request in calls.values())


def body_hash(request: str, model: str) -> str:
    """The server's name for a journaled request (one without schema, tools or images)."""
    body = {"model": model, **orjson.loads(request)}
    return canonical_hash(b"", body)
