"""One attempt against a local server that answers as it is told, for the endpoint tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from selfsown.core.model import Answer, AttemptFailed
from selfsown.core.request import JSON, Request, message
from selfsown.models.uri import open_model
from selfsown.testing.server import LocalServer, ServerOptions

CANARY = "sk-canary-0123456789"
ASK = Request(messages=(message("user", "hi"),), max_tokens=40)
ITEM: dict[str, JSON] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


def reply(text: JSON = "ok", *, finish: JSON = "stop", **more: JSON) -> dict[str, JSON]:
    """A good chat reply, with changes."""
    choice: dict[str, JSON] = {"message": {"content": text}, "finish_reason": finish}
    usage: dict[str, JSON] = {"prompt_tokens": 5, "completion_tokens": 2}
    return {"model": "m", "choices": [choice], "usage": usage, **more}


async def ask(
    answer: object, request: Request = ASK, *, timeout_s: float = 5.0, **settings: JSON
) -> Answer:
    """One attempt against a server that always answers so."""
    function: Callable[[Mapping[str, JSON]], object] = (
        answer if callable(answer) else lambda body: answer
    )
    async with LocalServer(ServerOptions(answer=function)) as server:  # type: ignore[arg-type]
        model = open_model({"uri": server.model_uri(), **settings}, environ={})
        try:
            return await model.attempt(request, timeout_s=timeout_s)
        finally:
            await model.close()


async def fail(answer: object, request: Request = ASK, **how: JSON) -> AttemptFailed:
    """The failure of one such attempt."""
    with pytest.raises(AttemptFailed) as caught:
        await ask(answer, request, **how)  # type: ignore[arg-type]
    return caught.value
