"""HTML and PDF parsed in a process of its own, with a limit on time and memory.

Their parsers are large, and a hostile page or file can make one loop, take all memory, or crash.
Here that ends the process: the file is refused, and the next one gets a new process. Run as
`python -m selfsown.documents.apart`, it answers each line of JSON on its standard input by one on
its standard output, and ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from selfsown.core.errors import EnvironmentFailure, MissingExtra
from selfsown.core.request import JSON
from selfsown.documents.opening import whole
from selfsown.documents.options import ReadOptions
from selfsown.documents.refusal import Refused
from selfsown.documents.values import plain

_MEMORY: Final = 4 << 30
"""Bytes of address space that the process may take."""


class Apart:
    """The process; started with the first file that needs it, and to be closed."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the process at once; from any thread, also while it parses."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Give back what the process held."""
        self._end()

    def read(self, path: Path, format: str) -> dict[str, JSON]:
        """`text` and what else is known of a file.

        Raises:
            Refused: the file gives no text, or not within the limits.
            MissingExtra: its parser is not installed.
            EnvironmentFailure: the process does not start.
        """
        question = {
            "path": os.fsencode(path).hex(),
            "format": format,
            "options": asdict(self._options),
        }
        answer = self._ask(json.dumps(question).encode() + b"\n")
        if "missing" in answer:
            what, why, fix = answer["missing"]
            raise MissingExtra(what, why=why, fix=fix)
        if "refused" in answer:
            raise Refused(*answer["refused"])
        known: dict[str, JSON] = answer["known"]
        return known

    def _ask(self, question: bytes) -> dict[str, Any]:
        process = self._process = self._process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        line = b""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(question)
            process.stdin.flush()
            line = process.stdout.readline()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        status = self._end()
        if status == -signal.SIGPROF:
            raise Refused("too_large", f"it takes more than {self._options.timeout_s:g} s to parse")
        if status > 0:
            raise EnvironmentFailure(
                f"the process that parses HTML and PDF ended with status {status}",
                why="it could not start or lost its connection",
                fix=f"{sys.executable} -m selfsown.documents.apart < /dev/null  says why",
            )
        raise Refused("damaged", f"its parser was ended by signal {-status}")

    def _end(self) -> int:
        """End the process, and its exit status; 0 if there is none."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        try:
            return process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "selfsown.documents.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def answered(question: dict[str, Any]) -> dict[str, Any]:
    """What the process answers: `known`, `refused` or `missing`."""
    options = ReadOptions(**question["options"])
    try:
        data = whole(Path(os.fsdecode(bytes.fromhex(question["path"]))), options.max_bytes)
        return {"known": plain(_parsed(data, question["format"], options))}
    except Refused as error:
        return {"refused": [error.reason, error.detail]}
    except MissingExtra as error:
        return {"missing": [error.what, error.why, error.fix]}
    except MemoryError:
        return _too_much_memory()
    except Exception as error:  # whatever a parser makes of a broken file is that file's
        return {"refused": ["damaged", f"{type(error).__name__}: {error}"[:200]]}


def _encoded(question: dict[str, Any]) -> bytes:
    """The answer as a line; a text that fits the memory may not fit it once more."""
    try:
        return json.dumps(answered(question)).encode() + b"\n"
    except MemoryError:
        return json.dumps(_too_much_memory()).encode() + b"\n"


def _too_much_memory() -> dict[str, Any]:
    return {"refused": ["too_large", f"it takes more than {_MEMORY >> 30} GiB to parse"]}


def _parsed(data: bytes, format: str, options: ReadOptions) -> dict[str, Any]:
    if format == "pdf":
        from selfsown.documents.pdf_files import read_pdf

        return read_pdf(data, options.max_bytes)
    from selfsown.documents.html_pages import read_page

    return dict(read_page(data, options.html))


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    replies: IO[bytes] = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a parser prints must not be taken for an answer
    for line in sys.stdin.buffer:
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, question["options"]["timeout_s"])
        answer = _encoded(question)
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(answer)
        replies.flush()


if __name__ == "__main__":
    _main()
