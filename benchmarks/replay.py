"""What the journal costs and gives back: bytes per call, time to resume, memory as it grows.

A run of recipe `complete` against a local server that answers at once: a tenth of the calls and all
of them, each in a process of its own; then the same command again, which asks nothing and hands
every row over from the journal.

    python -m benchmarks.replay [--calls 100000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers.measured import peak_mb
from benchmarks.record import Record

import selfsown
from selfsown.core.journal import JOURNAL_NAME
from selfsown.testing.process import ServerProcess

MILLION = 1_000_000


def child(calls: int, folder: Path, model: str) -> None:
    """One session on the run directory; prints its figures."""
    began, cpu = time.perf_counter(), time.process_time()
    result = selfsown.run(
        "complete",
        rows=({"number": number} for number in range(calls)),
        prompt="Say number {{ number }}",
        max_tokens=64,
        model=model,
        concurrency=256,
        out=folder / "run",
    )
    figures = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "rows": len(result.accepted),
        "bytes": sum(path.stat().st_size for path in (folder / "run").glob(f"{JOURNAL_NAME}*")),
    }
    print(json.dumps(figures))


def session(calls: int, folder: Path, model: str) -> dict[str, float]:
    """The same in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.replay", "--calls", str(calls)]
    done = subprocess.run(
        [*command, "--folder", str(folder), "--model", model],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    assert found["rows"] == calls, "rows were lost"
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    if given.folder:
        child(given.calls, given.folder, given.model)
        return
    record = Record("Replay: what the journal costs and gives back")
    rows, peaks, last = [], [], {}
    for calls in (given.calls // 10, given.calls):
        server = ServerProcess("--max-seconds", "3600")
        with server, tempfile.TemporaryDirectory() as scratch:
            for name in ("asked", "resumed"):
                last = session(calls, Path(scratch), server.model_uri())
                peaks.append(last["peak_mb"])
                speed = calls / last["wall_s"]
                row = (last["wall_s"], last["cpu_s"] / calls * 1000, speed, round(peaks[-1]))
                rows.append((f"{calls:,} calls, {name}", *row, last["bytes"] / calls))
    columns = (
        "session",
        "seconds",
        "CPU-s per 1,000",
        "calls/s",
        "peak MB",
        "bytes a call",
    )
    record.table("recipe `complete`, local server without latency, concurrency 256", columns, rows)
    record.note("Seconds are of the whole session, its report and data files included.")
    if given.calls < MILLION:
        record.note(f"Up to {given.calls:,} calls here; `--calls {MILLION}` measures a million.")
    record.ratio("replay: calls/s handed over from the journal", given.calls / last["wall_s"])
    record.ratio("replay: journal bytes per call", last["bytes"] / given.calls)
    name = f"replay: MB per 1,000 more records, from {given.calls // 10:,} to {given.calls:,}"
    more = (given.calls - given.calls // 10) / 1000
    record.ratio(f"{name}, asked", (peaks[2] - peaks[0]) / more)
    record.ratio(f"{name}, resumed", (peaks[3] - peaks[1]) / more)
    record.write(given.json)


if __name__ == "__main__":
    main()
