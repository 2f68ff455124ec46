"""Claim: the server speaks the OpenAI protocol, refuses what it would ignore, and stops cleanly."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner

from selfsown.cli.serve import serve
from selfsown.core.errors import ConfigError, EnvironmentFailure
from selfsown.core.model import Answer, AttemptFailed, Capabilities, FailureKind, Price
from selfsown.core.request import Completion, Request, Usage, message
from selfsown.models.uri import open_model
from selfsown.models.wire import SEED_HEADER
from selfsown.server.app import Served, build_app
from selfsown.server.serve import Address, check_address, serve_until_stopped


class RecordingModel:
    """Answers with its seed and the prompt's last word; or fails in the way it is told."""

    uri = "recording:model"
    identity = "recording:sha256:0"
    endpoint = "recording:model"
    price = Price(0.0, 0.0)

    def __init__(self, **can: Any) -> None:
        self.capabilities = Capabilities(**{"chat": True, "completion": True, **can})
        self.asked: list[Request] = []
        self.failure: AttemptFailed | None = None
        self.closed = 0

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        self.asked.append(request)
        assert seed == request.seed
        if self.failure is not None:
            raise self.failure
        last = request.messages[-1].text if request.is_chat else request.prompt or ""
        text = f"{last.split()[-1]} {seed}"
        reasoning = "because" if request.is_chat else ""
        return Answer(Completion(text, "stop", Usage(len(last), 7), reasoning=reasoning))

    async def close(self) -> None:
        self.closed += 1


Client = TestClient[Any, Any]


@pytest.fixture
async def model() -> RecordingModel:
    return RecordingModel()


@pytest.fixture
async def client(model: RecordingModel) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(Served(model, "rec")))) as opened:
        yield opened


async def _post(client: Client, path: str, body: object, status: int = 200) -> Any:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    async with client.post(f"/v1/{path}", data=raw) as reply:
        answer = await reply.json()
        assert reply.status == status, answer
        return answer


async def test_a_completion_has_every_field_that_clients_read(client: Client) -> None:
    body = {"model": "rec", "prompt": "one two", "seed": 5, "stop": "x", "max_tokens": 3}
    answer = await _post(client, "completions", body)
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["model"] == "rec"
    assert answer["choices"] == [
        {"index": 0, "text": "two 5", "logprobs": None, "finish_reason": "stop"}
    ]
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 7, "total_tokens": 14}


async def test_chat_completions_carry_text_reasoning_and_roles(
    client: Client, model: RecordingModel
) -> None:
    turns = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}],
        },
    ]
    answer = await _post(client, "chat/completions", {"messages": turns, "seed": 1})
    turn = answer["choices"][0]["message"]
    assert turn == {"role": "assistant", "content": "b 1", "reasoning_content": "because"}
    assert [m.role for m in model.asked[0].messages] == ["system", "user"]
    assert model.asked[0].messages[1].text == "a b"


async def test_sampling_parameters_reach_the_model_and_defaults_are_those_of_the_api(
    client: Client, model: RecordingModel
) -> None:
    body = {
        "prompt": "x",
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 1,
        "frequency_penalty": -0.5,
        "stop": ["a", "b"],
        "max_tokens": 9,
        "seed": 3,
        "user": "ignored",
        "n": None,
        "echo": False,
    }
    await _post(client, "completions", body)
    await _post(client, "completions", {"prompt": "x", "seed": 3})
    await _post(
        client, "chat/completions", {"messages": [{"role": "user", "content": "x"}], "seed": 3}
    )
    assert model.asked[0] == Request(
        prompt="x",
        temperature=0.5,
        top_p=0.9,
        presence_penalty=1.0,
        frequency_penalty=-0.5,
        stop=("a", "b"),
        max_tokens=9,
        seed=3,
    )
    assert model.asked[1] == Request(prompt="x", max_tokens=16, seed=3)
    assert model.asked[2] == Request(messages=(message("user", "x"),), max_tokens=1024, seed=3)


