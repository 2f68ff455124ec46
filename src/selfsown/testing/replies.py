"""Replies of the test server in the OpenAI form, and the replies of its injected faults."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import orjson

from selfsown.core.request import JSON
from selfsown.models.pseudo_text import pseudo_text, pseudo_value

AnswerFunction = Callable[[Mapping[str, JSON]], "str | Mapping[str, JSON] | Planned"]
"""Request body -> the answer's text, a whole reply body, or a whole HTTP reply."""

Delivery = Literal["whole", "hang", "drip", "cut", "close", "stall"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A reply and the way it will travel."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = "whole"
    """`cut` resets the connection half way, `close` closes it there, `stall` says no more."""
    content_type: str = "application/json"


_FAULTS: Final[dict[str, tuple[int, str, str]]] = {
    "rate_limit": (429, "rate_limit_exceeded", "Rate limit reached, try again later."),
    "rate_limit_bare": (429, "rate_limit_exceeded", "Rate limit reached."),
    "server_error": (500, "server_error", "The server had an error."),
    "unauthorized": (401, "invalid_api_key", "Incorrect API key provided."),
    "missing_model": (404, "model_not_found", "The model does not exist."),
    "bad_request": (400, "invalid_value", "This request is refused every time."),
    "context_length": (
        400,
        "context_length_exceeded",
        "This model's maximum context length is 8 tokens, your messages have more.",
    ),
}


def canonical_hash(body: bytes, value: JSON) -> str:
    """Sixteen hex digits, equal for bodies that are equal as JSON (`value`; None if none)."""
    if value is not None:
        body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def read_body(body: bytes) -> JSON:
    """A request's body as JSON; None if it is none."""
    try:
        value: JSON = orjson.loads(body)
    except ValueError:
        return None
    return value


def error_reply(
    status: int, code: str, said: str, headers: Mapping[str, str] | None = None
) -> Planned:
    """An error in the OpenAI form."""
    body = orjson.dumps({"error": {"message": said, "type": code, "code": code, "param": None}})
    return Planned(status, body, headers or {})


def faulty_reply(fault: str, answer: bytes, retry_after_s: float) -> Planned:
    """The reply of a fault, given what the answer would have been."""
    if fault in _FAULTS:
        headers = {"Retry-After": f"{retry_after_s:g}"} if fault == "rate_limit" else {}
        return error_reply(*_FAULTS[fault], headers)
    if fault == "malformed":
        return Planned(200, answer[: max(1, len(answer) // 2)])
    if fault == "html":
        page = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
        return Planned(200, page, content_type="text/html")
    if fault == "empty_choices":
        return Planned(200, orjson.dumps({**orjson.loads(answer), "choices": []}))
    if fault in ("content_filter", "length") and b'"choices"' in answer:
        return Planned(200, _ended(answer, fault))
    ways: dict[str, Delivery] = {
        "hang": "hang",
        "drip": "drip",
        "cut": "cut",
        "wrong_length": "close",
    }
    return Planned(200, answer, delivery=ways[fault])


def pseudo_answer(request: Mapping[str, JSON]) -> str:
    """A sentence, or a JSON value if a schema is asked for: a pure function of the body."""
    body = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
    wanted = request.get("response_format")
    named = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if schema is not None:
        return orjson.dumps(pseudo_value(body, schema)).decode()
    return pseudo_text(body)


def answer_body(
    path: str, request: Mapping[str, JSON], body: bytes, said: str, *, model: str, usage: bool
) -> bytes:
    """The body of a good reply with a text, cut at `max_tokens` words and at stop strings.

    Token counts are words of the text, and a quarter of the request's bytes.
    """
    most = request.get("max_completion_tokens", request.get("max_tokens"))
    most = most if isinstance(most, int) and most > 0 else 1024
    words = said.split(" ")
    finish = "stop"
    if len(words) > most:
        said, finish = " ".join(words[:most]), "length"
    said, finish = _stop_at(said, request.get("stop"), finish)
    read, written = max(1, len(body) // 4), len(said.split(" "))
    reply_id = "chatcmpl-" + hashlib.blake2b(body, digest_size=8).hexdigest()
    reply: dict[str, JSON] = {"id": reply_id, "model": model or request.get("model")}
    if path.endswith("/v1/messages"):
        reply["content"] = [{"type": "text", "text": said}]
        reply["stop_reason"] = "max_tokens" if finish == "length" else "end_turn"
        counts: dict[str, JSON] = {"input_tokens": read, "output_tokens": written}
    else:
        is_chat = path.endswith("/chat/completions")
        text: dict[str, JSON] = {"role": "assistant", "content": said}
        choice: dict[str, JSON] = {"message": text} if is_chat else {"text": said}
        reply["object"] = "chat.completion" if is_chat else "text_completion"
        reply["created"] = 0
        reply["choices"] = [{"index": 0, "finish_reason": finish, **choice}]
        counts = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
    if usage:
        reply["usage"] = counts
    return orjson.dumps(reply)


def _stop_at(said: str, stop: JSON, finish: str) -> tuple[str, str]:
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    places = [said.find(text) for text in stops if isinstance(text, str) and text and text in said]
    return (said[: min(places)], "stop") if places else (said, finish)


def _ended(answer: bytes, finish: str) -> bytes:
    """The same reply with half its text and another finish reason."""
    reply = orjson.loads(answer)
    choice = reply["choices"][0]
    choice["finish_reason"] = finish
    holder, key = (choice["message"], "content") if "message" in choice else (choice, "text")
    holder[key] = holder[key][: max(1, len(holder[key]) // 2)]
    return orjson.dumps(reply)
