"""Endpoints that misbehave: what of the achievable throughput is left, and whether anything stalls.

The achievable throughput is measured in the same run: bare aiohttp workers, as many as the run has
calls in flight, ask the same server (same seed, same schedule) the same number of calls, give up an
attempt after the same time-out, and ask again 10 ms after whatever failed, without manners: every
slot is always in use, and no refusal is waited out longer than it lasts.

What is compared are the answers in the first 12 seconds after the first call arrived: a whole
number of every weather's periods, in which both have work left. (Over a whole run of that length
the ratio says less: it depends on whether the last call falls before or after a storm, and the end
of a run is what its last calls wait out. A call that is refused for one time in five and told to
wait half a second waits 0.7 s with probability 0.2, twice as long with 0.04, three times with
0.008: of the last fifty, one needs two seconds, where workers without manners need half a second.
The ratio to the last reply stands in a column of its own and is not checked.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from tests.chaos.plan import Plan, Table

from selfsown.core.config import make_config
from selfsown.core.errors import EnvironmentFailure
from selfsown.runner import RunResult, Start, execute
from selfsown.testing.faults import Faults
from selfsown.testing.server import LocalServer, ServerOptions

CONCURRENCY = 32
LATENCY_S = 0.2
TIMEOUT_S = 2.0
CALLS = 1920
"""At 150 a second without faults."""
WINDOW_S = 12.0
LEAST = 0.95
LONGEST_S = 60.0
"""Of a run under one weather; then its calls so far count."""
LONGEST_STILL_S = 30.0
LONGEST_SILENT_S = 10.0


@dataclass(frozen=True)
class Weather:
    """What an endpoint does, over and over."""

    name: str
    phases: Sequence[tuple[float, Mapping[str, Any]]] = field(default_factory=tuple)
    """Seconds, and what of the server's options holds for so long."""
    faults: Faults = field(default_factory=Faults)


def storm(**rates: float) -> tuple[tuple[float, Mapping[str, Any]], ...]:
    """Two quiet seconds, then one in which every call meets a fault."""
    return (2.0, {"faults": Faults()}), (1.0, {"faults": Faults(**rates)})


WEATHER = (
    Weather("no fault"),
    Weather("429 at random, 3 %", faults=Faults(rate_limit=0.03)),
    Weather("429 at random, 20 %", faults=Faults(rate_limit=0.2)),
    Weather("429 storms with Retry-After", storm(rate_limit=1.0)),
    Weather("429 storms, bare", storm(rate_limit_bare=1.0)),
    Weather("500, 10 %", faults=Faults(server_error=0.1)),
    Weather("500 storms", storm(server_error=1.0)),
    Weather("hangs, 1 %", faults=Faults(hang=0.01)),
    Weather("slow drip, 1 %", faults=Faults(drip=0.01)),
    Weather("cut connections, 10 %", faults=Faults(cut=0.05, wrong_length=0.05)),
    Weather("malformed bodies, 10 %", faults=Faults(malformed=0.05, empty_choices=0.05)),
    Weather("HTML bodies, 10 %", faults=Faults(html=0.1)),
    Weather("truncated completions, 10 %", faults=Faults(length=0.1)),
    Weather("hidden capacity 24 / 8 / 16", tuple((2.0, {"capacity": n}) for n in (24, 8, 16))),
)


def tables(plan: Plan, home: Path) -> list[Table]:
    """Throughput under every fault, and how soon a dead endpoint is reported."""
    found = [asyncio.run(throughput(plan, home))]
    if plan.share == 1:  # in short it is in `tests/system/test_faults.py`
        found.append(asyncio.run(dead(home)))
    return found


async def throughput(plan: Plan, home: Path) -> Table:
    """Every weather, the bare workers first."""
    table = Table(
        "Endpoint faults",
        (
            "fault", "achievable/s", "calls/s", "share", "share to the last reply",
            "longest standstill s", "records lost",
        ),
    )  # fmt: skip
    table.note = (
        f"{plan.count(CALLS)} calls, {CONCURRENCY} in flight, {LATENCY_S} s each; the first"
        f" {WINDOW_S:g} s count. Achievable: bare workers that ask again 10 ms after any failure."
    )
    chosen = WEATHER if plan.share == 1 else plan.rng("weather").sample(WEATHER, 2)
    for weather in chosen:
        calls = plan.count(CALLS)
        async with changing(weather, plan) as server:
            ends = await ask_bare(server, calls)
        bare, bare_whole = speed(ends), calls / ends[-1]
        async with changing(weather, plan) as server:
            watch = Watch(server)
            work = ask(server, calls, home / weather.name.replace("/", "-"), watch)
            try:
                result = await asyncio.wait_for(work, LONGEST_S)
            except TimeoutError:
                whole, lost = len(watch.ends) / LONGEST_S, 0  # stopped cleanly: nothing is lost
            else:
                whole, struck = calls / watch.ends[-1], server.counters.by_fault["length"]
                ended = len(result.accepted) + len(result.rejected)
                lost = calls - ended + abs(len(result.rejected) - struck)
        rate = speed(watch.ends)
        still = watch.longest_still_s
        table.add(
            *(weather.name, f"{bare:.0f}", f"{rate:.0f}", f"{rate / bare:.2f}"),
            *(f"{whole / bare_whole:.2f}", f"{still:.1f}", lost),
        )
        table.check(lost == 0, f"{weather.name}: {lost} records lost")
        table.check(still <= LONGEST_STILL_S, f"{weather.name}: {still:.0f} s without progress")
        if plan.share == 1:  # a short run is all beginning and end
            share = rate / bare
            table.check(share >= LEAST, f"{weather.name}: {share:.2f} of what is achievable")
    return table