async def test_equal_bodies_get_equal_answers_and_other_bodies_other_seeds(client: Client) -> None:
    async def text(**body: object) -> str:
        answer = await _post(client, "completions", {"prompt": "x", **body})
        return str(answer["choices"][0]["text"])

    first = await text(temperature=0.7)
    assert (
        first == await text(temperature=0.7) == await text(temperature=0.7, user="u", stream=None)
    )
    assert first != await text(temperature=0.8)


async def test_the_clients_seed_header_gives_another_sample_and_the_body_wins(
    client: Client, model: RecordingModel
) -> None:
    for header, body in ((("7"), {}), ("8", {}), ("8", {"seed": 3}), ("x", {})):
        await client.post(
            "/v1/completions", json={"prompt": "x", **body}, headers={SEED_HEADER: header}
        )
    seeds = [request.seed for request in model.asked]
    assert seeds[:3] == [7, 8, 3]
    assert seeds[3] not in seeds[:3]


async def test_several_choices_and_prompts_have_seeds_of_their_own(
    client: Client, model: RecordingModel
) -> None:
    answer = await _post(client, "completions", {"prompt": ["a b", "c"], "n": 2, "seed": 4})
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert [request.prompt for request in model.asked] == ["a b", "a b", "c", "c"]
    assert model.asked[0].seed == 4
    assert len({request.seed for request in model.asked}) == 4
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 28, "total_tokens": 32}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("completions", {"prompt": "x y", "n": 2}),
        ("chat/completions", {"messages": [{"role": "user", "content": "x y"}]}),
    ],
)
async def test_a_stream_carries_the_same_answer_in_events(
    client: Client, path: str, body: dict[str, object]
) -> None:
    whole = await _post(client, path, body)
    streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
    async with client.post(f"/v1/{path}", json=streamed) as reply:
        assert reply.content_type == "text/event-stream"
        lines = (await reply.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [orjson.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert chunks[-1]["usage"] == whole["usage"]
    for i, choice in enumerate(whole["choices"]):
        pieces = [c["choices"][0] for c in chunks[:-1] if c["choices"][0]["index"] == i]
        if path == "completions":
            assert "".join(piece["text"] for piece in pieces) == choice["text"]
        else:
            assert pieces[0]["delta"] == choice["message"]
        assert [piece["finish_reason"] for piece in pieces] == [None, "stop"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("completions", b"", "not JSON"),
        ("completions", b"{", "not JSON"),
        ("completions", b'{"prompt": "\xff"}', "not JSON"),
        ("completions", b'{"prompt": "x", "top_p": NaN}', "not JSON"),
        ("completions", [1], "not a JSON object"),
        ("completions", {}, "`prompt`"),
        ("completions", {"prompt": []}, "`prompt`"),
        ("completions", {"prompt": [1, 2]}, "token ids"),
        ("completions", {"prompt": "x", "echo": True}, "`echo` is not supported"),
        ("completions", {"prompt": "x", "logprobs": 3}, "`logprobs` is not supported"),
        ("completions", {"prompt": "x", "top_k": 3}, "unknown field `top_k`"),
        ("completions", {"prompt": "x", "messages": []}, "unknown field `messages`"),
        ("completions", {"prompt": "x", "max_tokens": 0}, "`max_tokens`"),
        ("completions", {"prompt": "x", "max_tokens": True}, "`max_tokens`"),
        ("completions", {"prompt": "x", "temperature": "hot"}, "`temperature`"),
        ("completions", {"prompt": "x", "temperature": -1}, "`temperature`"),
        ("completions", {"prompt": "x", "top_p": 0}, "`top_p`"),
        ("completions", {"prompt": "x", "stop": ["a", ""]}, "`stop`"),
        ("completions", {"prompt": "x", "seed": 1.5}, "`seed`"),
        ("completions", {"prompt": "x", "n": 129}, "`n`"),
        ("completions", {"prompt": ["x"] * 65, "n": 2}, "128"),
        ("completions", {"prompt": "x", "stream": "yes"}, "`stream`"),
        ("chat/completions", {"messages": "hi"}, "`messages`"),
        ("chat/completions", {"messages": ["hi"]}, "messages[0]"),
        ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}, "role"),
        ("chat/completions", {"messages": [{"role": "user"}]}, "content"),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "`text` only",
        ),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json"}},
            "`response_format` is not supported",
        ),
    ],
)
async def test_a_malformed_body_is_refused_with_the_field_at_fault(
    client: Client, model: RecordingModel, path: str, body: object, said: str
) -> None:
    error = (await _post(client, path, body, status=400))["error"]
    assert said in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert not model.asked


