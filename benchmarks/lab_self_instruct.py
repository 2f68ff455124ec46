"""What Self-Instruct makes on the lab, judged by the oracle: one line per run seed.

The real recipe with its default options, from the lab's first 25 seeds. Printed as rates: accepted
instructions that are tasks of the world, those that are compositions never seen in pretraining, and
instances that are right.

    python benchmarks/lab_self_instruct.py [--target 300] [--seeds 1 2 3] [--model lab]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import selfsown
from selfsown.lab import oracle


def judged(result: selfsown.RunResult) -> str:
    """The oracle's rates for one run, as text."""
    records = list(result.accepted)
    instructions = sorted({str(record["instruction"]) for record in records})
    tasks = [text for text in instructions if oracle.parse(text) is not None]
    unseen = sum(oracle.is_unseen(text) for text in tasks)
    right = sum(
        oracle.check(record["instruction"], record["input"], record["output"]).is_correct
        for record in records
    )
    stages = {stage["stage"]: stage for stage in result.manifest["data"]["stages"]}
    return (
        f"{len(instructions)} instructions  tasks {len(tasks) / len(instructions):.3f}"
        f"  unseen {unseen / len(instructions):.3f}"
        f"  {len(records)} instances  right {right / len(records):.3f}"
        f"  {stages['completions']['in']} lists  {stages['instructions']['in']} candidates"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--model", default="lab")
    given = parser.parse_args()
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            began = time.perf_counter()
            result = selfsown.run(
                "self-instruct",
                model=given.model,
                seeds="lab:25",
                target=given.target,
                seed=seed,
                out=Path(scratch) / "run",
            )
            seconds = time.perf_counter() - began
            print(f"seed {seed}: {result.stop}  {judged(result)}  {seconds:.0f} s")


if __name__ == "__main__":
    main()
