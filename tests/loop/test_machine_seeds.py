"""Claim: a loop that feeds on itself goes on from its last tasks, also where a round wrote none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from selfsown.loop.config import LoopConfig, make_loop_config
from selfsown.loop.generate import write_machine_seeds
from selfsown.loop.places import LoopPlaces
from selfsown.recipes.seeds import read_seeds


def loop_of(out: Path, rounds: Sequence[int]) -> tuple[LoopConfig, LoopPlaces]:
    """A loop whose rounds wrote so many tasks."""
    places = LoopPlaces(out)
    for number, count in enumerate(rounds):
        run = places.round(number).run
        run.mkdir(parents=True)
        rows = (
            {
                "id": f"r{number}-{n}",
                "instruction": f"Name {n} birds.",
                "input": "",
                "output": "hen",
            }
            for n in range(count)
        )
        (run / "accepted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    form = {"seeds": "lab:25", "suites": ["lab-plain"], "demonstrations": "machine"}
    return make_loop_config({**form, "out": str(out)}), places


def started_from(out: Path, rounds: Sequence[int]) -> list[str] | None:
    """Ids of the seeds of the round that comes next; None if it starts from the human ones."""
    config, places = loop_of(out, rounds)
    earlier = [places.round(number) for number in range(len(rounds))]
    one = places.round(len(rounds))
    write_machine_seeds(config, earlier, one)
    return [task.id for task in read_seeds(str(one.seeds))] if one.seeds.exists() else None


def test_as_many_tasks_as_human_seeds_are_drawn_from_the_round_before(tmp_path: Path) -> None:
    found = started_from(tmp_path, [40, 60])
    assert found is not None and len(set(found)) == 25
    assert all(name.startswith("r1-") for name in found)


def test_a_round_that_wrote_nothing_is_passed_over(tmp_path: Path) -> None:
    assert sorted(started_from(tmp_path, [5, 3, 0, 0]) or []) == ["r1-0", "r1-1", "r1-2"]


def test_without_any_task_the_run_starts_from_the_human_seeds(tmp_path: Path) -> None:
    assert started_from(tmp_path, [0, 0]) is None
