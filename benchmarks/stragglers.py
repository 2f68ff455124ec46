"""What slow calls cost: 1 in 1,000 takes a minute, and must cost the slot it holds and no more.

The bound is what no client can beat: the same latencies in the same order, dealt out to as many
slots as there are calls in flight, each call starting when a slot falls free, at no cost. First
without re-sends, where a straggler has to be waited for, then with them.

    python -m benchmarks.stragglers [--calls 20000] [--seconds 60] [--json FILE]
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.record import Record

import selfsown
from selfsown.testing.process import ServerProcess
from selfsown.testing.server import ServerOptions

CONCURRENCY = 256


def bound_s(latencies: Iterable[float], slots: int) -> float:
    """Seconds until all are over, if each starts as soon as one of `slots` is free."""
    free = [0.0] * slots
    for latency in latencies:
        heapq.heapreplace(free, free[0] + latency)
    return max(free)


def measure(options: ServerOptions, calls: int, resend: float) -> tuple[float, float, int, int]:
    """Seconds of a run, its bound, requests, and stragglers among the first arrivals."""
    arguments = {
        "--latency-median-s": options.latency_median_s,
        "--straggler-rate": options.straggler_rate,
        "--straggler-s": options.straggler_s,
    }
    flags = [str(part) for pair in arguments.items() for part in pair]
    with (
        ServerProcess("--max-seconds", "600", *flags) as server,
        tempfile.TemporaryDirectory() as at,
    ):
        began = time.perf_counter()
        result = selfsown.run(
            "complete",
            rows=({"number": number} for number in range(calls)),
            prompt="Say number {{ number }}",
            max_tokens=64,
            model=server.model_uri(),
            concurrency=CONCURRENCY,
            limits={"resend": resend} | ({} if resend else {"timeout_s": options.straggler_s * 5}),
            out=Path(at) / "run",
        )
        wall_s = time.perf_counter() - began
        assert len(result.accepted) == calls, "rows were lost"
        seen = server.counters()["bodies"]
    latencies = [options.latency_s(body, 0) for body in seen]  # in the order of arrival
    slow = latencies.count(options.straggler_s)
    return wall_s, bound_s(latencies, CONCURRENCY), sum(map(len, seen.values())), slow


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="what a straggler takes")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    options = ServerOptions(latency_median_s=0.3, straggler_rate=0.001, straggler_s=given.seconds)
    record = Record("Stragglers: what slow calls cost")
    rows, walls = [], {}
    for name, resend in (("re-sends off", 0.0), ("re-sends on (default)", 0.02)):
        wall_s, least_s, requests, slow = measure(options, given.calls, resend)
        rows.append((name, wall_s, least_s, wall_s / least_s, requests, slow))
        walls[resend] = wall_s, least_s
    record.table(
        f"{given.calls:,} calls at concurrency {CONCURRENCY}, log-normal latency of median 300 ms, "
        f"1 in 1,000 takes {given.seconds:g} s",
        ("", "seconds", "bound without re-sends", "of bound", "requests", "stragglers"),
        rows,
    )
    record.note("Seconds are of the whole run: start, calls, the run's report.")
    off, bound = walls[0.0]
    record.ratio("stragglers: seconds / bound, re-sends off", off / bound, at_most=1.05)
    on, bound = walls[0.02]
    record.ratio("stragglers: seconds / bound without re-sends, re-sends on", on / bound, at_most=1)
    record.write(given.json)


if __name__ == "__main__":
    main()
