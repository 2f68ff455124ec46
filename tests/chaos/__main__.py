"""`make chaos`, or `python -m tests.chaos [--seed N] [--only SECTION] [--share X]`: the tables.

Exit 1 if anything is not zero that should be. The whole takes about 40 minutes on two cores;
each section is bounded by its number of cases, and no case waits without an end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import corpora, disk, endpoint, extremes, fields, fuzz, kills, secrets
from tests.chaos.plan import Plan

SECTIONS = {
    "kills": kills.tables,
    "endpoint": endpoint.tables,
    "disk": disk.tables,
    "fuzz": fuzz.tables,
    "fields": fields.tables,
    "secrets": secrets.tables,
    "extremes": extremes.tables,
    "documents": corpora.tables,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser("python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of cases")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="may be repeated")
    parser.add_argument("--documents", action="append", type=Path, default=[], metavar="FOLDER")
    given = parser.parse_args()
    plan = Plan(given.seed, given.share, tuple(given.documents))
    began, wrong = time.monotonic(), 0
    print(f"chaos with seed {plan.seed}")
    for name in given.only or SECTIONS:
        with tempfile.TemporaryDirectory(prefix="chaos-") as home:
            for table in SECTIONS[name](plan, Path(home)):
                print(f"\n{table}", flush=True)
                wrong += len(table.wrong)
    said = "nothing is wrong" if not wrong else f"{wrong} things are WRONG"
    print(f"\n{said}; {time.monotonic() - began:.0f} s; again with: make chaos SEED={plan.seed}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
