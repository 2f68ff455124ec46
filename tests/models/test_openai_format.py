"""A request becomes exactly the body that the endpoint documents; any reply can be read."""

from __future__ import annotations

from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Completion, Request, message
from selfsown.models.openai_format import (
    Dialect,
    decode,
    qualifies_as_strict,
    read_completion,
    request_body,
    response_format,
)
from selfsown.models.uri import open_model

PLAIN = Dialect("m", "max_tokens", {})
TURNS = (message("system", "s"), message("user", "u"))


def body(request: Request, dialect: Dialect = PLAIN) -> dict[str, JSON]:
    """The body as JSON."""
    found: dict[str, JSON] = orjson.loads(request_body(request, dialect, None))
    return found


def test_defaults_are_not_sent() -> None:
    assert body(Request(messages=TURNS)) == {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "max_tokens": 1024,
    }


def test_every_parameter_is_sent_under_its_name() -> None:
    request = Request(
        messages=TURNS,
        max_tokens=7,
        temperature=0.0,
        top_p=0.5,
        presence_penalty=1.0,
        frequency_penalty=2.0,
        stop=("a", "b"),
        seed=3,
        logprobs=2,
        extra={"reasoning_effort": "low"},
    )
    sent = body(
        request, Dialect("m", "max_completion_tokens", {"reasoning_effort": "high", "x": 1})
    )
    del sent["messages"]
    assert sent == {
        "model": "m",
        "max_completion_tokens": 7,
        "temperature": 0.0,
        "top_p": 0.5,
        "presence_penalty": 1.0,
        "frequency_penalty": 2.0,
        "stop": ["a", "b"],
        "seed": 3,
        "logprobs": True,
        "top_logprobs": 2,
        "reasoning_effort": "low",
        "x": 1,
    }


def test_completions_say_max_tokens_and_count_logprobs_their_way() -> None:
    sent = body(
        Request(prompt="p", max_tokens=7, logprobs=2), Dialect("m", "max_completion_tokens", {})
    )
    assert sent == {"model": "m", "prompt": "p", "max_tokens": 7, "logprobs": 2}


@pytest.mark.parametrize(
    ("uri", "environ", "field"),
    [
        ("openai:gpt-4o", {}, "max_completion_tokens"),
        ("openai:o3-mini", {"OPENAI_BASE_URL": "http://h/v1"}, "max_completion_tokens"),
        ("http://h/v1#openai/gpt-5-mini", {}, "max_completion_tokens"),
        ("http://h/v1#llama", {}, "max_tokens"),
        ("http://h/v1#olmo-2", {}, "max_tokens"),
        ("openai:llama", {"OPENAI_BASE_URL": "http://h/v1"}, "max_tokens"),
    ],
)
def test_reasoning_models_are_bounded_by_max_completion_tokens(
    uri: str, environ: dict[str, str], field: str
) -> None:
    model = open_model(uri, environ=environ)
    assert model._dialect.max_tokens_field == field  # type: ignore[attr-defined]


def test_views_and_lone_surrogates_in_a_request_can_be_sent() -> None:
    request = Request(prompt="a\ud800", extra=MappingProxyType({"v": MappingProxyType({"w": 1})}))
    assert orjson.loads(request_body(Request(prompt="a", extra=request.extra), PLAIN, None))[
        "v"
    ] == {"w": 1}
    assert rb"\ud800" in request_body(request, PLAIN, None)


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False),
        (
            {
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            True,
        ),
        ({"type": "object"}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
    ],
)
def test_strict_mode_is_asked_for_only_where_the_schema_qualifies(
    schema: dict[str, JSON], strict: bool
) -> None:
    assert qualifies_as_strict(schema) is strict
    asked = response_format(schema)["json_schema"]
    assert isinstance(asked, dict)
    assert asked["strict"] is strict


def read(choice: JSON, request: Request) -> Completion:
    """The completion of a reply with one choice."""
    return read_completion({"choices": [choice]}, request)[0]


def test_logprobs_are_read_in_both_forms() -> None:
    chat = {
        "message": {"content": "a"},
        "logprobs": {
            "content": [
                {
                    "token": "a",
                    "logprob": -0.5,
                    "top_logprobs": [{"token": "b", "logprob": -0.1}],
                }
            ]
        },
    }
    assert read(chat, Request(messages=TURNS, logprobs=1)).logprobs == ({"a": -0.5, "b": -0.1},)
    legacy = {"text": "a", "logprobs": {"top_logprobs": [{"a": -0.5, "b": None}, None]}}
    assert read(legacy, Request(prompt="p", logprobs=1)).logprobs == ({"a": -0.5},)
    assert read(chat, Request(messages=TURNS)).logprobs == ()


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_with_half_a_character_is_counted_and_kept_without_it(name: str) -> None:
    choice: JSON = {"message": {"content": "a", name: "b\ud800"}}
    assert read(choice, Request(messages=(message("user", "hi"),))).reasoning == "b\ufffd"


def test_content_in_typed_parts_is_joined() -> None:
    parts: list[JSON] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 3]
    assert read({"message": {"content": parts}}, Request(messages=TURNS)).text == "ab"


KEYS = (
    *("choices", "message", "content", "text", "usage", "model", "logprobs", "finish_reason"),
    *("prompt_tokens", "top_logprobs", "token", "logprob", "prompt_tokens_details"),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES, st.booleans())
def test_no_json_reply_can_break_the_reader(payload: JSON, chat: bool) -> None:
    request = Request(messages=TURNS, logprobs=1) if chat else Request(prompt="p", logprobs=1)
    for reply in (payload, {"choices": payload}, {"choices": [payload]}):
        if isinstance(reply, dict):
            try:
                completion, _ = read_completion(reply, request)
            except AttemptFailed as failure:
                assert failure.kind == "malformed"
                continue
            completion.text.encode()
            assert completion.usage.input_tokens >= 0


@given(st.binary(max_size=60))
def test_no_bytes_can_break_the_decoder(data: bytes) -> None:
    decode(data)
