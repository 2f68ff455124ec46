"""Command lines in real processes without the cost of starting Python for each.

`python -m tests.system.nursery` imports the command once; for every line on stdin (a JSON list of
arguments) it forks a child that is that command, prints its process id, and then how it ended.
Modules that are named as arguments are imported, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType

from tests.system.processes import environment

WARM = (
    "aiohttp",
    "selfsown.cli.run",
    "selfsown.models.endpoint",
    "selfsown.offline",
    "selfsown.recipes.complete",
    "selfsown.recipes.self_instruct.recipe",
    "selfsown.report.card",
    "selfsown.report.page",
    "tests.core.growing",
    "uvloop",
)
"""What a run imports when it gets there."""


class Nursery:
    """The test's side. A context manager; one child at a time."""

    def __init__(self, *modules: str, quiet: bool = False, **variables: str) -> None:
        """Start it.

        Args:
            modules: to import beside `WARM`.
            quiet: what the commands say on stderr goes nowhere.
            variables: of the environment.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.nursery", *modules],
            env=environment(**variables),
            bufsize=0,  # a line that was read ahead would be one that `wait` cannot see
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
        )
        self._child = 0

    def start(self, *arguments: str | Path) -> None:
        """Start a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(item) for item in arguments]).encode() + b"\n")
        self._process.stdin.flush()
        self._child = self._line()

    def wait(self, timeout_s: float) -> int | None:
        """Exit code, or minus the signal's number; None if it still runs after so many seconds."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            return None
        return self._line()

    def kill(self) -> int:
        """SIGKILL the command, and say how it ended: by that, or a moment before."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)
        return self._line()

    def _line(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=60)


def main() -> None:
    """The nursery's side."""
    for name in (*WARM, *sys.argv[1:]):
        import_module(name)
    command = import_module("selfsown.cli.main").main
    for line in iter(sys.stdin.buffer.readline, b""):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os._exit(command(json.loads(line)))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
