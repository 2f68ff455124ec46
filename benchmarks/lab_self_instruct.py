"""What Self-Instruct makes on the lab, judged by the oracle: one line per run and run seed.

The real recipe with its default options, from the lab's first 25 seeds, and with `--votes` the same
with votes on its instances beside it. Printed as rates: accepted instructions that are tasks of the
world, those that are compositions never seen in pretraining, and instances that are right: as read
from the answers, after the filters, after the votes. Then what the votes cost: calls, tokens and
CPU time as multiples of the same run seed without them.

    python benchmarks/lab_self_instruct.py [--target 300] [--seeds 1 2 3] [--votes 3 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import selfsown
from selfsown.lab import oracle

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """What a run used."""

    calls: int
    tokens: int
    """Of prompts and answers."""
    cpu_s: float
    wall_s: float

    def text(self, base: Cost) -> str:
        """The figures, and how many times those of another run they are."""
        return (
            f"{self.calls} calls ({self.calls / base.calls:.2f}x)"
            f"  {self.tokens} tokens ({self.tokens / base.tokens:.2f}x)"
            f"  {self.cpu_s:.0f} CPU s ({self.cpu_s / base.cpu_s:.2f}x)  {self.wall_s:.0f} s"
        )


def precision(records: Iterable[Row]) -> tuple[float, int]:
    """Share of right instances, and how many there are."""
    grades = [oracle.check(r["instruction"], r["input"], r["output"]) for r in records]
    return sum(grade.is_correct for grade in grades) / len(grades), len(grades)


def judged(result: selfsown.RunResult) -> list[str]:
    """The oracle's rates for one run, as lines."""
    kept: list[Row] = list(result.accepted)
    instructions = sorted({str(record["instruction"]) for record in kept})
    tasks = [text for text in instructions if oracle.parse(text) is not None]
    unseen = sum(oracle.is_unseen(text) for text in tasks)
    lost = [line for line in result.rejected if line["stage"] == "instances"]
    outvoted = [line["record"] for line in lost if line["reason"] == "votes_disagree"]
    dropped = [line["record"] for line in lost if line["reason"] != "votes_disagree"]
    read = [record for record in dropped if "output" in record]
    stages = {stage["stage"]: stage for stage in result.manifest["data"]["stages"]}
    lines = [
        f"{len(instructions)} instructions  tasks {len(tasks) / len(instructions):.3f}"
        f"  unseen {unseen / len(instructions):.3f}"
        f"  {stages['completions']['in']} lists  {stages['instructions']['in']} candidates"
        f"  {stages['tasks']['in']} asked for instances"
    ]
    steps = {"as read": [*kept, *outvoted, *read], "after filters": [*kept, *outvoted]}
    steps |= {"after votes": kept} if outvoted else {}
    for name, records in steps.items():
        right, count = precision(records)
        share = count / len(steps["as read"])
        lines.append(f"  {name:13s}  right {right:.3f}  {count} instances ({share:.3f} of all)")
    return lines


def measured(model: str, target: int, seed: int, votes: int) -> tuple[list[str], Cost]:
    """One run, its rates and its cost."""
    with tempfile.TemporaryDirectory() as scratch:
        wall, cpu = time.perf_counter(), time.process_time()
        result = selfsown.run(
            "self-instruct",
            model=model,
            seeds="lab:25",
            target=target,
            seed=seed,
            order="strict",
            answer_votes=votes,
            out=Path(scratch) / "run",
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        told = result.manifest["run"]
        tokens = told["input_tokens"] + told["output_tokens"]
        name = f"{votes} votes" if votes else "no votes"
        first, *lines = judged(result)
        lines = [f"seed {seed}, {name}: {result.stop}  {first}", *lines]
        return lines, Cost(told["calls"], tokens, cpu, wall)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--votes", type=int, nargs="*", default=[])
    parser.add_argument("--model", default="lab")
    given = parser.parse_args()
    for seed in given.seeds:
        base: Cost | None = None
        for votes in (0, *given.votes):
            lines, cost = measured(given.model, given.target, seed, votes)
            base = base or cost
            print("\n".join([*lines, f"  {cost.text(base)}"]), flush=True)


if __name__ == "__main__":
    main()
