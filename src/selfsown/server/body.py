"""From a request body to `Request`s, field by field: what would be ignored silently is refused.

Fields that cannot change an answer (`user`, `metadata`, `store`, ...) are taken and left. The
sampling seed is the field `seed`, else the header that selfsown's own client sends, else derived
from the body, so that equal bodies get equal answers. Choice k of prompt j has a seed of its own,
derived from that one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from selfsown.core.request import JSON, Message, Request, Text, canonical_json
from selfsown.server.replies import Refused

_MOST_CHOICES: Final = 128
_COMPLETION_TOKENS: Final = 16
"""Default of `max_tokens` for completions, as in the OpenAI API."""
_CHAT_TOKENS: Final = 1024
"""Default for chat, whose API leaves it open; an answer that is longer needs the field."""
_WITHOUT_EFFECT: Final = frozenset(
    {"metadata", "model", "safety_identifier", "service_tier", "store", "stream", "stream_options"}
    | {"user"}
)
_COMMON: Final = frozenset(
    {"frequency_penalty", "max_tokens", "n", "presence_penalty", "seed", "stop", "temperature"}
    | {"top_p"}
)
_OFF: Final[Mapping[str, tuple[JSON, ...]]] = {
    "best_of": (1,),
    "echo": (False,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
}
"""Fields that are not supported -> the values that ask for nothing; null always does."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request: what to ask the model, in the order of the choices."""

    call_id: str
    requests: Sequence[Request]
    prompt_count: int
    is_streamed: bool
    with_usage: bool
    """Whether the stream ends with the token counts."""


def read_call(raw: bytes, *, is_chat: bool, names: Sequence[str], seed_header: str = "") -> Call:
    """Read the body of a chat or completion request.

    Args:
        raw: the body.
        is_chat: which of the two layouts it must have.
        names: model names that are served; the field `model` may be left out.
        seed_header: value of the header that selfsown's own client sends; the body's seed wins.

    Raises:
        Refused: with the field at fault.
    """
    body = _object(raw)
    _check_model(body, names)
    layout = {"messages", "max_completion_tokens"} if is_chat else {"prompt"}
    for name, value in body.items():
        if name in _OFF and value is not None and value not in _OFF[name]:
            raise Refused(f"`{name}` is not supported here; remove it", param=name)
        if name not in _OFF and name not in _COMMON | _WITHOUT_EFFECT | layout:
            raise Refused(f"unknown field `{name}`", param=name)
    digest = hashlib.blake2b(_decisive(body), digest_size=8)
    seed = _integer(body, "seed", low=-(2**63), high=2**64)
    if seed is None:
        sent = seed_header.isascii() and seed_header.isdigit() and len(seed_header) <= 20
        seed = int(seed_header) if sent else int.from_bytes(digest.digest()) >> 1
    choices = _integer(body, "n", low=1, high=_MOST_CHOICES) or 1
    prompts: Sequence[str | tuple[Message, ...]]
    prompts = [_messages(body)] if is_chat else _prompts(body)
    if len(prompts) * choices > _MOST_CHOICES:
        raise Refused(f"more than {_MOST_CHOICES} choices in one request", param="n")
    requests = [
        _request(body, prompt, _derived(seed, j * choices + k))
        for j, prompt in enumerate(prompts)
        for k in range(choices)
    ]
    options = body.get("stream_options") or {}
    return Call(
        call_id=digest.hexdigest(),
        requests=requests,
        prompt_count=len(prompts),
        is_streamed=_boolean(body, "stream"),
        with_usage=isinstance(options, Mapping) and bool(options.get("include_usage")),
    )


def _object(raw: bytes) -> Mapping[str, JSON]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused("the body is not a JSON object")
    return body


def _check_model(body: Mapping[str, JSON], names: Sequence[str]) -> None:
    name = body.get("model")
    if name is not None and name not in names:
        served = ", ".join(f"`{each}`" for each in names)
        raise Refused(
            f"the model `{name}` does not exist here; served: {served}",
            status=404,
            code="model_not_found",
            param="model",
        )


