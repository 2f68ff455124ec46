"""A run against an endpoint that misbehaves: nothing lost, nothing asked in vain.

`python -m benchmarks.faults [ROWS]` prints the table. A local server injects 2 % 429, 1 % 500,
0.5 % hangs and 1 % malformed JSON; in a second run 1 % of the requests meet a 400 every time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time

from benchmarks.record import Cell, Record

from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.offline import replay
from selfsown.runner import RunResult, arun
from selfsown.testing.faults import Faults
from selfsown.testing.server import LocalServer, ServerOptions

TRANSIENT = Faults(rate_limit=0.02, server_error=0.01, hang=0.005, malformed=0.01)
PERMANENT = Faults(bad_request=0.01)
TIMEOUT_S = 2.0
"""Of one attempt, so that hangs cost seconds and not the default's minutes."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    result: RunResult
    requests: int
    """Calls that the server saw."""
    faults: Counter[str]
    """Faults that it injected, by name."""
    attempts: Counter[str]
    """Attempts in the journal, by how they ended."""
    calls: int
    """Outcomes in the journal."""
    wall_s: float
    cpu_s: float

    @property
    def ended(self) -> dict[str, int]:
        """How the rows ended."""
        result = self.result
        return {
            "accepted": len(result.accepted),
            "rejected": len(result.rejected),
            "failed": len(result.failed),
        }


async def bulk(server: LocalServer, out: Path, rows: int, *, retry_failed: bool = False) -> Outcome:
    """`complete` over `rows` rows, against a server whose counters start at nothing."""
    server.counters.reset()
    began, cpu = monotonic(), process_time()
    result = await arun(
        "complete",
        rows=({"n": n} for n in range(rows)),
        prompt="Say {{ n }}.",
        model=server.model_uri(),
        out=out,
        concurrency=128,
        limits={"timeout_s": TIMEOUT_S, "resend": 0},
        retry_failed=retry_failed,
    )
    wall_s, cpu_s = monotonic() - began, process_time() - cpu
    counters = server.counters
    journal = Journal(out / JOURNAL_NAME, read_only=True)
    try:
        attempts = Counter(str(row[4]) for row in journal.rows("attempts"))
        calls = journal.scalar("SELECT count(*) FROM outcomes WHERE kind='call'")
    finally:
        journal.close()
    requests, faults = counters.request_count, Counter(counters.by_fault)
    return Outcome(result, requests, faults, attempts, calls, wall_s, cpu_s)


def misbehaving(faults: Faults) -> ServerOptions:
    """A server with these faults."""
    return ServerOptions(faults=faults, latency_median_s=0.02, retry_after_s=0.2)


def row(title: str, outcome: Outcome) -> tuple[Cell, ...]:
    """One line of the table."""
    injected = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items()))
    return (title, outcome.requests, injected or "none", *outcome.ended.values(), outcome.wall_s)


async def measure(record: Record, rows: int) -> bool:
    """Fill in the table; whether nothing was lost and nothing asked in vain."""
    lines = []
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "transient"
        async with LocalServer(misbehaving(TRANSIENT)) as server:
            outcome = await bulk(server, out, rows)
            lines.append(row("faults that pass", outcome))
            again = await bulk(server, out, rows)
            lines.append(row("the same command again", again))
        found = await asyncio.to_thread(replay, out)
        lost = rows - outcome.ended["accepted"]
        in_vain = again.requests

        out = Path(home) / "permanent"
        async with LocalServer(misbehaving(PERMANENT)) as server:
            outcome = await bulk(server, out, rows)
            lines.append(row("1 % get a 400 every time", outcome))
            failed = outcome.ended["failed"]
            lost += abs(failed - outcome.faults["bad_request"])
            again = await bulk(server, out, rows)
            lines.append(row("the same command again", again))
            in_vain += again.requests
        async with LocalServer(misbehaving(Faults())) as server:
            mended = await bulk(server, out, rows, retry_failed=True)
            lines.append(row("mended server, --retry-failed", mended))
            in_vain += abs(mended.requests - failed)
            lost += mended.ended["failed"]
    columns = ("run", "requests", "injected", "accepted", "rejected", "failed", "seconds")
    record.table(f"{rows:,} rows at concurrency 128, time-out of an attempt 2 s", columns, lines)
    record.note(f"Replay of the first run without a server: identical is {found.identical}.")
    kept = record.ratio("faults: rows lost", lost, at_most=0)
    return record.ratio("faults: calls asked in vain", in_vain, at_most=0) and kept


def main() -> None:
    """Command line; exits 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=5000)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Faults: an endpoint that misbehaves")
    fine = asyncio.run(measure(record, given.rows))
    record.write(given.json)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
