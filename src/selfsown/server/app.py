"""The routes: chat completions, completions, models, health.

Covered: an API key where one is set (compared in constant time), bodies of at most 16 MiB, and,
without a key, requests whose Host is not this machine (a web page that resolves its own name to the
loopback address gets no answer). Not covered: TLS, quotas per user.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from selfsown.core.model import AttemptFailed, Model
from selfsown.core.request import Completion, Request
from selfsown.models.wire import SEED_HEADER
from selfsown.server.body import read_call
from selfsown.server.replies import Refused, Reply, refusal_of

_LARGEST_BODY: Final = 16 << 20
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Served:
    """A model and how it is offered."""

    model: Model
    name: str
    """The name clients use; the model's URI works as well."""
    api_key: str = ""
    """If given, every route but /health asks for it."""


def build_app(served: Served) -> web.Application:
    """The application; it closes the model when it is cleaned up."""
    routes = _Routes(served)
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_errors, routes.guard])
    app.router.add_get("/health", routes.health)
    app.router.add_get("/v1/models", routes.models)
    app.router.add_get("/v1/models/{name:.+}", routes.one_model)
    app.router.add_post("/v1/completions", routes.completions)
    app.router.add_post("/v1/chat/completions", routes.chat)
    app.on_cleanup.append(routes.close)
    return app


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Routes:
    def __init__(self, served: Served) -> None:
        self._served = served
        self._model = served.model
        self._names = (served.name, served.model.uri)

    async def health(self, _: web.Request) -> web.Response:
        return _json(200, orjson.dumps({"status": "ok"}))

    async def models(self, _: web.Request) -> web.Response:
        return _json(200, orjson.dumps({"object": "list", "data": [self._card()]}))

    async def one_model(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._names:
            raise Refused(
                f"the model `{name}` does not exist here", status=404, code="model_not_found"
            )
        return _json(200, orjson.dumps(self._card()))

    async def completions(self, request: web.Request) -> web.Response:
        return await self._answer(request, is_chat=False)

    async def chat(self, request: web.Request) -> web.Response:
        return await self._answer(request, is_chat=True)

    async def close(self, _: web.Application) -> None:
        await self._model.close()

    @web.middleware
    async def guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let in who may come in."""
        if self._served.api_key:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            right = hmac.compare_digest(given.encode(), self._served.api_key.encode())
            if not right and request.path != "/health":
                raise Refused("the API key is missing or wrong", status=401, code="invalid_api_key")
        elif not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            raise Refused("this server answers to its loopback address only", status=403)
        return await handler(request)

    async def _answer(self, request: web.Request, *, is_chat: bool) -> web.Response:
        can = self._model.capabilities
        if not (can.chat if is_chat else can.completion):
            other = "/v1/completions" if is_chat else "/v1/chat/completions"
            layout = "chat messages" if is_chat else "bare prompts"
            raise Refused(f"`{self._served.name}` does not take {layout}; use {other}")
        call = read_call(
            await request.read(),
            is_chat=is_chat,
            names=self._names,
            seed_header=request.headers.get(SEED_HEADER, ""),
        )
        completions = await self._attempts(call.requests)
        reply = Reply(
            call_id=call.call_id,
            model=self._served.name,
            fingerprint=self._model.identity,
            is_chat=is_chat,
            completions=completions,
            prompt_count=call.prompt_count,
        )
        if not call.is_streamed:
            return _json(200, reply.body())
        body = reply.events(with_usage=call.with_usage)
        return web.Response(body=body, content_type="text/event-stream")

    async def _attempts(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """All choices of a call; when one fails, the others are dropped."""
        tasks = [asyncio.ensure_future(self._attempt(request)) for request in requests]
        try:
            return await asyncio.gather(*tasks)
        except Refused:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            raise

    async def _attempt(self, request: Request) -> Completion:
        """One choice; an answer without text is passed on as it is."""
        try:
            return (await self._model.attempt(request, seed=request.seed or 0)).completion
        except AttemptFailed as failure:
            if failure.kind == "empty" and failure.completion is not None:
                return failure.completion
            raise refusal_of(failure) from failure

    def _card(self) -> dict[str, object]:
        can = self._model.capabilities
        return {
            "id": self._served.name,
            "object": "model",
            "created": 0,
            "owned_by": "selfsown",
            "uri": self._model.uri,
            "identity": self._model.identity,
            "max_model_len": can.context_tokens,
            "layouts": [name for name in ("chat", "completion") if getattr(can, name)],
        }


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every error as an OpenAI-style body."""
    try:
        return await handler(request)
    except Refused as refused:
        return _json(refused.status, refused.body())
    except web.HTTPException as error:
        if error.status < 400:
            raise
        said = f"{error.reason}: {request.method} {request.path}"
        if error.status == 413:
            said = f"the body is larger than {_LARGEST_BODY} bytes"
        return _json(error.status, Refused(said, status=error.status).body())


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
