"""Trainings in real child processes without the cost of importing PyTorch and TRL for each.

`with warm():` lets `selfsown.train.sft` fork its children from a process that has imported what
they import (4 CPU-seconds each otherwise). All else is as it was: pipes, log, session, environment
and folder are the child's own, and it ends when its parent does. `selfsown train` itself is tested
with children that start anew (`tests/train`).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest

from selfsown.train import sft

MODULES = (
    "selfsown.train.child",
    "peft",
    "transformers.models.llama.modeling_llama",
    "trl.trainer.dpo_trainer",
    "trl.trainer.reward_trainer",
    "trl.trainer.sft_trainer",
)
READ_EARLY = ("HF_", "MALLOC_", "OMP_", "PYTHONHASHSEED", "PYTHONPATH", "TOKENIZERS_")
"""Beginnings of variables that Python or a package reads when it starts."""

_STEMS: dict[frozenset[tuple[str, str]], socket.socket] = {}
"""The processes to fork from, by those variables: one end of a pair each."""


class WarmPopen:
    """What `sft` needs of `subprocess.Popen`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: IO[bytes],
        env: Mapping[str, str],
        start_new_session: bool,
    ) -> None:
        assert (stdin, stdout, start_new_session) == (subprocess.PIPE, subprocess.PIPE, True)
        assert list(command[:-1]) == [sys.executable, "-m", "selfsown.train.child"]
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._line, theirs = socket.socketpair()
        told = json.dumps([command[-1], str(Path.cwd()), dict(env)]).encode()
        with theirs:
            given = [theirs_in, theirs_out, stderr.fileno(), theirs.fileno()]
            socket.send_fds(stem(env), [len(told).to_bytes(4, "big")], given)
            self._line.sendall(told)
        os.close(theirs_in)
        os.close(theirs_out)
        self.stdin, self.stdout = os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb")
        self._read = self._line.makefile("rb")
        self.pid = int(self._read.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._read.readline())
            except TimeoutError:
                raise subprocess.TimeoutExpired("training", timeout or 0) from None
            self._read.close()
            self._line.close()
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.001)
        return None


_USED = SimpleNamespace(**{**vars(subprocess), "Popen": WarmPopen})


@contextlib.contextmanager
def warm() -> Iterator[None]:
    """Trainings of this process begin warm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sft, "subprocess", _USED)
        yield


def stay_warm(threads: int) -> None:
    """Trainings on so many threads begin warm in this process and in those forked from it."""
    settings = SimpleNamespace(config=SimpleNamespace(threads=threads))
    stem(sft._environment(settings))  # type: ignore[arg-type]
    sft.subprocess = _USED  # type: ignore[assignment]


def stem(env: Mapping[str, str]) -> socket.socket:
    """The line to a process that has imported everything under these variables."""
    key = frozenset(item for item in env.items() if item[0].startswith(READ_EARLY))
    if key not in _STEMS:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.train.warm", str(theirs.fileno())],
                env=dict(env),
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
            )
        _STEMS[key] = ours
        atexit.register(end, ours, process)
    return _STEMS[key]


def end(line: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Let go of a process that is forked from."""
    line.close()
    process.wait(10)


def main(line: socket.socket) -> None:
    """The process that is forked from; it ends with the one that started it."""
    for name in MODULES:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who keeps a child reports how it ended
    while True:
        size, fds, *_ = socket.recv_fds(line, 4, 4)
        if not size:
            return
        if os.fork() == 0:
            line.close()
            keep(int.from_bytes(size, "big"), fds)
        for one in fds:
            os.close(one)


def keep(size: int, fds: Sequence[int]) -> None:
    """Start one training, say its process id, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=fds[3]) as told:
        plan, folder, env = json.loads(told.recv(size, socket.MSG_WAITALL))
        child = os.fork()
        if child == 0:
            os.setsid()
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(env)
            for own, given in enumerate(fds[:3]):
                os.dup2(given, own)
            for one in fds:
                os.close(one)
            told.detach()
            become(plan)
        for one in fds[:3]:
            os.close(one)
        told.sendall(b"%d\n" % child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(BrokenPipeError):
            told.sendall(b"%d\n" % status)
    os._exit(0)


def become(plan: str) -> None:
    """The training itself."""
    status = 1
    try:
        status = import_module("selfsown.train.child").main([plan])
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
