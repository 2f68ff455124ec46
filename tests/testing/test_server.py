"""The test server is repeatable, counts exactly, and limits and fails as told."""

from __future__ import annotations

import asyncio
import statistics

import aiohttp
import orjson
import pytest

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.testing.counters import Counters
from selfsown.testing.faults import Faults, log_normal_s, uniform
from selfsown.testing.server import LocalServer, ServerOptions


def chat(text: str, **more: JSON) -> bytes:
    """A chat body."""
    return orjson.dumps(
        {"model": "test-model", "messages": [{"role": "user", "content": text}], **more}
    )


async def post(
    session: aiohttp.ClientSession, server: LocalServer, body: bytes
) -> tuple[int, JSON]:
    """Status and JSON of one chat call."""
    async with session.post(f"{server.url}/chat/completions", data=body) as reply:
        found: JSON = orjson.loads(await reply.read())
        return reply.status, found


async def statuses(server: LocalServer, bodies: list[bytes]) -> list[int]:
    """Statuses of concurrent calls."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        replies = await asyncio.gather(*(post(session, server, body) for body in bodies))
    return [status for status, _ in replies]


async def test_answers_are_a_function_of_the_body_whatever_its_key_order() -> None:
    one = b'{"model":"test-model","messages":[{"role":"user","content":"a"}]}'
    two = b'{"messages": [{"content": "a", "role": "user"}], "model": "test-model"}'
    async with (
        LocalServer(ServerOptions(seed=1)) as first,
        LocalServer(ServerOptions(seed=2)) as second,
        aiohttp.ClientSession() as session,
    ):
        texts = [
            (await post(session, server, body))[1]["choices"][0]["message"]["content"]  # type: ignore[index, call-overload]
            for server in (first, second)
            for body in (one, two)
        ]
        assert len(set(texts)) == 1
        assert first.counters.repeated and list(first.counters.repeated.values()) == [2]


async def test_stop_strings_and_max_tokens_end_an_answer() -> None:
    options = ServerOptions(answer=lambda body: "one two three four")
    async with LocalServer(options) as server, aiohttp.ClientSession() as session:
        stopped = (await post(session, server, chat("a", stop=[" three"])))[1]
        cut = (await post(session, server, chat("a", max_tokens=3)))[1]
    assert stopped["choices"][0]["message"]["content"] == "one two"  # type: ignore[index, call-overload]
    assert stopped["choices"][0]["finish_reason"] == "stop"  # type: ignore[index, call-overload]
    assert cut["choices"][0]["message"]["content"] == "one two three"  # type: ignore[index, call-overload]
    assert cut["choices"][0]["finish_reason"] == "length"  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"model": "test-model"}', 400),
        (b'{"model": "other", "messages": []}', 404),
        (b'{"model": "test-model", "messages": [], "stream": true}', 400),
    ],
)
async def test_bodies_that_no_server_would_answer_are_refused(body: bytes, status: int) -> None:
    async with LocalServer() as server:
        assert await statuses(server, [body]) == [status]


async def test_models_counters_and_reset_are_served() -> None:
    async with LocalServer() as server, aiohttp.ClientSession() as session:
        base = server.url.removesuffix("/v1")
        async with session.get(f"{server.url}/models") as reply:
            assert (await reply.json())["data"][0]["id"] == "test-model"
        await post(session, server, chat("a"))
        async with session.get(f"{base}/_counters") as reply:
            counted = await reply.json()
        assert (counted["requests"], counted["by_status"]) == (1, {"200": 1})
        assert [len(times) for times in counted["bodies"].values()] == [1]
        async with session.get(f"{base}/_counters?bodies=0") as reply:
            assert "bodies" not in await reply.json()
        async with session.post(f"{base}/_reset") as reply:
            assert reply.status == 200
        assert server.counters.request_count == 0
        async with session.get(f"{base}/nothing") as reply:
            assert reply.status == 404


async def test_fault_rates_are_met_and_do_not_depend_on_order() -> None:
    faults = Faults(rate_limit=0.2, server_error=0.1, bad_request=0.1)
    bodies = [chat(f"q{n}") for n in range(400)]
    async with LocalServer(ServerOptions(faults=faults)) as first:
        one = await statuses(first, bodies)
        again = await statuses(first, bodies)
    async with LocalServer(ServerOptions(faults=faults)) as second:
        two = await statuses(second, list(reversed(bodies)))
    assert one == list(reversed(two))
    assert 400 * 0.14 < one.count(429) < 400 * 0.25
    permanent = [place for place, status in enumerate(one) if status == 400]
    assert 20 <= len(permanent) <= 65
    assert permanent == [place for place, status in enumerate(again) if status == 400]
    assert one != again  # transient faults are drawn anew


async def test_calls_above_the_hidden_capacity_get_a_429() -> None:
    options = ServerOptions(capacity=5, latency_median_s=0.2, latency_sigma=0.0, retry_after_s=3)
    async with LocalServer(options) as server:
        found = await statuses(server, [chat(f"q{n}") for n in range(12)])
        assert found.count(200) == 5
        assert found.count(429) == 7
        assert server.counters.by_fault["over_capacity"] == 7


async def test_calls_above_the_rate_get_a_429_and_headers_count_down() -> None:
    options = ServerOptions(requests_per_window=3, window_s=60.0)
    async with LocalServer(options) as server, aiohttp.ClientSession() as session:
        left = []
        for n in range(4):
            async with session.post(f"{server.url}/chat/completions", data=chat(str(n))) as reply:
                left.append((reply.status, reply.headers["x-ratelimit-remaining-requests"]))
        assert left == [(200, "2"), (200, "1"), (200, "0"), (429, "0")]


async def test_in_flight_is_counted_over_time() -> None:
    options = ServerOptions(latency_median_s=0.1, latency_sigma=0.0)
    async with LocalServer(options) as server:
        await statuses(server, [chat(f"q{n}") for n in range(20)])
        assert server.counters.max_in_flight == 20
        assert server.counters.in_flight == 0
        assert server.counters.mean_in_flight > 5


def test_stragglers_are_a_share_of_arrivals_and_an_equal_request_is_drawn_anew() -> None:
    options = ServerOptions(latency_median_s=0.1, straggler_rate=0.01, straggler_s=60.0)
    taken = [[options.latency_s(f"{n:016x}", again) for n in range(10_000)] for again in (0, 1)]
    slow = [{n for n, seconds in enumerate(one) if seconds == 60.0} for one in taken]
    assert 60 < len(slow[0]) < 140 and 60 < len(slow[1]) < 140  # 100 expected, sigma 10
    assert len(slow[0] & slow[1]) < 10  # 1 expected
    rest = ServerOptions(latency_median_s=0.1)
    alike = [rest.latency_s(f"{n:016x}", 0) for n in range(10_000) if n not in slow[0]]
    assert alike == [seconds for seconds in taken[0] if seconds != 60.0]


def test_the_mean_in_flight_is_weighted_by_time() -> None:
    class Hand:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def stamp(self) -> str:
            return ""

        async def sleep(self, seconds: float) -> None:
            self.now += seconds

    clock = Hand()
    counters = Counters(clock)
    counters.arrive("a")  # one in flight from 0 to 2, two from 2 to 3, one from 3 to 4
    clock.now = 2.0
    counters.arrive("b")
    clock.now = 3.0
    counters.leave(200)
    clock.now = 4.0
    counters.leave(None)
    assert counters.mean_in_flight == (1 * 2 + 2 * 1 + 1 * 1) / 4
    assert (counters.max_in_flight, counters.aborted) == (2, 1)


def test_latencies_are_log_normal_with_the_stated_median() -> None:
    points = [uniform(0, "latency", f"{n:016x}", 0) for n in range(4000)]
    drawn = [log_normal_s(0.3, 0.5, point) for point in points]
    assert statistics.median(drawn) == pytest.approx(0.3, rel=0.05)
    # the 84.13 % quantile of a log-normal lies at median * exp(sigma)
    assert sorted(drawn)[3365] == pytest.approx(0.3 * 2.71828**0.5, rel=0.06)
    assert log_normal_s(0.0, 0.5, 0.3) == 0.0


@pytest.mark.parametrize("rates", [{"hang": -0.1}, {"hang": 1.1}, {"hang": 0.6, "cut": 0.6}])
def test_impossible_rates_are_refused(rates: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Faults(**rates)


async def test_requests_that_arrive_in_pieces_or_back_to_back_are_answered_in_order() -> None:
    async with LocalServer() as server:
        port = int(server.url.split(":")[2].removesuffix("/v1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        raw = b""
        for text in ("a", "b"):
            body = chat(text)
            raw += (
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\ncontent-length: %d\r\n\r\n"
                % len(body)
            )
            raw += body
        for start in range(0, len(raw), 50):
            writer.write(raw[start : start + 50])
            await writer.drain()
            await asyncio.sleep(0)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert b"choices" in await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()
        assert server.counters.request_count == 2


async def test_calls_from_a_number_on_wait_until_they_are_let_go() -> None:
    async with LocalServer() as server, aiohttp.ClientSession() as session:
        server.hold(2)
        calls = [asyncio.create_task(post(session, server, chat(str(n)))) for n in range(3)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while server.counters.request_count < 3:
            await asyncio.sleep(0)
        assert server.counters.in_flight == 2
        server.hold(None)
        await asyncio.gather(*calls)
        assert server.counters.in_flight == 0
