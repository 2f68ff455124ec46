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
from collections import Counter

from selfsown.guard.sample import Settings
from selfsown.guard.simulate.planted import PLANTED
from selfsown.guard.simulate.power import Trial, trials

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
    return 0 if all([_line(plant, found) for plant in PLANTED]) else 1


def _line(plant: str, found: list[Trial]) -> bool:
    """Print the line of one plant; whether its goal is met."""
    mine = [trial for trial in found if trial.plant == plant]
    early = sum(trial.levels[0] != "pass" for trial in mine) / len(mine)
    flagged = sum(any(level != "pass" for level in trial.levels) for trial in mine) / len(mine)
    stopped = sum("stop" in trial.levels for trial in mine) / len(mine)
    rules = Counter(rule for trial in mine for rule in trial.rules).most_common(5)
    named = ", ".join(f"{rule} {count}" for rule, count in rules) or "none"
    print(f"{plant:<20}{early:>9.0%}{flagged:>12.0%}{stopped:>9.0%}  {named}")
    if plant != "healthy":
        return flagged >= LEAST_FLAGGED
    rounds = [level for trial in mine for level in trial.levels]
    false_rate = sum(level != "pass" for level in rounds) / len(rounds)
    print(f"false alarms in healthy rounds: {false_rate:.1%} of {len(rounds)}")
    return false_rate <= MOST_FALSE


if __name__ == "__main__":
    sys.exit(main())
