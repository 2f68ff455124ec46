"""What clients and engines add to a call: CPU seconds per 1,000 calls, beside a bare aiohttp loop.

All make the same short chat calls to a local server, each in its own process and environment, in
turn: (a) a server that answers at once, (b) log-normal latency, median 300 ms, concurrency 256.
selfsown runs recipe `complete` with everything on: journal, budget, limits, progress counters.
The other engines are pinned in `benchmarks/peers/peers.toml` and installed by this program.

    python -m benchmarks.calls [--calls 5000] [--repeat 5] [--slow-repeat 1] [--only openai curator]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers import FOLDER, Peer, peers
from benchmarks.record import Record

from selfsown.testing.process import ServerProcess

CONCURRENCY = 256
FAST = ("selfsown", "engine", "bare", "openai")
"""These are repeated `--repeat` times, the engines `--slow-repeat` times."""
OURS = ("selfsown", "bare", "engine")
"""`engine` is selfsown without HTTP."""
LIMIT_S = 600
UNUSUAL = frozenset({"PYTHONDONTWRITEBYTECODE"})
"""Not handed on: an installed program finds itself, and templates it fills, compiled."""
SCENARIOS = {
    "a": ("no latency", ()),
    "b": ("log-normal latency, median 300 ms", ("--latency-median-s", "0.3")),
}
Figures = Mapping[str, float]


def contend(script: Path, python: str, latency: tuple[str, ...], calls: int) -> Figures | str:
    """Figures of one contender in a child process against a fresh server, or why there are none."""
    server = ServerProcess("--max-seconds", str(LIMIT_S + 60), *latency)
    with server, tempfile.TemporaryDirectory() as scratch:
        command = [python, str(script), server.url, str(calls), str(CONCURRENCY), scratch]
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=scratch,
            env={name: os.environ[name] for name in os.environ if name not in UNUSUAL},
            start_new_session=True,
        )
        try:
            said, errors = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"had not ended after {LIMIT_S} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and what it may have left behind
            child.wait()
        if child.returncode:
            return (errors.strip().splitlines() or ["no message"])[-1][:200]
        figures: dict[str, float] = json.loads(said.strip().splitlines()[-1])
        seen = server.counters(bodies=False)
        return figures | {key: seen[key] for key in ("requests", "mean_in_flight")}


def measure(
    scripts: Mapping[str, tuple[Path, str]], latency: tuple[str, ...], given: argparse.Namespace
) -> tuple[dict[str, list[Figures]], dict[str, str]]:
    """Figures of every contender, interleaved, and the reasons of those that failed."""
    found: dict[str, list[Figures]] = {name: [] for name in scripts}
    failed: dict[str, str] = {}
    for turn in range(max(given.repeat, given.slow_repeat)):
        for name, (script, python) in scripts.items():
            if turn >= (given.repeat if name in FAST else given.slow_repeat) or name in failed:
                continue
            result = contend(script, python, latency, given.calls)
            if isinstance(result, str):
                failed[name] = result
            else:
                found[name].append(result)
                print(f"  {name} {turn + 1}: {result}", file=sys.stderr)
    return {name: results for name, results in found.items() if results}, failed


def median(results: list[Figures]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(each[key] for each in results) for key in results[0]}


def show(record: Record, title: str, found: Mapping[str, list[Figures]], calls: int) -> None:
    """The table of one scenario, cheapest first, and its ratios."""
    medians = {name: median(results) for name, results in found.items()}
    bare = medians["bare"]["cpu_s"]
    rows = [
        (
            name,
            each["cpu_s"] / calls * 1000,
            f"{each['cpu_s'] / bare:.2f}",
            calls / each["wall_s"],
            round(each["mean_in_flight"]),
            round(each["peak_mb"]),
            f"{each['startup_s']:.2f}",
            round(calls - each["rows"]),
            round(each["requests"] - calls),
            len(found[name]),
        )
        for name, each in sorted(medians.items(), key=lambda item: item[1]["cpu_s"])
        if name != "engine"
    ]
    columns = ("client", "CPU-s per 1,000", "of bare", "calls/s", "mean in flight", "peak MB")
    more = ("start-up CPU-s", "rows lost", "calls beyond one a row", "runs")
    record.table(title, (*columns, *more), rows)


def goals(record: Record, letter: str, medians: Mapping[str, Figures], calls: int) -> None:
    """The ratios of one scenario against what was set out."""
    own, bare = medians["selfsown"]["cpu_s"], medians["bare"]["cpu_s"]
    record.ratio(f"calls ({letter}): CPU, selfsown / bare aiohttp loop", own / bare, at_most=1.6)
    per_1000 = own / calls * 1000
    record.ratio(f"calls ({letter}): client CPU-s per 1,000 calls", per_1000, at_most=0.35)
    engines = {name: each["cpu_s"] for name, each in medians.items() if name not in FAST}
    if engines:
        best = min(engines, key=lambda name: engines[name])
        name = f"calls ({letter}): CPU, selfsown / best engine ({best})"
        record.ratio(name, own / engines[best], at_most=1 / 6)
    if "openai" in medians:
        name = f"calls ({letter}): CPU, selfsown / loop over the OpenAI SDK"
        record.ratio(name, own / medians["openai"]["cpu_s"])
    if letter == "b":
        flying = medians["selfsown"]["mean_in_flight"]
        record.ratio("calls (b): mean in flight of 256", flying, at_least=200)
    where(record, letter, medians, calls)


def where(record: Record, letter: str, medians: Mapping[str, Figures], calls: int) -> None:
    """What of selfsown's CPU goes where, found by leaving parts out."""
    own, engine = medians["selfsown"], medians["engine"]
    journal, pages = engine["cpu_s"] - engine["main_s"], engine["page_s"]
    parts = {
        "HTTP client (with it less without it)": own["cpu_s"] - engine["cpu_s"],
        "journal's thread: checksums, SQLite, fsync": journal,
        "report and card, once, after the calls": pages,
        "all else: recipe, flow, keys, limits, budget, records, data files": engine["cpu_s"]
        - journal
        - pages,
        "selfsown": own["cpu_s"],
        "the bare loop, for comparison": medians["bare"]["cpu_s"],
    }
    rows = [
        (part, 1e6 * cpu_s / calls, f"{cpu_s / own['cpu_s']:.0%}") for part, cpu_s in parts.items()
    ]
    record.table(f"({letter}) where it goes", ("part", "CPU-µs a call", "share"), rows)
    left = 1.6 * medians["bare"]["cpu_s"] - (own["cpu_s"] - engine["cpu_s"]) - journal - pages
    record.note(
        f"At 1.6 times the bare loop {1e6 * left / calls:.0f} µs a call would be left for all else."
    )


