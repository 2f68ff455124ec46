"""The test server as a child process, which never outlives its parent or its time."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from types import TracebackType
from typing import Any, Final
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import orjson

from selfsown.core.request import JSON
from selfsown.testing.batch_desk import BatchOptions
from selfsown.testing.faults import Faults
from selfsown.testing.replies import AnswerFunction
from selfsown.testing.server import LocalServer, ServerOptions

_PARENT_CHECK_S: Final = 0.5
_FAULT_NAMES: Final = tuple(item.name for item in fields(Faults))
_NUMBERS: Final[Mapping[str, type]] = {
    "port": int,
    "seed": int,
    "latency_median_s": float,
    "latency_sigma": float,
    "straggler_rate": float,
    "straggler_s": float,
    "retry_after_s": float,
    "drip_s": float,
    "capacity": int,
    "requests_per_window": int,
    "window_s": float,
}


_BATCH_NUMBERS: Final[Mapping[str, type]] = {
    "looks": int,
    "expire": float,
    "error": float,
    "bad": float,
    "lost_reply": float,
    "api_error": float,
    "most_queued": int,
    "hidden_lists": int,
    "short_results": int,
    "store": str,
}
"""Of `BatchOptions`; `--batch-looks` and so on."""


class ServerProcess:
    """A running child. A context manager; arguments are those of the command line.

    Example: `ServerProcess("--latency-median-s", "0.3", "--rate-limit", "0.02")`.
    """

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "selfsown.testing.server", *arguments]
        self._child = subprocess.Popen(  # noqa: S603 - our own module
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the test server did not start: {' '.join(arguments)}")
        said = orjson.loads(line)
        self.url: str = said["url"]
        self._model: str = said["model"]

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._child.pid

    def model_uri(self, name: str = "") -> str:
        """The URI under which `open_model` finds a model of this server."""
        return f"{self.url}#{name or self._model}"

    def counters(self, *, bodies: bool = True) -> dict[str, JSON]:
        """What the server saw (`Counters.as_json`)."""
        found: dict[str, JSON] = self._ask(f"/_counters?bodies={int(bodies)}", "GET")
        return found

    def batches(self) -> list[dict[str, Any]]:
        """What was submitted in batches (`BatchDesk.as_json`)."""
        found: Any = self._ask("/_batches", "GET")
        return list(found["batches"])

    def stall(self, stage: str) -> None:
        """Let a request about batches stall (`BatchDesk.stall`)."""
        self._ask("/_stall", "POST", stage.encode())

    @property
    def is_stalled(self) -> bool:
        """Whether the request that is to stall has come."""
        return self._ask("/_batches", "GET")["stall"] == "stalled"

    def hold(self, number: int | None) -> None:
        """Let calls from this number on wait (`LocalServer.hold`)."""
        self._ask("/_hold", "POST", b"" if number is None else str(number).encode())

    def reset(self) -> None:
        """Start the counters over."""
        self._ask("/_reset", "POST")

    def stop(self) -> None:
        """End the server. May be called twice."""
        if self._child.poll() is None:
            self._child.terminate()
            self._child.wait(10)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _ask(self, path: str, method: str, body: bytes | None = None) -> dict[str, JSON]:
        url = self.url.removesuffix("/v1") + path
        request = HttpRequest(url, body, method=method)  # noqa: S310 - the URL of our own child
        with urlopen(request, timeout=30) as reply:  # noqa: S310 - as above
            answer: dict[str, JSON] = orjson.loads(reply.read())
        return answer


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server of the command line until the parent dies, the time is up, or SIGTERM."""
    given = _parser().parse_args(arguments)
    numbers = {name: getattr(given, name) for name in _NUMBERS}
    options = ServerOptions(
        models=tuple(given.model) or ("test-model",),
        reported_model=given.reported_model,
        api_key=given.api_key,
        usage=not given.no_usage,
        answer=_answer_function(given.answer) if given.answer else None,
        batches=BatchOptions(**{name: getattr(given, f"batch_{name}") for name in _BATCH_NUMBERS}),
        faults=Faults(**{name: getattr(given, name) for name in _FAULT_NAMES}),
        **numbers,
    )
    asyncio.run(_serve(options, given.max_seconds))


async def _serve(options: ServerOptions, max_seconds: float) -> None:
    parent, loop = os.getppid(), asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.call_later(max_seconds, over.set)
    async with LocalServer(options) as server:
        line = orjson.dumps({"url": server.url, "pid": os.getpid(), "model": options.models[0]})
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
        while not over.is_set() and os.getppid() == parent:
            try:
                await asyncio.wait_for(over.wait(), _PARENT_CHECK_S)
            except TimeoutError:
                continue


def _parser() -> argparse.ArgumentParser:
    defaults = ServerOptions()
    parser = argparse.ArgumentParser("python -m selfsown.testing.server", description=__doc__)
    for name, kind in _NUMBERS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=getattr(defaults, name)
        )
    for name in _FAULT_NAMES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, metavar="RATE")
    for name, kind in _BATCH_NUMBERS.items():
        flag = f"--batch-{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=getattr(defaults.batches, name))
    parser.add_argument("--model", action="append", default=[], help="a name to serve; repeatable")
    parser.add_argument("--reported-model", default="", help="the name in replies")
    parser.add_argument("--api-key", default="", help="calls without it get a 401")
    parser.add_argument("--no-usage", action="store_true", help="report no token counts")
    parser.add_argument("--answer", default="", metavar="MODULE:FUNCTION", help="request -> text")
    parser.add_argument("--max-seconds", type=float, default=600.0, help="end by itself after this")
    return parser


def _answer_function(name: str) -> AnswerFunction:
    module, _, attribute = name.partition(":")
    function: AnswerFunction = getattr(import_module(module), attribute)
    return function
