"""Whatever an endpoint does, an attempt ends in an answer or in the right `AttemptFailed`."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping

import orjson
import pytest

from selfsown.core.errors import ConfigError
from selfsown.core.model import Answer, AttemptFailed, Model
from selfsown.core.request import JSON, Image, Message, Request, message
from selfsown.models.endpoint import EndpointModel
from selfsown.models.uri import open_model
from selfsown.testing.faults import PERMANENT, TRANSIENT, Faults
from selfsown.testing.replies import Planned
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


@pytest.mark.parametrize(
    "request_",
    [
        Request(messages=(Message("user", (Image("0" * 64, "image/png"),)),)),
        Request(messages=ASK.messages, tools=({"name": "t"},)),
    ],
)
async def test_what_the_client_cannot_send_is_refused_instead_of_dropped(request_: Request) -> None:
    assert (await fail(reply(), request_)).kind == "bad_request"


async def test_the_key_is_sent_and_never_shown() -> None:
    async with LocalServer(ServerOptions(api_key=CANARY)) as server:
        good = open_model({"uri": server.model_uri(), "api_key": CANARY}, environ={})
        await good.attempt(ASK)
        bad = open_model({"uri": server.model_uri(), "api_key": CANARY + "x"}, environ={})
        with pytest.raises(AttemptFailed) as caught:
            await bad.attempt(ASK)
        await good.close()
        await bad.close()
    assert caught.value.kind == "auth"
    assert CANARY not in f"{caught.value!r} {caught.value.detail}"


async def test_an_error_body_that_repeats_secrets_is_redacted() -> None:
    def answer(body: Mapping[str, JSON]) -> Planned:
        said = f"bad key {CANARY}, header hunter2hunter2, user u:passw0rd"
        return Planned(401, orjson.dumps({"error": {"message": said}}))

    async with LocalServer(ServerOptions(answer=answer)) as server:
        uri = server.model_uri().replace("//", "//u:passw0rd@")
        model = open_model(
            {"uri": uri, "api_key": CANARY, "headers": {"X-Team": "hunter2hunter2"}}, environ={}
        )
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK)
        await model.close()
    for secret in (CANARY, "hunter2", "passw0rd"):
        assert secret not in caught.value.detail
        assert secret not in repr(caught.value)


async def test_user_info_becomes_basic_authentication_and_the_query_is_sent() -> None:
    async with LocalServer() as server:
        uri = server.model_uri().replace("//", "//me:pw@").replace("#", "?api-version=3#")
        model = open_model(uri, environ={})
        await model.attempt(ASK)
        await model.close()
        assert server.last is not None
        assert server.last.header("authorization") == "Basic bWU6cHc="
        assert server.last.path == "/v1/chat/completions?api-version=3"


async def test_without_a_key_the_provider_is_not_even_asked() -> None:
    model = open_model("openai:gpt-4o", environ={})
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ASK)
    await model.close()
    assert caught.value.kind == "auth"
    assert "OPENAI_API_KEY" in caught.value.detail


async def test_a_401_without_a_key_says_how_to_give_one() -> None:
    async with LocalServer(ServerOptions(api_key=CANARY)) as server:
        model = open_model(server.model_uri(), environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK)
        await model.close()
    assert "api_key_env" in caught.value.detail


async def test_paths_with_spaces_and_escapes_are_sent_as_valid_urls() -> None:
    async with LocalServer() as server:
        model = open_model(server.url + "/a b/%2Fc?k=x%2By#test-model", environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK)
        await model.close()
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize("host", ["a..b", "h\u0000h", "-", "[::1", "x" * 300])
async def test_a_host_that_cannot_exist_is_refused_or_fails_as_data(host: str) -> None:
    try:
        model = open_model(f"http://{host}/v1#m", environ={})
    except ConfigError:
        return
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ASK, timeout_s=10)
    await model.close()
    assert caught.value.kind in ("connection", "not_found")


async def test_environment_variables_name_address_and_key() -> None:
    async with LocalServer(ServerOptions(api_key=CANARY)) as server:
        environ = {"OPENAI_BASE_URL": server.url + "/", "OPENAI_API_KEY": CANARY + "\n"}
        model = open_model("openai:test-model", environ=environ)
        assert (await model.attempt(ASK)).completion.text
        await model.close()


@pytest.mark.parametrize("form", ["{host}:{port}", "http://{host}:{port}", "0.0.0.0:{port}"])
async def test_ollama_host_is_understood_in_each_form(form: str) -> None:
    async with LocalServer() as server:
        host, port = "127.0.0.1", server.url.split(":")[2].removesuffix("/v1")
        environ = {"OLLAMA_HOST": form.format(host=host, port=port)}
        model = open_model("ollama:test-model", environ=environ)
        assert (await model.attempt(ASK)).completion.text
        await model.close()


def test_ollama_without_a_port_means_its_usual_one() -> None:
    assert open_model("ollama:m", environ={"OLLAMA_HOST": "box"}).endpoint == "http://box:11434"
    assert open_model("ollama:m", environ={}).endpoint == "http://127.0.0.1:11434"


async def test_the_key_of_one_provider_is_not_sent_to_another_host() -> None:
    async with LocalServer() as server:
        model = open_model(server.model_uri(), environ={"OPENAI_API_KEY": CANARY})
        await model.attempt(ASK)
        await model.close()
        assert server.last is not None
        assert CANARY not in server.last.head


def test_the_port_is_not_part_of_the_identity_but_of_the_endpoint() -> None:
    one = open_model("http://h:1/v1#m", environ={})
    two = open_model("http://h:2/v1#m", environ={})
    assert one.identity == two.identity == "http://h/v1#m"
    assert one.endpoint != two.endpoint


@pytest.mark.parametrize(
    ("layout", "chat", "completion"),
    [(None, True, True), ("chat", True, False), ("completion", False, True)],
)
def test_the_layout_setting_decides_what_is_offered(
    layout: JSON, chat: bool, completion: bool
) -> None:
    found = open_model({"uri": "http://h/v1#m", "layout": layout}, environ={}).capabilities
    assert (found.chat, found.completion) == (chat, completion)


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
