"""The Messages API is spoken natively: its fields, its failures, its usage, its thinking blocks."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from selfsown.core.model import Answer, AttemptFailed
from selfsown.core.request import JSON, Request, message
from selfsown.models.anthropic import messages_body, read_message
from selfsown.models.uri import open_model
from selfsown.testing.replies import Planned
from selfsown.testing.server import LocalServer, ServerOptions

CANARY = "sk-ant-canary-0123456789"
TURNS = (message("system", "Be brief."), message("user", "hi"), message("assistant", "yes"))
ASK = Request(messages=TURNS, max_tokens=10)
ITEM: dict[str, JSON] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
}


def reply(*blocks: JSON, stop: str = "end_turn", **usage: int) -> dict[str, JSON]:
    """A Messages reply."""
    counts: dict[str, JSON] = {"input_tokens": 5, "output_tokens": 2, **usage}
    return {
        "type": "message",
        "model": "claude-x",
        "content": list(blocks),
        "stop_reason": stop,
        "usage": counts,
    }


TEXT: dict[str, JSON] = {"type": "text", "text": "ok"}


async def ask(answer: object, request: Request = ASK) -> tuple[Answer, LocalServer]:
    """One attempt against a server that answers so."""
    options = ServerOptions(models=(), answer=lambda body: answer)  # type: ignore[arg-type, return-value]
    async with LocalServer(options) as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": CANARY}
        model = open_model("anthropic:claude-x", environ=environ)
        try:
            return await model.attempt(request, timeout_s=5), server
        finally:
            await model.close()


async def fail(answer: object, request: Request = ASK) -> AttemptFailed:
    """The failure of one such attempt."""
    with pytest.raises(AttemptFailed) as caught:
        await ask(answer, request)
    return caught.value


def test_a_request_becomes_the_documented_body() -> None:
    request = Request(
        messages=TURNS, max_tokens=9, temperature=0.5, top_p=0.9, stop=("x",), extra={"k": 1}
    )
    assert orjson.loads(messages_body(request, "claude-x", {})) == {
        "model": "claude-x",
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["x"],
        "k": 1,
    }


def test_a_schema_is_asked_for_by_a_forced_tool_call() -> None:
    body = orjson.loads(messages_body(Request(messages=TURNS, schema=ITEM), "claude-x", {}))
    assert body["tool_choice"] == {"type": "tool", "name": body["tools"][0]["name"]}
    assert body["tools"][0]["input_schema"] == ITEM


@pytest.mark.parametrize(
    "request_",
    [
        Request(prompt="p"),
        Request(messages=TURNS, presence_penalty=1.0),
        Request(messages=TURNS, frequency_penalty=1.0),
        Request(messages=TURNS, logprobs=1),
        Request(messages=TURNS, seed=1),
        Request(messages=TURNS, tools=({"name": "t"},)),
    ],
)
def test_what_the_api_does_not_have_is_refused(request_: Request) -> None:
    with pytest.raises(AttemptFailed) as caught:
        messages_body(request_, "m", {})
    assert caught.value.kind == "bad_request"


async def test_an_answer_is_read_with_key_and_version_in_the_headers() -> None:
    answer, server = await ask(reply(TEXT))
    assert (answer.completion.text, answer.completion.model) == ("ok", "claude-x")
    assert server.last is not None
    assert server.last.path == "/v1/messages"
    assert server.last.header("x-api-key") == CANARY
    assert server.last.header("anthropic-version") == "2023-06-01"
    assert server.last.header("authorization") == ""


def test_cached_tokens_count_as_input() -> None:
    payload = reply(TEXT, cache_read_input_tokens=100, cache_creation_input_tokens=20)
    usage = read_message(payload, ASK).usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (125, 100, 2)


def test_missing_usage_is_estimated() -> None:
    assert read_message({"content": [TEXT]}, ASK).usage.estimated


def test_thinking_blocks_are_kept_apart() -> None:
    completion = read_message(reply({"type": "thinking", "thinking": "hm"}, TEXT), ASK)
    assert (completion.text, completion.reasoning) == ("ok", "hm")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "unknown"),
    ],
)
def test_stop_reasons_are_mapped(said: str, meant: str) -> None:
    assert read_message(reply(TEXT, stop=said), ASK).finish_reason == meant


async def test_the_forced_tools_input_is_the_structured_answer() -> None:
    block: dict[str, JSON] = {"type": "tool_use", "name": "answer", "input": {"a": 1}}
    answer, _ = await ask(reply(block, stop="tool_use"), Request(messages=TURNS, schema=ITEM))
    completion = answer.completion
    assert (completion.parsed, completion.parse_mode) == ({"a": 1}, "native")
    assert (completion.text, completion.finish_reason) == ('{"a":1}', "stop")


async def test_a_tool_input_that_misses_the_schema_is_paid_and_fails() -> None:
    block: dict[str, JSON] = {"type": "tool_use", "name": "answer", "input": {"a": "x"}}
    failure = await fail(reply(block, stop="tool_use"), Request(messages=TURNS, schema=ITEM))
    assert failure.kind == "schema"
    assert failure.completion is not None


def error(kind: str, said: str) -> bytes:
    """An error body of the API."""
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": said}})


@pytest.mark.parametrize(
    ("status", "code", "said", "kind"),
    [
        (529, "overloaded_error", "Overloaded", "overloaded"),
        (500, "api_error", "Internal server error", "overloaded"),
        (429, "rate_limit_error", "This request would exceed your rate limit", "rate_limit"),
        (401, "authentication_error", "invalid x-api-key", "auth"),
        (403, "permission_error", "not allowed", "auth"),
        (404, "not_found_error", "model: claude-y", "not_found"),
        (400, "invalid_request_error", "max_tokens: must be positive", "bad_request"),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
            "context_length",
        ),
        (400, "invalid_request_error", "Your credit balance is too low", "quota"),
        (413, "request_too_large", "Request exceeds the maximum size", "bad_request"),
    ],
)
async def test_each_error_has_its_kind(status: int, code: str, said: str, kind: str) -> None:
    assert (await fail(Planned(status, error(code, said)))).kind == kind


@pytest.mark.parametrize("payload", [{}, {"content": None}, {"content": ["text"]}])
async def test_a_reply_without_content_is_malformed(payload: Mapping[str, JSON]) -> None:
    assert (await fail(payload)).kind == "malformed"


async def test_without_a_key_nothing_is_sent() -> None:
    model = open_model("anthropic:claude-x", environ={})
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ASK)
    await model.close()
    assert caught.value.kind == "auth"
    assert "ANTHROPIC_API_KEY" in caught.value.detail
