"""Claim: address, key and layout are what the user said; a key is sent, and shown nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from tests.models.endpoint_calls import ASK, CANARY

from selfsown.core.errors import ConfigError
from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON
from selfsown.models.uri import open_model
from selfsown.testing.replies import Planned
from selfsown.testing.server import LocalServer, ServerOptions


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


async def test_a_part_of_what_was_sent_is_as_secret_as_the_whole() -> None:
    parts = ("key/in+query", "key/in header", "t0ken-of-a-header", "pass:w0rd/word")

    def answer(body: Mapping[str, JSON]) -> Planned:
        said = f"wrong: {', '.join(parts)}, api-version 2024-06-01"
        return Planned(401, orjson.dumps({"error": {"message": said}}))

    async with LocalServer(ServerOptions(answer=answer)) as server:
        uri = server.model_uri().replace("//", "//u:pass%3Aw0rd%2Fword@")
        query = "?api-version=2024-06-01&key=key%2Fin%2Bquery#"
        headers = {"Authorization": f"Bearer {parts[2]}", "X-Key": parts[1]}
        model = open_model({"uri": uri.replace("#", query), "headers": headers}, environ={})
        with pytest.raises(AttemptFailed) as caught:
            await model.attempt(ASK)
        await model.close()
    assert not [part for part in parts if part in caught.value.detail]
    assert "api-version 2024-06-01" in caught.value.detail, "what helps is hidden"


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
