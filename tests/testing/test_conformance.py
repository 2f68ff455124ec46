"""The public checks pass for our own backends and catch each way of breaking the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.core.errors import CheckFailed
from selfsown.core.model import Answer, AttemptFailed, Model
from selfsown.core.request import Completion, Request, Usage
from selfsown.models.scripted import ScriptedModel
from selfsown.models.uri import open_model
from selfsown.testing.batch_conformance import check_batches
from selfsown.testing.batch_desk import BatchOptions
from selfsown.testing.conformance import check_model
from selfsown.testing.server import LocalServer, ServerOptions

CANARY = "sk-canary-0123456789"


@pytest.mark.parametrize("layout", ["chat", "completion", None])
async def test_the_endpoint_client_conforms(layout: str | None) -> None:
    async with LocalServer(ServerOptions(api_key=CANARY)) as server:
        await check_model(
            lambda: open_model(
                {"uri": server.model_uri(), "api_key": CANARY, "layout": layout}, environ={}
            ),
            secrets=[CANARY],
        )


async def test_the_anthropic_client_conforms() -> None:
    async with LocalServer(ServerOptions(api_key=CANARY, models=())) as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": CANARY}
        await check_model(lambda: open_model("anthropic:m", environ=environ), secrets=[CANARY])


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_both_batch_apis_conform(provider: str) -> None:
    options = ServerOptions(api_key=CANARY, models=(), batches=BatchOptions(expire=0.3, bad=0.3))
    async with LocalServer(options) as server:
        base = {"OPENAI_BASE_URL": server.url, "ANTHROPIC_BASE_URL": server.url}
        keys = {"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": CANARY}
        await check_batches(
            lambda: open_model(f"{provider}:m", environ={**base, **keys}), secrets=[CANARY]
        )


async def test_a_model_without_a_batch_api_does_not_conform() -> None:
    with pytest.raises(CheckFailed, match="BatchModel"):
        await check_batches(ScriptedModel)


async def test_an_endpoint_that_is_down_conforms_too() -> None:
    await check_model(lambda: open_model("http://127.0.0.1:9/v1#m", environ={}))


async def test_scripted_models_conform(tmp_path: Path) -> None:
    await check_model(ScriptedModel)
    (tmp_path / "s.jsonl").write_text('{"text": "red"}\n')
    await check_model(lambda: open_model(f"scripted:{tmp_path / 's.jsonl'}"))


class Broken(ScriptedModel):
    """A backend that breaks one promise."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def __repr__(self) -> str:
        return f"Broken({CANARY})" if self.how == "repr" else "Broken"

    @property
    def identity(self) -> str:
        return str(id(self)) if self.how == "identity" else super().identity

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        if self.how == "exception":
            raise ValueError("boom")
        if self.how == "multi-line":
            raise AttemptFailed("malformed", "two\nlines")
        if self.how == "kind":
            raise AttemptFailed("boom", "unknown kind")  # type: ignore[arg-type]
        if self.how == "leak":
            raise AttemptFailed("auth", f"bad key {CANARY}")
        if self.how == "empty":
            return Answer(Completion(" "))
        if self.how == "surrogate":
            return Answer(Completion("a\ud800"))
        if self.how == "usage":
            return Answer(Completion("a", usage=Usage(cached_input_tokens=3)))
        if self.how == "images":
            return Answer(Completion("a"))
        return await super().attempt(request, timeout_s=timeout_s, seed=seed)


@pytest.mark.parametrize(
    "how",
    [
        "repr",
        "identity",
        "exception",
        "multi-line",
        "kind",
        "leak",
        "empty",
        "surrogate",
        "usage",
        "images",
    ],
)
async def test_each_broken_promise_is_caught(how: str) -> None:
    make: Callable[[], Model] = lambda: Broken(how)  # noqa: E731 - a factory in one line
    with pytest.raises(CheckFailed):
        await check_model(make, secrets=[CANARY])


async def test_the_unbroken_double_passes() -> None:
    await check_model(lambda: Broken(""), secrets=[CANARY])
