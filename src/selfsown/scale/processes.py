"""Shards in child processes of this machine, which are started again when they die."""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import orjson

from selfsown.scale.executor import DEATHS, lost
from selfsown.scale.tasks import Outcome, Task, read_outcome

_GRACE_S: Final = 20.0
"""How long a worker may take to stop; a run gives calls in flight 10 s."""


class Processes:
    """An executor over `workers` child processes."""

    def __init__(self, workers: int) -> None:
        self._limit = workers
        self._ready = selectors.DefaultSelector()
        self._tasks: dict[subprocess.Popen[bytes], Task | None] = {}
        self._deaths: Counter[int] = Counter()

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        """Hand out tasks and yield outcomes as they come."""
        again: list[Task] = []
        while True:
            while self._busy < self._limit:
                task = again.pop() if again else next(tasks, None)
                if task is None:
                    break
                self._give(task)
            if not self._busy:
                return
            for process, task in self._answers(None):
                outcome = self._read(process)
                if outcome is not None:
                    self._deaths.pop(task.shard, None)
                    yield outcome
                elif self._deaths[task.shard] < DEATHS:
                    again.append(task)
                else:
                    yield lost(task, self._deaths.pop(task.shard))

    def interrupt(self) -> Iterator[Outcome]:
        """Ask every worker to stop, and yield what they say."""
        for process, task in self._tasks.items():
            if task is not None:
                process.terminate()
        ends = time.monotonic() + _GRACE_S
        while self._busy and time.monotonic() < ends:
            for process, _ in self._answers(max(0.0, ends - time.monotonic())):
                outcome = self._read(process)
                if outcome is not None:
                    yield outcome

    @property
    def _busy(self) -> int:
        return sum(task is not None for task in self._tasks.values())

    def _give(self, task: Task) -> None:
        idle = next((one for one, held in self._tasks.items() if held is None), None)
        process = idle or self._start()
        self._tasks[process] = task
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has just died: its stdout says so
            process.stdin.write(orjson.dumps(task.to_mapping()) + b"\n")
            process.stdin.flush()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "selfsown.scale.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the driver's to pass on
        )
        assert process.stdout is not None
        self._ready.register(process.stdout, selectors.EVENT_READ, process)
        return process

    def _answers(self, timeout_s: float | None) -> list[tuple[subprocess.Popen[bytes], Task]]:
        """Busy workers that have said something or died."""
        found = [key.data for key, _ in self._ready.select(timeout_s)]
        for process in found:
            if self._tasks.get(process) is None:  # died while idle
                self._bury(process)
        return [(one, task) for one in found if (task := self._tasks.get(one)) is not None]

    def _read(self, process: subprocess.Popen[bytes]) -> Outcome | None:
        """The outcome that a worker wrote; None if it died, which is counted."""
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.endswith(b"\n"):
            self._tasks[process] = None
            return read_outcome(orjson.loads(line))
        task = self._tasks[process]
        if task is not None:
            self._deaths[task.shard] += 1
        self._bury(process)
        return None

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._ready.unregister(process.stdout)
        self._tasks.pop(process, None)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.wait()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all workers: idle ones at once, busy ones when they have stopped."""
        ends = time.monotonic() + _GRACE_S
        for process in self._tasks:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for process in self._tasks:
            try:
                process.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()
        self._ready.close()