def _decisive(body: Mapping[str, JSON]) -> bytes:
    """The part of a body that may change its answers, in canonical form."""
    return canonical_json(
        {name: value for name, value in body.items() if name not in _WITHOUT_EFFECT}
    )


def _derived(seed: int, index: int) -> int:
    """The seed of a choice: the first has the request's own."""
    if index == 0:
        return seed
    digest = hashlib.blake2b(f"{seed}\0{index}".encode(), digest_size=8)
    return int.from_bytes(digest.digest()) >> 1


def _request(body: Mapping[str, JSON], prompt: str | tuple[Message, ...], seed: int) -> Request:
    is_chat = not isinstance(prompt, str)
    tokens = _integer(body, "max_tokens", low=1, high=10**9)
    if tokens is None:
        tokens = _integer(body, "max_completion_tokens", low=1, high=10**9)
    return Request(
        messages=prompt if isinstance(prompt, tuple) else (),
        prompt=prompt if isinstance(prompt, str) else None,
        max_tokens=tokens or (_CHAT_TOKENS if is_chat else _COMPLETION_TOKENS),
        temperature=_number(body, "temperature", 0, 100),
        top_p=_top_p(body),
        presence_penalty=_number(body, "presence_penalty", -2, 2) or 0.0,
        frequency_penalty=_number(body, "frequency_penalty", -2, 2) or 0.0,
        stop=_stop(body),
        seed=seed,
    )


def _prompts(body: Mapping[str, JSON]) -> list[str]:
    prompt = body.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not prompts:
        raise Refused("`prompt` must be a text or a list of texts", param="prompt")
    for text in prompts:
        if not isinstance(text, str):
            raise Refused(
                "`prompt` must hold texts; lists of token ids are not supported", param="prompt"
            )
    return prompts


def _messages(body: Mapping[str, JSON]) -> tuple[Message, ...]:
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns:
        raise Refused("`messages` must be a list with at least one message", param="messages")
    return tuple(_message(turn, f"messages[{i}]") for i, turn in enumerate(turns))


def _message(turn: JSON, at: str) -> Message:
    if not isinstance(turn, Mapping):
        raise Refused(f"`{at}` must be an object", param=at)
    role = "system" if turn.get("role") == "developer" else turn.get("role")
    if role != "system" and role != "user" and role != "assistant":
        raise Refused(f"`{at}.role` must be `system`, `user` or `assistant`", param=f"{at}.role")
    content = turn.get("content")
    if isinstance(content, str):
        return Message(role, (Text(content),))
    if not isinstance(content, list) or not content:
        raise Refused(
            f"`{at}.content` must be a text or a list of text parts", param=f"{at}.content"
        )
    parts = []
    for part in content:
        text = part.get("text") if isinstance(part, Mapping) else None
        if not isinstance(text, str):
            raise Refused(
                f"`{at}.content` may hold parts of type `text` only", param=f"{at}.content"
            )
        parts.append(Text(text))
    return Message(role, tuple(parts))


def _stop(body: Mapping[str, JSON]) -> tuple[str, ...]:
    stop = body.get("stop")
    texts = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise Refused("`stop` must be a text or a list of texts, none empty", param="stop")
    return tuple(text for text in texts if isinstance(text, str))


def _top_p(body: Mapping[str, JSON]) -> float | None:
    value = _number(body, "top_p", 0, 1)
    if value == 0:
        raise Refused("`top_p` must be above 0", param="top_p")
    return value


def _number(body: Mapping[str, JSON], name: str, low: float, high: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise Refused(f"`{name}` must be a number from {low} to {high}", param=name)
    return float(value)


def _integer(body: Mapping[str, JSON], name: str, *, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(f"`{name}` must be a whole number from {low} to {high}", param=name)
    return value


def _boolean(body: Mapping[str, JSON], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Refused(f"`{name}` must be true or false", param=name)
    return bool(value)
