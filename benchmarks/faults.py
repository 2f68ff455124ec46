"""A run against an endpoint that misbehaves: nothing lost, nothing asked in vain.

`python benchmarks/faults.py [CALLS]` prints the table. A local server injects 2 % 429, 1 % 500,
0.5 % hangs and 1 % malformed JSON; in a second run 1 % of the requests meet a 400 every time.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time

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


def print_outcome(title: str, outcome: Outcome) -> None:
    """One block of the table."""
    print(f"{title:<34}{outcome.requests:>7} requests  {outcome.wall_s:6.1f} s", end="")
    print(f"  {outcome.cpu_s:6.2f} CPU-s (server included)")
    for name, count in sorted(outcome.faults.items()):
        print(f"  injected {name:<23}{count:>7}   {count / max(1, outcome.requests):.2%}")
    for name, count in outcome.ended.items():
        print(f"  {name:<32}{count:>7}")


async def main(rows: int) -> None:
    """Print the table; exit 1 if anything was lost."""
    with tempfile.TemporaryDirectory() as home:
        out = Path(home) / "transient"
        async with LocalServer(misbehaving(TRANSIENT)) as server:
            outcome = await bulk(server, out, rows)
            print_outcome(f"transient faults, {rows} rows", outcome)
            again = await bulk(server, out, rows)
            print_outcome("the same command again", again)
        found = await asyncio.to_thread(replay, out)
        print(f"  replay without the server: identical is {found.identical}")
        lost = rows - sum(outcome.ended.values()) + outcome.ended["failed"] + again.requests

        out = Path(home) / "permanent"
        async with LocalServer(misbehaving(PERMANENT)) as server:
            outcome = await bulk(server, out, rows)
            print_outcome(f"1 % permanent 400, {rows} rows", outcome)
            failed = outcome.ended["failed"]
            lost += abs(failed - outcome.faults["bad_request"])
            again = await bulk(server, out, rows)
            print_outcome("the same command again", again)
            lost += again.requests
        async with LocalServer(misbehaving(Faults())) as server:
            mended = await bulk(server, out, rows, retry_failed=True)
            print_outcome("mended, with --retry-failed", mended)
            lost += abs(mended.requests - failed) + mended.ended["failed"]
    print("nothing lost, nothing asked in vain" if lost == 0 else f"WRONG by {lost}")
    sys.exit(lost != 0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
