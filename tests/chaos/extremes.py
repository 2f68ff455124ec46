"""What is rare and legal: clocks that jump, 10,000 open records, rows of 1 MB, long completions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from tests.chaos.plan import Plan, Table
from tests.system.processes import arrivals, call, start, write_config

from selfsown.core.clock import SystemClock
from selfsown.core.config import make_config
from selfsown.core.rundir import DATA_FILES, read_manifest
from selfsown.runner import Start, execute
from selfsown.testing.process import ServerProcess

TOKENS = 100_000
MEGABYTE = 1_000_000


def long_answer(body: Mapping[str, Any]) -> str:
    """Not quite 100,000 words, another one first for each prompt."""
    return f"{str(body['messages'][0]['content'])[:40]} " + "word " * (TOKENS - 10)


def tables(plan: Plan, home: Path) -> list[Table]:
    """All of it."""
    return [sizes(plan, home), asyncio.run(clocks(plan, home))]


def sizes(plan: Plan, home: Path) -> Table:
    """Runs of the command line that are large in one way each."""
    table = Table(
        "Sizes",
        (
            *("run", "rows", "most in flight", "wall s", "peak MB", "accepted", "lost"),
            *("asked twice", "replay differs", "exported"),
        ),
    )
    opened = plan.count(10_000, least=300)
    large = plan.count(30, least=3)
    text = "x" * MEGABYTE
    runs: Sequence[tuple[str, int, str, dict[str, Any], tuple[str, ...]]] = (
        (
            f"{opened} open records", opened, "{{ n }}",
            {"limits": {"concurrency": opened, "resend": 0}},
            ("--latency-median-s", "4", "--latency-sigma", "0"),
        ),
        ("rows of 1 MB", large, "{{ n }} {{ text }}", {"text": text}, ()),
        (
            f"completions of {TOKENS} tokens", large, "{{ n }}",
            {"max_tokens": 2 * TOKENS}, ("--answer", "tests.chaos.extremes:long_answer"),
        ),
    )  # fmt: skip
    for name, rows, prompt, more, arguments in runs:
        with ServerProcess("--model", "m", *arguments) as server:
            table.add(name, *large_run(home / name, server, rows, prompt, more))
        lost, twice, differs = (int(cell) for cell in table.rows[-1][6:9])
        table.check(lost == twice == differs == 0, name)
        table.check(table.rows[-1][9] == str(rows), f"{name}: export")
    table.check(int(table.rows[0][2]) >= opened * 0.9, "not all records were open at once")
    return table


def large_run(
    home: Path, server: ServerProcess, rows: int, prompt: str, more: dict[str, Any]
) -> Sequence[object]:
    """One run, its replay and its export."""
    home.mkdir()
    text = more.pop("text", "")
    given, out = home / "rows.jsonl", home / "run"
    given.write_bytes(b"".join(orjson.dumps({"n": n, "text": text}) + b"\n" for n in range(rows)))
    options = {"prompt": prompt, "max_tokens": more.pop("max_tokens", 64)}
    form = {
        "recipe": "complete", "rows": str(given), "options": options,
        "models": {"generator": server.model_uri("m")}, "out": str(out), **more,
    }  # fmt: skip
    began = time.monotonic()
    child = start("run", write_config(home / "run.yaml", form), "--quiet", "--yes")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.stderr is not None
    said = child.stderr.read()
    child.stderr.close()
    assert child.returncode == 0, said
    wall_s = time.monotonic() - began
    most = server.counters(bodies=False)["max_in_flight"]
    manifest: Any = read_manifest(out)
    (stage,) = manifest["data"]["stages"]
    seen = arrivals(server).total()
    replayed = call("replay", out, "--json")
    differs = replayed.returncode != 0 or not orjson.loads(replayed.stdout)["identical"]
    file = home / "train.jsonl"
    exported = call("export", out, "--format", "messages", "--no-decontaminate", "-o", file)
    assert exported.returncode == 0, exported.stderr
    lines = file.read_bytes().count(b"\n")
    lost = rows - stage["accepted"]
    return (
        rows, most, f"{wall_s:.1f}", f"{usage.ru_maxrss / 1024:.0f}", stage["accepted"], lost,
        seen - rows, int(differs), lines,
    )  # fmt: skip


class JumpingClock(SystemClock):
    """A wall clock that is set to anything at every look; durations stay right."""

    def __init__(self, plan: Plan) -> None:
        self._rng = plan.rng("clock")

    def stamp(self) -> str:
        days = self._rng.uniform(-20_000, 20_000)
        return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)).isoformat()


async def clocks(plan: Plan, home: Path) -> Table:
    """The same work under a steady clock and under ones that jump by decades."""
    table = Table("Clock jumps", ("runs", "stamps", "bytes differ", "replay differs", "again"))
    runs, wrong, differ, again = plan.count(20), 0, 0, 0
    with ServerProcess("--model", "m") as server:
        await clocked(home / "steady", server, SystemClock())
        expected = [(home / "steady" / name).read_bytes() for name in DATA_FILES]
        for number in range(runs):
            out = home / f"jumps{number}"
            clock = JumpingClock(Plan(plan.seed + number))
            await clocked(out, server, clock)
            seen = arrivals(server).total()
            await clocked(out, server, clock)
            again += arrivals(server).total() - seen
            wrong += [(out / name).read_bytes() for name in DATA_FILES] != expected
            replayed = await asyncio.to_thread(call, "replay", out, "--json")
            differ += replayed.returncode != 0
    table.add(runs, "each off by up to 55 years", wrong, differ, again)
    table.check(not (wrong or differ or again), "clock jumps")
    return table


async def clocked(out: Path, server: ServerProcess, clock: SystemClock) -> None:
    """A small run under a clock."""
    config = make_config(
        {
            "recipe": "complete",
            "options": {"prompt": "Say {{ n }}."},
            "models": {"generator": server.model_uri("m")},
            "budget": {"tokens": 1_000_000},
            "out": str(out),
        }
    )
    await execute(config, Start(clock=clock), rows=[{"n": n} for n in range(40)])
