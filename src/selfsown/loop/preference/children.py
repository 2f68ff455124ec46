"""Stages of an experiment in child processes, so many at once; all of them stop with the parent."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import (
    CheckFailed,
    EnvironmentFailure,
    InputError,
    Interrupted,
    SelfsownError,
)
from selfsown.loop.preference.worker import FAILURE, TELL

COMMAND = ("-m", "selfsown.loop.preference.worker")
"""What the interpreter is started with, before the worker's arguments."""
_GRACE_S: Final = 30.0
"""How long a child may take to stop; a run gives calls in flight 10 s."""
_ERRORS: Final[Mapping[int, type[SelfsownError]]] = {
    error.exit_code: error for error in (CheckFailed, InputError, EnvironmentFailure, Interrupted)
}


class Children:
    """Child processes of one experiment."""

    def __init__(self, threads: int) -> None:
        """No process yet.

        Args:
            threads: of torch in each child, unless the environment says.
        """
        self._environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def run(self, arguments: Sequence[str], log: Path, tell: Callable[[str], None]) -> None:
        """Do one stage and wait for it; several threads may call this at once.

        Args:
            arguments: of the worker.
            log: receives what the child and its libraries write to standard error.
            tell: receives one line per finished stage.

        Raises:
            SelfsownError: what the child says went wrong.
            EnvironmentFailure: it died without saying.
            Interrupted: `stop` was called.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            child = self._started(arguments, errors.fileno())
            try:
                failure = _followed(child, tell)
                status = child.wait()
            finally:
                self._end(child)
        if failure is not None:
            raised = _ERRORS.get(int(failure["status"]), EnvironmentFailure)
            raise raised(failure["what"], why=failure["why"], fix=failure["fix"])
        if status:
            self._refuse_stopped()
            raise EnvironmentFailure(
                f"`{' '.join(arguments)}` ended with status {status}",
                why=f"it said nothing more; its errors are in `{log}`",
                fix="read them; the same command goes on where it stopped",
            )

    def stop(self) -> None:
        """Start nothing more, and ask those that run to stop."""
        with self._lock:
            self._is_stopped = True
            for child in self._running:
                assert child.stdin is not None
                with contextlib.suppress(OSError):
                    child.stdin.close()

    def _started(self, arguments: Sequence[str], errors: int) -> subprocess.Popen[bytes]:
        with self._lock:
            self._refuse_stopped()
            child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, *COMMAND, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which passes it on
            )
            self._running.add(child)
        return child

    def _refuse_stopped(self) -> None:
        if self._is_stopped:
            raise Interrupted(
                "the experiment was stopped",
                why="Ctrl-C, or another of its stages could not go on",
                fix="run the same command again: it goes on where it stopped",
            )

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None and child.stdout is not None
        with contextlib.suppress(OSError):
            child.stdin.close()
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        with self._lock:
            self._running.discard(child)


def _followed(
    child: subprocess.Popen[bytes], tell: Callable[[str], None]
) -> Mapping[str, str] | None:
    """Pass on what a child tells until it ends; returns the failure that it named."""
    assert child.stdout is not None
    failure: Mapping[str, str] | None = None
    for line in child.stdout:
        form = orjson.loads(line)
        if FAILURE in form:
            failure = form[FAILURE]
        else:
            tell(form[TELL])
    return failure
