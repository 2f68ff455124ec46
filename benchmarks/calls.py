"""What the engine adds to a call: CPU seconds per 1,000 calls against a bare aiohttp loop.

Both make the same short chat calls to the same local server, in child processes, in turn:
(a) a server that answers at once, (b) log-normal latency, median 300 ms, concurrency 256.
selfsown runs recipe `complete` with everything on: journal, budget, limits, progress counters.
Printed: medians, their ratio, and the mean number of calls in flight as the server saw it.

    python benchmarks/calls.py [--calls 5000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CONCURRENCY = 256


async def bare(url: str, calls: int) -> None:
    """The limit: an aiohttp session, workers over one iterator, no journal, no checks."""
    import aiohttp
    import orjson

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    numbers = iter(range(calls))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def worker() -> None:
            for number in numbers:
                body = {
                    "model": "test-model",
                    "messages": [{"role": "user", "content": f"Say number {number}"}],
                    "max_tokens": 64,
                }
                async with session.post(
                    f"{url}/chat/completions",
                    data=orjson.dumps(body),
                    headers={"Content-Type": "application/json"},
                ) as response:
                    orjson.loads(await response.read())["choices"][0]["message"]["content"]

        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


async def engine(url: str, calls: int, out: Path) -> None:
    """The same calls as a run."""
    import selfsown

    result = await selfsown.arun(
        "complete",
        rows=({"number": number} for number in range(calls)),
        prompt="Say number {{ number }}",
        max_tokens=64,
        model={"uri": f"{url}#test-model", "price": {"input": 0.1, "output": 0.4}},
        budget_usd=100.0,
        concurrency=CONCURRENCY,
        out=out,
    )
    assert len(result.accepted) == calls, "rows were lost"


def measure(kind: str, url: str, calls: int, loop: str) -> None:
    """Run one contender in this process and print its figures as JSON."""
    import aiohttp  # noqa: F401  imports are not part of the figure
    import orjson  # noqa: F401

    import selfsown.core.finish
    import selfsown.models.endpoint
    import selfsown.recipes.complete
    import selfsown.report.card
    import selfsown.report.page
    import selfsown.runner  # noqa: F401

    if loop == "uvloop":
        import uvloop

        runner = uvloop.run
    else:
        runner = asyncio.run
    with tempfile.TemporaryDirectory() as scratch:
        began, cpu = time.perf_counter(), time.process_time()
        work = bare(url, calls) if kind == "bare" else engine(url, calls, Path(scratch) / "run")
        runner(work)
        figures = {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - began,
            "page_s": 0.0 if kind == "bare" else page_cost(Path(scratch) / "run"),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    print(json.dumps(figures))


def page_cost(directory: Path) -> float:
    """CPU seconds of writing report and card, which a run does once, after its calls."""
    from selfsown.report.card import write_card
    from selfsown.report.numbers import read_numbers
    from selfsown.report.page import write_report

    began = time.process_time()
    numbers = read_numbers(directory)
    write_report(directory, numbers)
    write_card(directory, numbers)
    return time.process_time() - began


def contend(kind: str, latency: list[str], calls: int, loop: str) -> dict[str, float]:
    """Measure one contender in a child process, against a fresh server."""
    server = subprocess.Popen(
        [sys.executable, "-m", "selfsown.testing.server", "--max-seconds", "300", *latency],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    try:
        child = subprocess.run(
            [
                *(sys.executable, __file__, "--child", kind, "--url", url),
                *("--calls", str(calls), "--loop", loop),
            ],
            capture_output=True,
            check=False,
            text=True,
        )
        if child.returncode:
            sys.exit(child.stderr)
        figures: dict[str, float] = json.loads(child.stdout)
        with urllib.request.urlopen(url.removesuffix("/v1") + "/_counters") as reply:
            seen = json.load(reply)
        return figures | {key: seen[key] for key in ("requests", "mean_in_flight")}
    finally:
        server.terminate()
        server.wait()


def scenario(name: str, latency: list[str], calls: int, repeat: int, loop: str) -> None:
    """Both contenders, interleaved."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "selfsown": []}
    for _ in range(repeat):
        for kind, results in found.items():
            results.append(contend(kind, latency, calls, loop))
    print(f"{name} ({calls} calls, concurrency {CONCURRENCY}, {loop}, median of {repeat})")
    median = {
        kind: {key: statistics.median(each[key] for each in results) for key in results[0]}
        for kind, results in found.items()
    }
    for kind, each in median.items():
        print(
            f"  {kind:<9} {each['cpu_s'] / calls * 1000:6.3f} CPU-s per 1,000 calls"
            f"  {calls / each['wall_s']:7.0f} calls/s  {each['mean_in_flight']:5.0f} in flight"
            f"  {each['peak_mb']:5.0f} MB peak  {each['requests']:.0f} requests"
        )
    pages = median["selfsown"]["page_s"] / calls * 1000
    print(f"  of selfsown's, {pages:.3f} are for report and card, written once after the calls")
    print(f"  ratio     {median['selfsown']['cpu_s'] / median['bare']['cpu_s']:6.2f} of bare CPU")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="uvloop")
    parser.add_argument("--child")
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.child:
        measure(given.child, given.url, given.calls, given.loop)
        return
    scenario("(a) no latency", [], given.calls, given.repeat, given.loop)
    slow = ["--latency-median-s", "0.3", "--latency-sigma", "0.5"]
    scenario("(b) 300 ms median", slow, given.calls, given.repeat, given.loop)


if __name__ == "__main__":
    main()
