"""Claim: a structured answer meets its schema, or the attempt fails with what was paid."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from tests.models.endpoint_calls import ASK, ITEM, ask, fail, reply

from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Request
from selfsown.models.uri import open_model
from selfsown.testing.replies import Planned
from selfsown.testing.server import LocalServer, ServerOptions


async def test_a_native_schema_answer_is_parsed_and_marked() -> None:
    completion = (
        await ask(reply('{"a": 1}'), Request(messages=ASK.messages, schema=ITEM))
    ).completion
    assert (completion.parsed, completion.parse_mode) == ({"a": 1}, "native")


async def test_without_native_mode_the_schema_is_not_sent_but_checked() -> None:
    seen: list[Mapping[str, JSON]] = []

    def answer(body: Mapping[str, JSON]) -> dict[str, JSON]:
        seen.append(body)
        return reply("Sure: {'a': 1}")

    request = Request(messages=ASK.messages, schema=ITEM)
    completion = (await ask(answer, request, native_schema=False)).completion
    assert (completion.parsed, completion.parse_mode) == ({"a": 1}, "repaired")
    assert "response_format" not in seen[0]


async def test_an_answer_that_misses_its_schema_fails_with_the_paid_completion() -> None:
    failure = await fail(reply('{"a": "x"}'), Request(messages=ASK.messages, schema=ITEM))
    assert failure.kind == "schema"
    assert failure.completion is not None
    assert failure.completion.text == '{"a": "x"}'


async def test_a_cut_off_structured_answer_is_not_repaired() -> None:
    request = Request(messages=ASK.messages, schema={"type": "array", "items": {"type": "string"}})
    failure = await fail(reply('["one", "tw', finish="length"), request)
    assert failure.kind == "schema"
    assert "max_tokens" in failure.detail


async def test_a_schema_that_cannot_be_checked_is_refused_before_anything_is_sent() -> None:
    async with LocalServer() as server:
        model = open_model(server.model_uri(), environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(Request(messages=ASK.messages, schema={"if": {}}))
        await model.close()
    assert caught.value.kind == "bad_request"
    assert server.counters.request_count == 0


async def test_an_endpoint_without_schema_mode_is_asked_again_without_it_and_says_so_once() -> None:
    def answer(body: Mapping[str, JSON]) -> object:
        if "response_format" in body:
            error = {"error": {"message": "response_format type json_schema is not supported"}}
            return Planned(400, orjson.dumps(error))
        return reply('{"a": 1}')

    async with LocalServer(ServerOptions(answer=answer)) as server:  # type: ignore[arg-type]
        model = open_model(server.model_uri(), environ={})
        request = Request(messages=ASK.messages, schema=ITEM)
        with pytest.warns(UserWarning, match="refuses native JSON-schema mode"):
            first = await model.attempt(request)
        second = await model.attempt(request)
        await model.close()
    assert first.completion.parse_mode == second.completion.parse_mode == "strict"
    assert server.counters.request_count == 3
