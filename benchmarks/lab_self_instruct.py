"""What Self-Instruct makes on the lab, judged by the oracle: a line per run and run seed.

The real recipe with its default options, from the lab's first 25 seeds, and with `--votes` the same
with votes on its instances beside it. Printed as rates: accepted instructions that are tasks of the
world, those that are compositions never seen in pretraining, and instances that are right: as read
from the answers, after the filters, after the votes. Then what the votes cost: calls, tokens and
CPU time as multiples of the same run seed without them.

    python -m benchmarks.lab_self_instruct [--target 300] [--seeds 1 2 3] [--votes 3 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import Record

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

    def row(self, base: Cost) -> tuple[str, ...]:
        """Calls, tokens and CPU seconds, each with how many times those of another run it is."""
        return (
            f"{self.calls:,} ({self.calls / base.calls:.2f})",
            f"{self.tokens:,} ({self.tokens / base.tokens:.2f})",
            f"{self.cpu_s:.0f} ({self.cpu_s / base.cpu_s:.2f})",
        )


def judged(result: selfsown.RunResult) -> tuple[str, ...]:
    """The oracle's rates for one run, as cells."""
    kept: list[Row] = list(result.accepted)
    instructions = sorted({str(record["instruction"]) for record in kept})
    tasks = [text for text in instructions if oracle.parse(text) is not None]
    unseen = sum(oracle.is_unseen(text) for text in tasks)
    lost = [line for line in result.rejected if line["stage"] == "instances"]
    outvoted = [line["record"] for line in lost if line["reason"] == "votes_disagree"]
    dropped = [line["record"] for line in lost if line["reason"] != "votes_disagree"]
    read = [record for record in dropped if "output" in record]
    steps = ([*kept, *outvoted, *read], [*kept, *outvoted], kept)
    return (
        str(len(instructions)),
        f"{len(tasks) / len(instructions):.3f}",
        f"{unseen / len(instructions):.3f}",
        *(f"{oracle.right_count(step) / len(step):.3f} of {len(step)}" for step in steps),
    )


def measured(model: str, target: int, seed: int, votes: int) -> tuple[tuple[str, ...], Cost]:
    """One run, its rates and its cost."""
    with tempfile.TemporaryDirectory() as scratch:
        cpu = time.process_time()
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
        cpu = time.process_time() - cpu
        told = result.manifest["run"]
        tokens = told["input_tokens"] + told["output_tokens"]
        return judged(result), Cost(told["calls"], tokens, cpu)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--votes", type=int, nargs="*", default=[])
    parser.add_argument("--model", default="lab")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Self-Instruct on the lab, judged by its oracle")
    rows = []
    for seed in given.seeds:
        base: Cost | None = None
        for votes in (0, *given.votes):
            cells, cost = measured(given.model, given.target, seed, votes)
            base = base or cost
            rows.append((seed, votes, *cells, *cost.row(base)))
    columns = ("seed", "votes", "instructions", "tasks", "unseen", "right as read")
    more = ("right after filters", "right after votes", "calls", "tokens", "CPU-s")
    record.table(f"target {given.target}", (*columns, *more), rows)
    record.note(
        "Tasks and unseen compositions are shares of the instructions; right is a share of the "
        "instances; in brackets, how many times the run of that seed without votes."
    )
    record.write(given.json)


if __name__ == "__main__":
    main()