async def test_a_body_that_is_too_large_and_unknown_routes_get_json_errors(client: Client) -> None:
    async with client.post("/v1/completions", data=io.BytesIO(b" " * (17 << 20))) as reply:
        assert reply.status == 413
        assert "larger than" in (await reply.json())["error"]["message"]
    assert (await _post(client, "embeddings", {}, status=404))["error"]["message"]
    async with client.get("/v1/completions") as reply:
        assert reply.status == 405
        assert (await reply.json())["error"]["message"]


async def test_models_are_listed_under_the_name_that_calls_may_use(client: Client) -> None:
    async with client.get("/v1/models") as reply:
        listed = (await reply.json())["data"]
    assert [card["id"] for card in listed] == ["rec"]
    assert listed[0]["identity"] == RecordingModel.identity
    async with client.get("/v1/models/rec") as reply:
        assert (await reply.json()) == listed[0]
    async with client.get("/v1/models/other") as reply:
        assert reply.status == 404
    await _post(client, "completions", {"prompt": "x", "model": "recording:model"})
    error = await _post(client, "completions", {"prompt": "x", "model": "gpt-9"}, status=404)
    assert error["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("bad_request", 400, "invalid_request_error"),
        ("context_length", 400, "context_length_exceeded"),
        ("rate_limit", 429, "rate_limit_exceeded"),
        ("overloaded", 503, "overloaded"),
        ("local", 500, "model_failed"),
        ("auth", 502, "upstream_auth"),
        ("empty", 502, "upstream_empty"),
    ],
)
async def test_a_failed_attempt_keeps_its_kind_on_the_way_to_the_client(
    client: Client, model: RecordingModel, kind: FailureKind, status: int, code: str
) -> None:
    model.failure = AttemptFailed(kind, "it went wrong")
    error = (await _post(client, "completions", {"prompt": "x"}, status=status))["error"]
    assert (error["message"], error["code"]) == ("it went wrong", code)


async def test_an_answer_without_text_is_still_an_answer(
    client: Client, model: RecordingModel
) -> None:
    blank = Completion("", "stop", Usage(3, 1))
    model.failure = AttemptFailed("empty", "no text", completion=blank)
    answer = await _post(client, "completions", {"prompt": "x"})
    assert answer["choices"][0]["text"] == ""
    assert answer["usage"]["completion_tokens"] == 1


async def test_a_layout_that_the_model_lacks_names_the_other_route() -> None:
    base = RecordingModel(chat=False)
    async with TestClient(TestServer(build_app(Served(base, "rec")))) as client:
        error = await _post(client, "chat/completions", {"messages": []}, status=400)
        assert "use /v1/completions" in error["error"]["message"]
    assert base.closed == 1


async def test_with_an_api_key_only_its_bearer_gets_in(model: RecordingModel) -> None:
    async with TestClient(TestServer(build_app(Served(model, "rec", "sésame")))) as client:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Bearer sésame"}, 200),
            ({"Authorization": "Bearer sésame", "Host": "other.example"}, 200),
        ):
            async with client.get("/v1/models", headers=headers) as reply:
                assert reply.status == status
        async with client.get("/health") as reply:
            assert (await reply.json()) == {"status": "ok"}


async def test_without_a_key_a_foreign_host_header_gets_no_answer(client: Client) -> None:
    for host, status in (("evil.example", 403), ("localhost:1", 200), ("[::1]:80", 200)):
        async with client.get("/v1/models", headers={"Host": host}) as reply:
            assert reply.status == status


def test_an_address_of_other_machines_needs_a_key() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::"):  # noqa: S104 - refused below
        with pytest.raises(ConfigError, match="no API key"):
            check_address(Address(host), "")
        check_address(Address(host), "key")
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        check_address(Address(host), "")