class changing:
    """A server whose options follow the weather."""

    def __init__(self, weather: Weather, plan: Plan) -> None:
        self._phases = weather.phases
        self._server = LocalServer(
            ServerOptions(
                seed=plan.seed,
                faults=weather.faults,
                latency_median_s=LATENCY_S,
                latency_sigma=0.2,
                retry_after_s=0.5,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LocalServer:
        await self._server.start()
        if self._phases:
            self._task = asyncio.create_task(self._turn())
        return self._server

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            self._task.cancel()
        await self._server.stop()

    async def _turn(self) -> None:
        while True:
            for seconds, changes in self._phases:
                self._server.options = replace(self._server.options, **changes)
                await asyncio.sleep(seconds)


def speed(ends: Sequence[float]) -> float:
    """Calls a second in the first seconds, of calls that ended so long after the first arrival."""
    window = min(WINDOW_S, ends[-1])
    return sum(end <= window for end in ends) / window


def since_first(server: LocalServer) -> float:
    """Seconds since the first call arrived; 0 before."""
    counters = server.counters
    now = counters._clock.monotonic() - counters._start
    return 0.0 if counters._first is None else now - counters._first


async def ask_bare(server: LocalServer, calls: int) -> list[float]:
    """The achievable: every slot in use until all calls have an answer. When they ended."""
    numbers = iter(range(calls))
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    ends: list[float] = []
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def worker() -> None:
            for number in numbers:
                while not await answered(session, server.url, number):
                    await asyncio.sleep(0.01)
                ends.append(since_first(server))

        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return ends


async def answered(session: aiohttp.ClientSession, url: str, number: int) -> bool:
    """One attempt, and whether its reply has a text."""
    turns = [{"role": "user", "content": f"Say {number}."}]
    try:
        async with session.post(
            f"{url}/chat/completions", json={"model": "test-model", "messages": turns}
        ) as reply:
            text = orjson.loads(await reply.read())["choices"][0]["message"]["content"]
            return reply.status == 200 and bool(text)
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, IndexError):
        return False


class Watch:
    """A view that looks fifty times a second which calls ended, and for the first warning."""

    def __init__(self, server: LocalServer) -> None:
        self.ends: list[float] = []
        """When calls ended, in seconds since the first arrived."""
        self.longest_still_s = 0.0
        self.first_warning_at: float | None = None
        self._server = server
        self._since = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._progress: Any = None

    def start(self, run: Any, caller: object) -> None:
        self._progress, self._since = run.progress, time.monotonic()
        self._task = asyncio.get_running_loop().create_task(self._look())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._note()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self._note()

    def _note(self) -> None:
        now, ended = time.monotonic(), self._progress.calls - len(self.ends)
        if ended:
            self.ends += [since_first(self._server)] * ended
            self._since = now
        self.longest_still_s = max(self.longest_still_s, now - self._since)
        if self._progress.warnings and self.first_warning_at is None:
            self.first_warning_at = now


async def ask(
    server: LocalServer, calls: int, out: Path, watch: Watch, url: str = "", **limits: Any
) -> RunResult:
    """The same calls as a run."""
    config = make_config(
        {
            "recipe": "complete",
            "options": {"prompt": "Say {{ n }}."},
            "models": {"generator": url or server.model_uri()},
            "limits": {
                "concurrency": CONCURRENCY, "timeout_s": TIMEOUT_S, "resend": 0, **limits
            },
            "out": str(out),
        }
    )  # fmt: skip
    rows = ({"n": n} for n in range(calls))
    return await execute(config, Start(view=watch), rows=rows)


async def dead(home: Path) -> Table:
    """How long until the first word about an endpoint that is not there any more."""
    table = Table("Dead endpoints", ("endpoint", "first report after s", "what it says"))
    gone = LocalServer()
    await gone.start()
    await gone.stop()
    addresses = (
        ("refuses connections", gone.model_uri()),
        ("has no address", "http://nowhere.invalid/v1#m"),
    )
    for name, url in addresses:
        began, said = time.monotonic(), "nothing"
        try:
            await ask(gone, 100, home / name, Watch(gone), url)
        except EnvironmentFailure as error:
            said = error.what
        waited = time.monotonic() - began
        table.add(name, f"{waited:.1f}", said[:70])
        table.check(waited < LONGEST_SILENT_S and said != "nothing", f"{name}: {waited:.0f} s")
    waited, said = await dies(home / "dies")
    table.add("dies amid a run", f"{waited:.1f}", said[:70])
    table.check(waited < LONGEST_SILENT_S, f"dies amid a run: {waited:.0f} s")
    return table


async def dies(out: Path) -> tuple[float, str]:
    """Stop the server amid a run; seconds to the first warning, and its text."""
    async with LocalServer(ServerOptions(latency_median_s=0.05)) as server:
        watch = Watch(server)
        running = asyncio.create_task(ask(server, 10_000, out, watch))
        while len(watch.ends) < 200:
            await asyncio.sleep(0.05)
    stopped = time.monotonic()
    while watch.first_warning_at is None and time.monotonic() - stopped < 2 * LONGEST_SILENT_S:
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    at = watch.first_warning_at or time.monotonic()
    return max(0.0, at - stopped), "a warning" if watch.first_warning_at else "nothing"
