"""A local OpenAI-compatible endpoint with repeatable answers, latencies and faults; it counts.

In a test's own loop:

    async with LocalServer(ServerOptions(faults=Faults(rate_limit=0.02))) as server:
        model = open_model(server.model_uri())

As a process of its own: `python -m selfsown.testing.server --port 0 --rate-limit 0.02`; it prints
one JSON line with its URL, and ends by itself when its parent dies or its time is up (see
`selfsown.testing.process`). Answers, latencies and faults are functions of seed, request and how
often it was seen, so concurrency does not change them. Counters are at `GET /_counters`
(`?bodies=0` for the short form) and start over at `POST /_reset`. `POST /_hold` with a number N
lets the N-th call since then and all later ones wait until the next such order (empty: none), so
that a client can be killed at an exact moment. It also speaks OpenAI's and
Anthropic's batch APIs; what was submitted is at `GET /_batches`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

import orjson

from selfsown.core.request import JSON
from selfsown.testing.batch_desk import BatchDesk, BatchOptions
from selfsown.testing.batch_pages import BATCH_PATHS, BatchPages
from selfsown.testing.connection import Connection, Incoming, Turn
from selfsown.testing.counters import Counters
from selfsown.testing.faults import Faults, log_normal_s, uniform
from selfsown.testing.replies import (
    AnswerFunction,
    Planned,
    answer_body,
    canonical_hash,
    error_reply,
    faulty_reply,
    pseudo_answer,
    read_body,
)

_HOST: Final = "127.0.0.1"
_CALLS: Final = {
    "/v1/chat/completions": "messages",
    "/v1/completions": "prompt",
    "/v1/messages": "messages",  # Anthropic's
}
"""Paths of model calls, and the key that their bodies must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a test server behaves."""

    port: int = 0
    """0: any free one."""
    seed: int = 0
    """Of latencies and faults. Answers do not depend on it."""
    models: tuple[str, ...] = ("test-model",)
    """Names that are served; others get a 404. Empty: every name."""
    reported_model: str = ""
    """The model name in replies; empty: the one that was asked for."""
    api_key: str = ""
    """If given, calls without it get a 401."""
    latency_median_s: float = 0.0
    latency_sigma: float = 0.5
    """Of the logarithm: latencies are log-normal. 0 for a constant latency."""
    straggler_rate: float = 0.0
    """Share of arrivals that take `straggler_s` instead, drawn anew for every arrival."""
    straggler_s: float = 60.0
    faults: Faults = field(default_factory=Faults)
    retry_after_s: float = 1.0
    """Sent with 429."""
    drip_s: float = 1.0
    """Seconds between the bytes of a dripping reply."""
    capacity: int | None = None
    """Calls in flight above which the server answers 429, without saying why."""
    requests_per_window: int | None = None
    """Calls per window above which it answers 429; then replies carry rate-limit headers."""
    window_s: float = 1.0
    usage: bool = True
    """Whether replies report token counts."""
    batches: BatchOptions = field(default_factory=BatchOptions)
    """How OpenAI's and Anthropic's batch APIs behave."""
    answer: AnswerFunction | None = None
    """Request body -> text, reply body or HTTP reply; by default a pseudo-random sentence."""

    def latency_s(self, body_hash: str, occurrence: int) -> float:
        """Seconds that the reply to this arrival of a request takes."""
        rate = self.straggler_rate
        if rate and uniform(self.seed, "straggler", body_hash, occurrence) < rate:
            return self.straggler_s
        if not self.latency_median_s:
            return 0.0
        point = uniform(self.seed, "latency", body_hash, occurrence)
        return log_normal_s(self.latency_median_s, self.latency_sigma, point)


class LocalServer:
    """The server, in the running event loop, on the loopback address. An async context manager."""

    def __init__(self, options: ServerOptions | None = None) -> None:
        self.options = options or ServerOptions()
        self.counters = Counters()
        self.last: Incoming | None = None
        """The last call as it arrived, with its headers."""
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._window_start = 0.0
        self._window_count = 0
        self._port = self.options.port
        self._hold_from: int | None = None
        self.desk = BatchDesk(self.options.batches, self.options.seed, self._made)
        """Batches and their files."""
        self._pages = BatchPages(self.desk, self._batched_answer)

    @property
    def url(self) -> str:
        """Base URL, ending in `/v1`."""
        return f"http://{_HOST}:{self._port}/v1"

    def model_uri(self, name: str = "") -> str:
        """The URI under which `open_model` finds a model of this server."""
        return f"{self.url}#{name or (self.options.models or ('any',))[0]}"

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._handle, self._connections, self.options.drip_s),
            _HOST,
            self._port,
            backlog=4096,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop what is open. May be called twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the aborted transports close their sockets
        await server.wait_closed()

    def hold(self, number: int | None) -> None:
        """Answer what is held back; keep the call of this number (from 1) and later ones waiting.

        Calls count from the start or the last reset. None: keep none.
        """
        self._hold_from = number
        for connection in list(self._connections):
            connection.release()

    async def __aenter__(self) -> LocalServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _handle(self, incoming: Incoming) -> Turn:
        path, _, query = incoming.path.partition("?")
        if incoming.method == "POST" and path in _CALLS:
            return self._call(path, incoming)
        if path.startswith(BATCH_PATHS):
            return Turn(self._unauthorized(incoming) or self._pages.handle(incoming))
        if path == "/v1/models":
            listed: list[JSON] = [{"id": name, "object": "model"} for name in self.options.models]
            return Turn(Planned(200, orjson.dumps({"object": "list", "data": listed})))
        if path == "/_counters":
            return Turn(
                Planned(200, orjson.dumps(self.counters.as_json(bodies="bodies=0" not in query)))
            )
        if path == "/_batches":
            form = {"batches": self.desk.as_json(), "stall": self.desk.stall}
            return Turn(Planned(200, orjson.dumps(form)))
        if path == "/_stall" and incoming.method == "POST":
            self.desk.stall = incoming.body.decode()
            return Turn(Planned(200, b"{}"))
        if path == "/_hold" and incoming.method == "POST":
            self.hold(int(incoming.body) if incoming.body else None)
            return Turn(Planned(200, b"{}"))
        if path == "/_reset" and incoming.method == "POST":
            self.counters.reset()
            return Turn(Planned(200, b"{}"))
        return Turn(error_reply(404, "not_found", f"There is nothing at {path}."))

    def _call(self, path: str, incoming: Incoming) -> Turn:
        self.last = incoming
        options, request = self.options, read_body(incoming.body)
        body_hash = canonical_hash(incoming.body, request)
        occurrence = self.counters.arrive(body_hash)
        headers: dict[str, str] = {}
        reply = self._refusal(incoming, headers) or self._problem(path, request)
        if reply is not None:
            return Turn(reply, done=self.counters.leave)
        assert isinstance(request, Mapping)
        reply = self._answer(path, request, incoming.body, headers)
        fault = ""
        if options.faults.any:
            fault = options.faults.strikes(options.seed, body_hash, occurrence)
        if fault:
            self.counters.by_fault[fault] += 1
            reply = faulty_reply(fault, reply.body, options.retry_after_s)
        return Turn(reply, self._delay_s(body_hash, occurrence), self.counters.leave)

    def _delay_s(self, body_hash: str, occurrence: int) -> float:
        if self._hold_from is not None and self.counters.request_count >= self._hold_from:
            return math.inf
        return self.options.latency_s(body_hash, occurrence)

    def _refusal(self, incoming: Incoming, headers: dict[str, str]) -> Planned | None:
        """A 401 or 429 that needs no look at the body; fills in rate-limit headers."""
        options = self.options
        if (refused := self._unauthorized(incoming)) is not None:
            return refused
        wait = {"Retry-After": f"{options.retry_after_s:g}"}
        if options.capacity is not None and self.counters.in_flight > options.capacity:
            self.counters.by_fault["over_capacity"] += 1
            return error_reply(429, "rate_limit_exceeded", "Too many calls in flight.", wait)
        if options.requests_per_window is not None:
            left, reset_s = self._window(options.requests_per_window)
            headers["x-ratelimit-limit-requests"] = str(options.requests_per_window)
            headers["x-ratelimit-remaining-requests"] = str(max(0, left))
            headers["x-ratelimit-reset-requests"] = f"{round(reset_s * 1000)}ms"
            if left < 0:
                self.counters.by_fault["over_rate"] += 1
                wait = {"Retry-After": f"{reset_s:.3f}", **headers}
                return error_reply(429, "rate_limit_exceeded", "Too many calls.", wait)
        return None

    def _unauthorized(self, incoming: Incoming) -> Planned | None:
        key = self.options.api_key
        if key and key not in (
            incoming.header("authorization").removeprefix("Bearer "),
            incoming.header("x-api-key"),
        ):
            return error_reply(401, "invalid_api_key", "Incorrect API key provided.")
        return None

    def _made(self, body_hash: str) -> None:
        """Count a request of a batch that is really made."""
        self.counters.arrive(body_hash)
        self.counters.leave(200)

    def _batched_answer(self, path: str, request: Mapping[str, JSON]) -> Planned:
        """The reply that a request of a batch would get alone."""
        problem = self._problem(path, request)
        return problem or self._answer(path, request, orjson.dumps(request), {})

    def _window(self, limit: int) -> tuple[int, float]:
        """Calls left in this window (below 0: over the limit) and seconds until the next."""
        now = asyncio.get_running_loop().time()
        if now - self._window_start >= self.options.window_s:
            self._window_start, self._window_count = now, 0
        self._window_count += 1
        return limit - self._window_count, self._window_start + self.options.window_s - now

    def _problem(self, path: str, request: JSON) -> Planned | None:
        """A 400 or 404 for a body that no server would answer."""
        if not isinstance(request, Mapping):
            return error_reply(400, "invalid_json", "The body is not a JSON object.")
        needed = _CALLS[path]
        if needed not in request or request.get("stream"):
            return error_reply(
                400, "invalid_request", f"`{needed}` is missing, or `stream` is set."
            )
        if self.options.models and request.get("model") not in self.options.models:
            return error_reply(404, "model_not_found", "The model does not exist.")
        return None

    def _answer(
        self, path: str, request: Mapping[str, JSON], body: bytes, headers: Mapping[str, str]
    ) -> Planned:
        options = self.options
        said = pseudo_answer(request) if options.answer is None else options.answer(request)
        if isinstance(said, Planned):
            return said
        if not isinstance(said, str):
            return Planned(200, orjson.dumps(said), headers)
        reply = answer_body(
            path, request, body, said, model=options.reported_model, usage=options.usage
        )
        return Planned(200, reply, headers)


if __name__ == "__main__":
    from selfsown.testing.process import main

    main()