def test_the_command_refuses_an_open_address_before_it_opens_a_model() -> None:
    result = CliRunner().invoke(serve, ["lab:no-such-folder", "--host", "0.0.0.0"])  # noqa: S104
    assert isinstance(result.exception, ConfigError)
    assert "--api-key" in result.exception.fix


async def test_a_port_that_is_taken_is_an_error_with_a_way_out(model: RecordingModel) -> None:
    async with TestServer(build_app(Served(RecordingModel(), "rec"))) as other:
        assert other.port is not None
        with pytest.raises(ConfigError, match="cannot listen") as caught:
            await serve_until_stopped(Served(model, "rec"), Address(port=other.port))
    assert "--port" in caught.value.fix
    assert model.closed


async def test_a_local_model_that_cannot_load_is_not_served() -> None:
    model = RecordingModel(local=True)

    async def attempt(request: Request, **_: object) -> Answer:
        raise AttemptFailed("local", "no weights")

    model.attempt = attempt  # type: ignore[method-assign]
    with pytest.raises(EnvironmentFailure, match="no weights"):
        await serve_until_stopped(Served(model, "rec"), Address(port=0))
    assert model.closed


class WaitingModel(RecordingModel):
    """Answers when `may_go` is set; remembers what was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.may_go, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        self.entered.set()
        try:
            await self.may_go.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        return await super().attempt(request, seed=seed)


async def _serve(model: RecordingModel) -> tuple[str, asyncio.Task[None]]:
    """The URL of a server in this loop, and the task that it is."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_until_stopped(Served(model, "rec"), Address(port=0), announce=url.set_result)
    )
    return await url, serving


async def test_a_call_under_way_still_gets_its_answer_when_the_server_is_stopped() -> None:
    model = WaitingModel()
    url, serving = await _serve(model)
    async with ClientSession() as session:
        call = asyncio.create_task(session.post(f"{url}/completions", json={"prompt": "x"}))
        await model.entered.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        model.may_go.set()
        async with await call as reply:
            assert (await reply.json())["choices"][0]["text"].startswith("x ")
    await serving
    assert model.closed


async def test_when_the_client_goes_away_its_calls_are_dropped() -> None:
    model = WaitingModel()
    url, serving = await _serve(model)
    async with ClientSession() as session:
        call = asyncio.create_task(session.post(f"{url}/completions", json={"prompt": "x"}))
        await model.entered.wait()
        call.cancel()
        await model.left.wait()
    os.kill(os.getpid(), signal.SIGINT)
    await serving


async def test_when_one_choice_fails_the_others_are_dropped() -> None:
    class HalfBroken(WaitingModel):
        async def attempt(
            self, request: Request, *, timeout_s: float | None = None, seed: int = 0
        ) -> Answer:
            if request.prompt == "bad":
                await self.entered.wait()
                raise AttemptFailed("context_length", "too long")
            return await super().attempt(request, seed=seed)

    model = HalfBroken()
    async with TestClient(TestServer(build_app(Served(model, "rec")))) as client:
        error = await _post(client, "completions", {"prompt": ["good", "bad"]}, status=400)
        assert error["error"]["code"] == "context_length_exceeded"
        assert model.left.is_set()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_the_lab_and_a_signal_ends_it_with_0(
    tiny_llama: Path, stop: signal.Signals
) -> None:
    """The answers over HTTP are those of the model itself."""
    code = "from selfsown.cli.serve import serve; serve()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, f"lab:{tiny_llama}", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    url = line.split()[-1]
    assert line == f"serving `base` at {url}\n"
    request = Request(prompt="Sort the list:", max_tokens=12, temperature=0.8, seed=6)
    there, here = open_model(f"{url}#base"), open_model(f"lab:{tiny_llama}")
    over_http = (await there.attempt(request)).completion
    assert over_http.text == (await here.attempt(request)).completion.text
    assert over_http.usage.output_tokens > 0
    async with ClientSession() as session, session.get(url.replace("/v1", "/health")) as reply:
        assert reply.status == 200
    process.send_signal(stop)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert await process.stdout.read() == b""
    await there.close()
    await here.close()
