"""Anthropic's Messages API, natively, with its thinking kept apart from the answer.

A JSON schema is asked for as the input of one forced tool call, which every model of the API
supports; its input is the answer. Penalties, seeds and logprobs do not exist there: a request that
has them is refused, not quietly changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import orjson

from selfsown.core.batch_model import BatchResult
from selfsown.core.model import Answer, AttemptFailed, Capabilities, Model
from selfsown.core.request import JSON, Completion, FinishReason, Request, Usage, clean_text
from selfsown.models.batch_anthropic import AnthropicBatches, batch_request
from selfsown.models.judging import checked_schema, malformed, text_only, usable
from selfsown.models.openai_format import json_bytes
from selfsown.models.rate_headers import rate_state
from selfsown.models.settings import ModelSettings
from selfsown.models.uri import ModelURI, parse_uri
from selfsown.models.usage import count, estimated_usage

_URL: Final = "https://api.anthropic.com"
_VERSION: Final = "2023-06-01"
_TOOL: Final = "answer"
_FINISH: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def open_anthropic(settings: ModelSettings) -> Model:
    """`anthropic:NAME`, with `ANTHROPIC_API_KEY`, at `ANTHROPIC_BASE_URL` or Anthropic's own."""
    base = settings.environ.get("ANTHROPIC_BASE_URL", "").strip() or _URL
    base = base.rstrip("/").removesuffix("/v1")
    where = parse_uri(f"{base}/v1#{settings.uri.name}")
    at_home = urlsplit(where.base_url).hostname == "api.anthropic.com"
    return AnthropicModel(
        settings,
        where,
        api_key=settings.default_key("ANTHROPIC_API_KEY"),
        key_from="ANTHROPIC_API_KEY" if at_home else "",
    )


class AnthropicModel(AnthropicBatches):
    """One model behind the Messages API."""

    def __init__(
        self, settings: ModelSettings, where: ModelURI, *, api_key: str, key_from: str
    ) -> None:
        """Prepare everything that is the same for all calls.

        Args:
            settings: what the user said.
            where: address and name that are really asked.
            api_key: empty for none.
            key_from: variable that must hold a key; empty if the address may work without one.
        """
        super().__init__(
            settings,
            where,
            api_key=api_key,
            key_from=key_from,
            key_header="x-api-key",
            headers={"anthropic-version": _VERSION},
            capabilities=Capabilities(schema=True, context_tokens=settings.context_tokens),
        )
        self._name = where.name
        self._extra = settings.extra

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        """Ask once. `seed` is not sent: the API has none.

        Raises:
            AttemptFailed: for every failure.
        """
        if request.schema is not None:
            checked_schema(request.schema)
        body = messages_body(request, self._name, self._extra)
        reply = await self._post("/messages", body, timeout_s, seed)
        completion = self._completion(self._payload(reply), request)
        return Answer(completion, rate_state(reply.headers))

    def batch_line(self, request: Request, custom_id: str) -> bytes:
        """One request of a batch.

        Raises:
            AttemptFailed: `bad_request` for what the API does not have.
        """
        if request.schema is not None:
            checked_schema(request.schema)
        return batch_request(custom_id, messages_body(request, self._name, self._extra))

    def read_batched(self, result: BatchResult, request: Request) -> Answer:
        """The answer in a batch's result.

        Raises:
            AttemptFailed: for every result that is no answer.
        """
        return Answer(self._completion(self._batched_payload(result), request))

    def _completion(self, payload: Mapping[str, JSON], request: Request) -> Completion:
        completion = read_message(payload, request)
        self._check_model(completion)
        return usable(completion, "", request, native=True)


def messages_body(request: Request, name: str, extra: Mapping[str, JSON]) -> bytes:
    """The body of a Messages request.

    Raises:
        AttemptFailed: `bad_request` for what the API does not have.
    """
    text_only(request)
    missing = {
        "the completion layout": not request.is_chat,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "logprobs": request.logprobs,
        "seed": request.seed is not None,
    }
    for what, is_asked in missing.items():
        if is_asked:
            raise AttemptFailed("bad_request", f"the Messages API does not have {what}")
    turns: list[JSON] = [
        {"role": turn.role, "content": turn.text}
        for turn in request.messages
        if turn.role != "system"
    ]
    body: dict[str, JSON] = {"model": name, "max_tokens": request.max_tokens, "messages": turns}
    system = "\n\n".join(turn.text for turn in request.messages if turn.role == "system")
    if system:
        body["system"] = system
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop:
        body["stop_sequences"] = request.stop
    if request.schema is not None:
        about = "Give your whole answer as the input of this tool."
        body["tools"] = [{"name": _TOOL, "description": about, "input_schema": request.schema}]
        body["tool_choice"] = {"type": "tool", "name": _TOOL}
    return json_bytes({**body, **extra, **request.extra})


def read_message(payload: Mapping[str, JSON], request: Request) -> Completion:
    """The completion in a Messages reply.

    Raises:
        AttemptFailed: `malformed` if there is no content.
    """
    blocks = payload.get("content")
    if not isinstance(blocks, list):
        raise malformed("the reply has no content")
    text: list[str] = []
    thought: list[str] = []
    finish = payload.get("stop_reason")
    for block in blocks:
        if not isinstance(block, Mapping):
            raise malformed("the reply's content is not made of blocks")
        if block.get("type") == "text":
            text.append(_string(block.get("text")))
        elif block.get("type") == "thinking":
            thought.append(_string(block.get("thinking")))
        elif block.get("type") == "tool_use" and request.schema is not None:
            text = [orjson.dumps(block.get("input")).decode()]
            finish = "end_turn" if finish == "tool_use" else finish
            break
    reasoning = clean_text("".join(thought))
    said = clean_text("".join(text))
    return Completion(
        text=said,
        finish_reason=_FINISH.get(finish, "unknown") if isinstance(finish, str) else "unknown",
        usage=_usage(payload.get("usage"), request, said + reasoning),
        model=clean_text(_string(payload.get("model"))),
        reasoning=reasoning,
    )


def _usage(reported: JSON, request: Request, generated: str) -> Usage:
    """Their `input_tokens` leave out what the cache read and wrote; ours count all input."""
    if not isinstance(reported, Mapping) or "input_tokens" not in reported:
        return estimated_usage(request, generated)
    cached = count(reported, "cache_read_input_tokens")
    total = (
        count(reported, "input_tokens") + cached + count(reported, "cache_creation_input_tokens")
    )
    return Usage(total, count(reported, "output_tokens"), cached)


def _string(value: JSON) -> str:
    return value if isinstance(value, str) else ""
