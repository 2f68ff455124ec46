"""Whatever an endpoint does, an attempt ends in an answer or in the right `AttemptFailed`."""

from __future__ import annotations

import asyncio
import gzip

import orjson
import pytest
from tests.models.endpoint_calls import ASK, ITEM, ask, fail, reply

from selfsown.core.model import AttemptFailed, Model
from selfsown.core.request import JSON, Image, Message, Request, message
from selfsown.models.endpoint import EndpointModel
from selfsown.models.uri import open_model
from selfsown.testing.faults import PERMANENT, TRANSIENT, Faults
from selfsown.testing.replies import Planned
from selfsown.testing.server import LocalServer, ServerOptions

EXPECTED = {
    "rate_limit": ("rate_limit", 429, 1.0, False),
    "rate_limit_bare": ("rate_limit", 429, None, False),
    "server_error": ("overloaded", 500, None, False),
    "hang": ("timeout", None, None, True),
    "drip": ("timeout", None, None, True),
    "cut": ("connection", None, None, True),
    "wrong_length": ("connection", None, None, True),
    "malformed": ("malformed", 200, None, True),
    "html": ("malformed", 200, None, True),
    "empty_choices": ("malformed", 200, None, True),
    "unauthorized": ("auth", 401, None, False),
    "missing_model": ("not_found", 404, None, False),
    "bad_request": ("bad_request", 400, None, False),
    "context_length": ("context_length", 400, None, False),
    "content_filter": ("content_filter", 200, None, True),
}


@pytest.mark.parametrize("fault", sorted({*TRANSIENT, *PERMANENT} - {"length"}))
async def test_every_fault_becomes_its_kind_of_failure(fault: str) -> None:
    async with LocalServer(ServerOptions(faults=Faults(**{fault: 1.0}))) as server:
        model = open_model(server.model_uri(), environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK, timeout_s=0.3)
        await model.close()
    failure = caught.value
    found = (failure.kind, failure.status, failure.retry_after_s, failure.may_be_billed)
    assert found == EXPECTED[fault]
    assert str(server.url.rpartition(":")[2].partition("/")[0]) not in failure.detail


async def test_a_cut_off_answer_is_an_answer_that_says_so() -> None:
    answer = await ask(reply("half", finish="length"))
    assert (answer.completion.text, answer.completion.finish_reason) == ("half", "length")


async def test_nobody_listening_is_reported_at_once_and_cannot_have_been_billed() -> None:
    async with LocalServer() as server:
        uri = server.model_uri()
    model = open_model(uri, environ={})
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ASK, timeout_s=5)
    await model.close()
    assert (caught.value.kind, caught.value.may_be_billed) == ("connection", False)
    assert caught.value.detail == "cannot connect: Connection refused"


async def test_a_host_without_address_is_a_connection_failure() -> None:
    model = open_model("http://no-such-host.invalid/v1#m", environ={})
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ASK, timeout_s=20)
    await model.close()
    assert caught.value.kind == "connection"


async def test_usage_with_cached_and_reasoning_tokens_is_read() -> None:
    usage: dict[str, JSON] = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    found = (await ask(reply(usage=usage))).completion.usage
    assert (found.input_tokens, found.output_tokens) == (100, 50)
    assert (found.cached_input_tokens, found.reasoning_tokens) == (64, 40)
    assert not found.estimated


@pytest.mark.parametrize("usage", [None, {}, "many", {"prompt_tokens_details": None}])
async def test_missing_usage_is_estimated_and_flagged(usage: JSON) -> None:
    found = (await ask(reply("x" * 40, usage=usage))).completion.usage
    assert found.estimated
    assert found.output_tokens == 10  # 40 bytes, four to a token
    assert found.input_tokens > 0


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("abort", "unknown"),
        (None, "unknown"),
        (3, "unknown"),
    ],
)
async def test_finish_reasons_are_mapped(said: JSON, meant: str) -> None:
    assert (await ask(reply(finish=said))).completion.finish_reason == meant


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": None},
        {"choices": {}},
        {"choices": ["text"]},
        {"choices": [{}]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": {"a": 1}}}]},
        Planned(200, b""),
        Planned(200, b"[1, 2]"),
        Planned(200, b'"text"'),
        Planned(200, b"null"),
        Planned(200, b"[" * 200_000),
        Planned(204, b""),
        Planned(200, b"<html>log in</html>", content_type="text/html"),
    ],
    ids=str,
)
async def test_a_reply_that_is_no_answer_is_malformed(body: object) -> None:
    failure = await fail(body)
    assert (failure.kind, failure.may_be_billed) == ("malformed", True)


