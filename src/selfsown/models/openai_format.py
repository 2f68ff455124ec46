"""The bytes of an OpenAI-compatible request, and the completion in an OpenAI-compatible reply.

No transport in here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import orjson

from selfsown.core.request import (
    JSON,
    Completion,
    FinishReason,
    Request,
    Usage,
    clean_text,
)
from selfsown.models.judging import malformed, text_only
from selfsown.models.thinking import split_thinking
from selfsown.models.usage import count, estimated_usage

_FINISH: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one endpoint likes its requests."""

    model: str
    max_tokens_field: str
    """In chat requests; legacy completions always say `max_tokens`."""
    extra: Mapping[str, JSON]
    """Body parameters of the model's settings; those of the request win."""


def request_body(
    request: Request, dialect: Dialect, response_format: Mapping[str, JSON] | None
) -> bytes:
    """The body of a chat or completion request, built once.

    Raises:
        AttemptFailed: `bad_request` for parts that this client cannot send (images, tools).
    """
    text_only(request)
    body: dict[str, JSON] = {"model": dialect.model}
    if request.prompt is not None:
        body["prompt"] = request.prompt
        body["max_tokens"] = request.max_tokens
    else:
        body["messages"] = [{"role": turn.role, "content": turn.text} for turn in request.messages]
        body[dialect.max_tokens_field] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.presence_penalty:
        body["presence_penalty"] = request.presence_penalty
    if request.frequency_penalty:
        body["frequency_penalty"] = request.frequency_penalty
    if request.stop:
        body["stop"] = request.stop
    if request.seed is not None:
        body["seed"] = request.seed
    if request.logprobs:
        body.update(
            {"logprobs": True, "top_logprobs": request.logprobs}
            if request.is_chat
            else {"logprobs": request.logprobs}
        )
    if response_format is not None:
        body["response_format"] = response_format
    if dialect.extra:
        body.update(dialect.extra)
    if request.extra:
        body.update(request.extra)
    return json_bytes(body)


def json_bytes(body: Mapping[str, JSON]) -> bytes:
    """JSON bytes of a body; what orjson refuses (views, lone surrogates) goes a slower way."""
    try:
        return orjson.dumps(body, default=_plain)
    except TypeError:
        return json.dumps(body, default=_plain, ensure_ascii=True).encode()


def response_format(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    """The `response_format` that asks for a JSON schema; `strict` where the schema qualifies."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": qualifies_as_strict(schema)},
    }


def qualifies_as_strict(schema: JSON) -> bool:
    """Whether each object forbids unknown keys and requires all known ones (OpenAI's strict)."""
    if isinstance(schema, Mapping):
        if "properties" in schema or schema.get("type") == "object":
            properties, required = schema.get("properties", {}), schema.get("required", ())
            assert isinstance(properties, Mapping)
            assert isinstance(required, (list, tuple))
            if schema.get("additionalProperties") is not False or set(properties) != set(required):
                return False
        return all(qualifies_as_strict(part) for part in schema.values())
    if isinstance(schema, (list, tuple)):
        return all(qualifies_as_strict(part) for part in schema)
    return True


def read_completion(payload: Mapping[str, JSON], request: Request) -> tuple[Completion, str]:
    """The completion in a 200 reply, and the model's refusal (empty if it did not refuse).

    Raises:
        AttemptFailed: `malformed` if a choice, or the text in it, is missing.
    """
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise malformed("the reply has no choices")
    refusal, thought = "", ""
    if request.is_chat:
        turn = choice.get("message")
        if not isinstance(turn, dict):
            raise malformed("the reply's choice has no message")
        text = _content(turn.get("content"))
        refusal = _string(turn.get("refusal"))
        thought = clean_text(
            _string(turn.get("reasoning_content")) or _string(turn.get("reasoning"))
        )
    else:
        if not isinstance(choice.get("text"), str):
            raise malformed("the reply's choice has no text")
        text = cast(str, choice["text"])
    text, tagged = split_thinking(clean_text(text), opened_by_template=request.is_chat)
    finish = choice.get("finish_reason")
    completion = Completion(
        text=text,
        finish_reason=_FINISH.get(finish, "unknown") if isinstance(finish, str) else "unknown",
        usage=_usage(payload.get("usage"), request, text + thought + tagged),
        model=clean_text(_string(payload.get("model"))),
        reasoning=thought or tagged,
        logprobs=_logprobs(choice.get("logprobs")) if request.logprobs else (),
    )
    return completion, clean_text(refusal)


def decode(body: bytes) -> JSON:
    """A reply's body as JSON; None if it is none.

    Lone surrogates and invalid UTF-8 do not make it unreadable.
    """
    try:
        value: JSON = orjson.loads(body)
    except ValueError:
        try:
            value = json.loads(body.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _string(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def _content(content: JSON) -> str:
    """A message's text: a string, null, or a list of typed parts."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_string(part.get("text")) for part in content if isinstance(part, Mapping))
    raise malformed("the reply's message content is no text")


def _usage(reported: JSON, request: Request, generated: str) -> Usage:
    if not isinstance(reported, dict) or "prompt_tokens" not in reported:
        return estimated_usage(request, generated)
    cached = count(reported, "prompt_cache_hit_tokens")  # DeepSeek's name
    reasoning = 0
    details = reported.get("prompt_tokens_details")
    if isinstance(details, dict):
        cached = count(details, "cached_tokens") or cached
    details = reported.get("completion_tokens_details")
    if isinstance(details, dict):
        reasoning = count(details, "reasoning_tokens")
    return Usage(
        count(reported, "prompt_tokens"), count(reported, "completion_tokens"), cached, reasoning
    )


def _logprobs(reported: JSON) -> tuple[Mapping[str, float], ...]:
    """Alternatives per generated token, from the chat or the legacy form; empty if none came."""
    if not isinstance(reported, dict):
        return ()
    content = reported.get("content")
    if isinstance(content, list):
        return tuple(_chat_alternatives(token) for token in content if isinstance(token, Mapping))
    top = reported.get("top_logprobs")
    if isinstance(top, list):
        return tuple(
            {
                clean_text(token): float(value)
                for token, value in place.items()
                if isinstance(value, (int, float))
            }
            for place in top
            if isinstance(place, Mapping)
        )
    return ()


def _chat_alternatives(token: Mapping[str, JSON]) -> Mapping[str, float]:
    top = token.get("top_logprobs")
    places = [*top, token] if isinstance(top, list) else [token]
    found: dict[str, float] = {}
    for place in places:
        if isinstance(place, Mapping):
            text, value = place.get("token"), place.get("logprob")
            if isinstance(text, str) and isinstance(value, (int, float)):
                found.setdefault(clean_text(text), float(value))
    return found
