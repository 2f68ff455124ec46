"""How often the guard flags a planted collapse by round 2, and how often it alarms for nothing.

    python -m benchmarks.guard_power                # 100 runs, m = 300: some CPU-minutes
    python -m benchmarks.guard_power --runs 20 --m 500

Every run makes up its own language and human reference and loops twice over each plant: round 0 is
healthy, rounds 1 and 2 turn the knob (`selfsown.guard.simulate.planted` says how far). Goals: each
plant flagged by round 2 in at least 95 of 100 runs, at most 5 alarms in 100 healthy rounds. Exits 1
where they are missed. Times are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.record import Record

from selfsown.guard.sample import Settings
from selfsown.guard.simulate.power import Caught, caught, trials

LEAST_FLAGGED, MOST_FALSE = 0.95, 0.05


def main() -> int:
    """Run the trials and print one line per plant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--m", type=int, default=300, help="rows of a sample")
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Guard: planted collapses and healthy rounds")
    settings = Settings(m=given.m, replicates=given.replicates)
    start = time.process_time()
    results = caught(list(trials(range(given.runs), settings)))
    record.table(
        f"{given.runs} runs, m = {given.m}, {time.process_time() - start:.0f} CPU-s",
        ("plant", "in round 1", "by round 2", "stopped", "rules that alarmed"),
        [_row(one) for one in results],
    )
    met = [_goal(record, one) for one in results]
    record.write(given.json)
    return 0 if all(met) else 1


def _row(one: Caught) -> tuple[str, ...]:
    named = ", ".join(f"{rule} {count}" for rule, count in one.rules) or "none"
    shares = (f"{share:.0%}" for share in (one.first_round, one.flagged, one.stopped))
    return (one.plant, *shares, named)


def _goal(record: Record, one: Caught) -> bool:
    if one.plant != "healthy":
        name = f"guard: `{one.plant}` flagged by round 2"
        return record.ratio(name, one.flagged, at_least=LEAST_FLAGGED)
    return record.ratio("guard: alarms per healthy round", one.alarmed_rounds, at_most=MOST_FALSE)


if __name__ == "__main__":
    sys.exit(main())