@pytest.mark.parametrize("text", ["", "  \n", None, []])
async def test_an_answer_without_text_is_empty_and_paid(text: JSON) -> None:
    failure = await fail(reply(text))
    assert failure.kind == "empty"
    assert failure.completion is not None
    assert failure.completion.usage.input_tokens == 5


async def test_hidden_reasoning_that_uses_up_all_tokens_says_what_to_do() -> None:
    choice: dict[str, JSON] = {
        "message": {"content": "", "reasoning_content": "long thought"},
        "finish_reason": "length",
    }
    failure = await fail(reply(choices=[choice]))
    assert failure.kind == "empty"
    assert "max_tokens" in failure.detail


async def test_reasoning_is_kept_apart_from_the_text() -> None:
    choice: dict[str, JSON] = {"message": {"content": "Yes.", "reasoning_content": "hm"}}
    assert (await ask(reply(choices=[choice]))).completion.reasoning == "hm"
    tagged = (await ask(reply("<think>hm</think>\nYes."))).completion
    assert (tagged.text, tagged.reasoning) == ("Yes.", "hm")


async def test_a_refusal_is_the_text_of_the_answer() -> None:
    choice: dict[str, JSON] = {"message": {"content": None, "refusal": "I cannot."}}
    assert (await ask(reply(choices=[choice]))).completion.text == "I cannot."
    failure = await fail(reply(choices=[choice]), Request(messages=ASK.messages, schema=ITEM))
    assert failure.kind == "schema"


async def test_hostile_text_arrives_as_data_that_can_be_encoded() -> None:
    body = orjson.dumps(reply("TEXT")).replace(b"TEXT", rb"a\u0000b\u001b[31m\ud800c\udfff")
    text = (await ask(Planned(200, body))).completion.text
    assert text == "a\x00b\x1b[31m\ufffdc\ufffd"


async def test_invalid_utf8_does_not_lose_a_paid_answer() -> None:
    body = orjson.dumps(reply("TEXT")).replace(b"TEXT", b"caf\xe9")
    assert (await ask(Planned(200, body))).completion.text == "caf\ufffd"


async def test_a_megabyte_on_one_line_arrives_whole() -> None:
    text = "x" * 2**20
    assert (await ask(reply(text))).completion.text == text


async def test_a_request_above_a_megabyte_is_sent() -> None:
    request = Request(messages=(message("user", "x" * 2**21),))
    assert (
        await ask(lambda body: str(len(body["messages"][0]["content"])), request)
    ).completion.text == str(2**21)


async def test_compressed_replies_are_read() -> None:
    packed = gzip.compress(orjson.dumps(reply("zip")))
    answer = await ask(Planned(200, packed, {"Content-Encoding": "gzip"}))
    assert answer.completion.text == "zip"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_reply_that_is_not_compressed_as_it_says_is_a_failure(encoding: str) -> None:
    failure = await fail(Planned(200, b"not compressed", {"Content-Encoding": encoding}))
    assert failure.kind in ("malformed", "connection")


async def test_a_compressed_bomb_is_refused_instead_of_filling_memory() -> None:
    bomb = gzip.compress(b" " * (65 * 2**20), compresslevel=1)
    failure = await fail(Planned(200, bomb, {"Content-Encoding": "gzip"}), timeout_s=30.0)
    assert failure.kind == "malformed"
    assert "64 MiB" in failure.detail