def contenders(record: Record, installed: list[Peer]) -> dict[str, tuple[Path, str]]:
    """Script and interpreter by name; absent peers become notes."""
    scripts = {name: (FOLDER / f"{name}_loop.py", sys.executable) for name in OURS}
    for peer in installed:
        if peer.python is None:
            record.note(f"{peer.name} ({', '.join(peer.packages)}) is absent: {peer.absent}")
        else:
            record.note(f"{peer.name}: {peer.about} ({', '.join(peer.packages)}).")
            scripts[peer.name] = (peer.script, str(peer.python))
    return scripts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--slow-repeat", type=int, default=1, help="for engines that take minutes")
    parser.add_argument("--only", nargs="+", help="these peers alone")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Calls: what clients and engines cost", repetitions=given.repeat)
    scripts = contenders(record, peers(given.only or ()))
    for letter, (latency, arguments) in SCENARIOS.items():
        found, failed = measure(scripts, arguments, given)
        title = f"({letter}) {latency}: {given.calls:,} calls at concurrency {CONCURRENCY}"
        show(record, title, found, given.calls)
        for name, reason in failed.items():
            record.note(f"{name} has no figures in ({letter}): {reason}")
        goals(record, letter, {name: median(each) for name, each in found.items()}, given.calls)
    record.write(given.json)


if __name__ == "__main__":
    main()
