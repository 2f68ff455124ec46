"""Kills its own process at a place that no timing finds surely. Imported by a nursery.

The file named by `TEST_TRAP` says where: `file N` is before the N-th time that a file is opened for
writing, renamed or removed; `commit N SECONDS` is so long after the N-th commit of the journal
began. A byte in `TEST_TRAP`.in says whether the process was inside a commit when it died.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from selfsown.core.journal import Journal

FILE: Final = "TEST_TRAP"
"""Variable of the environment: the file that says where."""

_EVENTS: Final = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")


class _Trap:
    """What is counted in one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = 0
        self._left = 0
        self._kind = ""
        self._delay_s = 0.0

    def arm(self, kind: str) -> bool:
        """Whether the trap goes off at this event; a child reads its own order first."""
        if self._process != os.getpid():
            self._process = os.getpid()
            words = self._path.read_text().split() if self._path.exists() else []
            self._kind = words[0] if words else ""
            self._left = int(words[1]) if words else 0
            self._delay_s = float(words[2]) if len(words) > 2 else 0.0
        if kind != self._kind:
            return False
        self._left -= 1
        return self._left == 0

    def spring(self) -> None:
        """Die, at once or a moment later."""
        if self._delay_s:
            threading.Timer(self._delay_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)


def _set(path: Path) -> None:
    trap, commits = _Trap(path), Journal._commit
    inside = os.open(f"{path}.in", os.O_RDWR | os.O_CREAT)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if (writes or event in _EVENTS) and trap.arm("file"):
            trap.spring()

    def commit(*arguments: Any) -> int:
        if trap.arm("commit"):
            trap.spring()
        os.pwrite(inside, b"1", 0)
        seq = commits(*arguments)
        os.pwrite(inside, b"0", 0)
        return seq

    sys.addaudithook(hook)
    Journal._commit = commit  # type: ignore[method-assign]


if FILE in os.environ:
    _set(Path(os.environ[FILE]))