@pytest.mark.parametrize(
    ("code", "kind"),
    [(429, "rate_limit"), (502, "overloaded"), (None, "overloaded"), (401, "auth")],
)
async def test_an_error_inside_a_200_counts_by_its_code(code: JSON, kind: str) -> None:
    failure = await fail({"error": {"message": "upstream", "code": code}})
    assert (failure.kind, failure.may_be_billed) == (kind, True)


async def test_retry_after_and_rate_headers_travel_with_failures_and_answers() -> None:
    headers = {"x-ratelimit-remaining-requests": "3", "Retry-After": "2"}
    failure = await fail(Planned(429, b"{}", headers))
    assert failure.retry_after_s == 2.0
    assert failure.rate is not None
    assert failure.rate.remaining_requests == 3
    answer = await ask(Planned(200, orjson.dumps(reply()), headers))
    assert answer.rate is not None
    assert answer.rate.remaining_requests == 3


async def test_the_first_reported_model_is_the_reference_and_a_change_stops() -> None:
    names = iter(["m-2024-01-01", "m-2024-01-01", "m-2024-09-09", "m-2024-01-01"])
    async with LocalServer(ServerOptions(answer=lambda body: reply(model=next(names)))) as server:
        model = open_model(server.model_uri(), environ={})
        assert isinstance(model, EndpointModel)
        await model.attempt(ASK)
        await model.attempt(ASK)
        assert model.reported_model == "m-2024-01-01"
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK)
        assert caught.value.kind == "model_changed"
        assert caught.value.completion is not None
        await model.attempt(ASK)
        await model.close()


async def test_redirects_are_not_followed() -> None:
    failure = await fail(Planned(307, b"", {"Location": "http://127.0.0.1:1/elsewhere"}))
    assert failure.kind == "not_found"


@pytest.mark.parametrize(
    "request_",
    [
        Request(messages=(Message("user", (Image("0" * 64, "image/png"),)),)),
        Request(messages=ASK.messages, tools=({"name": "t"},)),
    ],
)
async def test_what_the_client_cannot_send_is_refused_instead_of_dropped(request_: Request) -> None:
    assert (await fail(reply(), request_)).kind == "bad_request"


async def test_a_users_time_out_bounds_the_callers() -> None:
    async with LocalServer(ServerOptions(faults=Faults(hang=1.0))) as server:
        model = open_model({"uri": server.model_uri(), "timeout_s": 0.05}, environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK, timeout_s=60)
        await model.close()
    assert "0.05 s" in caught.value.detail


async def test_connections_are_reused_and_all_of_them_work_at_once() -> None:
    async with LocalServer(ServerOptions(latency_median_s=0.02, latency_sigma=0.0)) as server:
        model = open_model(server.model_uri(), environ={})
        requests = [Request(prompt=f"p{n}", max_tokens=5) for n in range(300)]
        await asyncio.gather(*(model.attempt(request) for request in requests))
        before = len(server._connections)
        await asyncio.gather(*(model.attempt(request) for request in requests[:50]))
        assert server.counters.max_in_flight == 300
        assert len(server._connections) == before == 300
        await model.close()


async def test_a_cancelled_attempt_leaves_nothing_behind() -> None:
    async with LocalServer(ServerOptions(faults=Faults(hang=1.0))) as server:
        model = open_model(server.model_uri(), environ={})
        task = asyncio.create_task(model.attempt(ASK))
        while server.counters.in_flight == 0:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.close()
        while server.counters.in_flight:
            await asyncio.sleep(0)
        assert server.counters.aborted == 1


async def test_two_models_of_one_loop_share_a_session_until_both_are_closed() -> None:
    async with LocalServer() as server:
        one, two = (open_model(server.model_uri(), environ={}) for _ in range(2))
        await one.attempt(ASK)
        await two.attempt(ASK)
        await one.close()
        await one.close()
        assert (await two.attempt(ASK)).completion.text
        await two.close()
        await two.close()


async def test_a_closed_model_says_so() -> None:
    model: Model = open_model("http://127.0.0.1:9/v1#m", environ={})
    await model.close()
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ASK)
    assert caught.value.kind == "local"
