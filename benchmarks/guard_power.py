"""How often the guard flags a planted collapse by round 2, and how often it alarms for nothing.

    python benchmarks/guard_power.py                # 100 runs, m = 300: some CPU-minutes
    python benchmarks/guard_power.py --runs 20 --m 500

Every run makes up its own language and human reference and loops twice over each plant: round 0 is
healthy, rounds 1 and 2 turn the knob (`selfsown.guard.simulate.planted` says how far). Goals: each
plant flagged by round 2 in at least 95 of 100 runs, at most 5 alarms in 100 healthy rounds. Exits 1
where they are missed. Times are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import sys
import time

from selfsown.guard.sample import Settings
from selfsown.guard.simulate.power import Caught, caught, trials

LEAST_FLAGGED, MOST_FALSE = 0.95, 0.05


def main() -> int:
    """Run the trials and print one line per plant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--m", type=int, default=300, help="rows of a sample")
    parser.add_argument("--replicates", type=int, default=40)
    given = parser.parse_args()
    settings = Settings(m=given.m, replicates=given.replicates)
    start = time.process_time()
    found = list(trials(range(given.runs), settings))
    print(f"{given.runs} runs, m = {given.m}, {time.process_time() - start:.0f} CPU-s")
    print(f"{'plant':<20}{'round 1':>9}{'by round 2':>12}{'stopped':>9}  rules that alarmed")
    return 0 if all([_line(one) for one in caught(found)]) else 1


def _line(one: Caught) -> bool:
    """Print the line of one plant; whether its goal is met."""
    named = ", ".join(f"{rule} {count}" for rule, count in one.rules) or "none"
    shares = f"{one.first_round:>9.0%}{one.flagged:>12.0%}{one.stopped:>9.0%}"
    print(f"{one.plant:<20}{shares}  {named}")
    if one.plant != "healthy":
        return one.flagged >= LEAST_FLAGGED
    print(f"false alarms in healthy rounds: {one.alarmed_rounds:.1%}")
    return one.alarmed_rounds <= MOST_FALSE


if __name__ == "__main__":
    sys.exit(main())
