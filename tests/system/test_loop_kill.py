"""Claim: a loop killed at any stage with SIGKILL ends by the same command as if never killed.

Calls are counted on both sides: what each process asked its models, written down before it was
asked (`witness`), and what the journals of generation, audit and evaluations hold.
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.system import witness
from tests.system.loops import STEPS, journals, results, small_loop
from tests.system.nursery import Nursery
from tests.system.processes import write_config

from selfsown.core.journal import JOURNAL_NAME
from selfsown.loop.places import LoopPlaces
from selfsown.models.lab import WEIGHTS
from selfsown.train.checkpoints import step_of

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (WEIGHTS / "model.safetensors").exists(), reason="the lab weights are not here"
    ),
]

ROUNDS = 2
WARM = (
    "tests.system.warm_trainings",
    "tests.system.witness",
    "numpy",
    "safetensors.torch",
    "selfsown.cli.loop",
    "selfsown.loop.rounds",
    "selfsown.models.lab",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(frozen=True)
class Moment:
    """When to kill: once so much of a stage is done, and a delay later."""

    stage: str
    sent: int = 0
    """Calls of the stage that were sent."""
    answered: int = 0
    """Calls in the stage's journal."""
    checkpoint: int = 0
    """Step after which one is being written, or was."""
    delay_s: float = 0.0


def stages(out: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Every stage of a loop, in order, with what says whether it is done."""
    places = LoopPlaces(out)
    yield "evaluate base", (places.base_scores / "results.json").exists
    for number in range(ROUNDS):
        one = places.round(number)
        yield f"generate {number}", (one.run / "manifest.json").exists
        yield f"curate {number}", one.curated.exists
        yield f"audit {number}", (one.audit / "manifest.json").exists
        yield f"guard {number}", (one.home / "guard.json").exists
        yield f"train {number}", (one.model / "training.json").exists
        yield f"evaluate {number}", (one.scores / "results.json").exists
        yield f"end {number}", one.ending.exists
        yield f"summary {number}", partial(is_on_page, places, number)
    yield "exit", lambda: False


def is_on_page(places: LoopPlaces, number: int) -> bool:
    """Whether the page has a round."""
    if not places.numbers.exists():
        return False
    (loop,) = json.loads(places.numbers.read_bytes())["loops"]
    return len(loop["rounds"]) > number


ORDER = [name for name, _ in stages(Path())]


def place(out: Path) -> int:
    """Of the first stage that is not done, in `ORDER`."""
    return next(number for number, (_, is_done) in enumerate(stages(out)) if not is_done())


def moments(rng: random.Random) -> list[Moment]:
    """Ten, at random places of every stage that takes time."""
    return [
        Moment("evaluate base", answered=rng.randint(1, 8)),
        Moment("generate 0", answered=rng.randint(1, 8), delay_s=rng.uniform(0, 0.05)),
        Moment("audit 0", sent=rng.randint(1, 8)),
        Moment("guard 0", delay_s=rng.uniform(0, 0.1)),
        Moment("train 0", delay_s=rng.uniform(0, 0.6)),
        Moment("train 0", checkpoint=rng.randint(1, STEPS - 2), delay_s=rng.uniform(0, 0.3)),
        Moment("evaluate 0", sent=rng.randint(1, 12), delay_s=rng.uniform(0, 0.05)),
        Moment("end 0"),
        Moment("generate 1", sent=rng.randint(1, 10), delay_s=rng.uniform(0, 0.2)),
        Moment("train 1", checkpoint=STEPS - 1, delay_s=rng.uniform(0, 0.3)),
    ]


@dataclass
class Session:
    """One process that was killed."""

    moment: Moment
    landed: str
    before: frozenset[str]
    sent: list[str]
    after: frozenset[str]

    @property
    def lost(self) -> set[str]:
        """Sent and not committed."""
        return set(self.sent) - self.after


@dataclass
class Watched:
    """A loop, the processes that work on it, and what they ask."""

    nursery: Nursery
    config: Path
    out: Path
    record: Path
    """What the witness wrote."""

    def start(self) -> int:
        """Start the command; how many calls were sent before."""
        before = len(self.sent())
        self.nursery.start("loop", self.config, "--quiet")
        return before

    def finish(self) -> list[str]:
        """Run to the end; the calls that were sent."""
        before = self.start()
        assert self.nursery.wait(300) == 0
        return self.sent()[before:]

    def sent(self) -> list[str]:
        """Names of all calls that were ever sent."""
        return self.record.read_text().splitlines() if self.record.exists() else []

    def kill(self, moment: Moment) -> Session:
        """Start, kill at the moment, and see what is there."""
        before, asked = committed(self.out), self.start()
        since: int | None = None
        while since is None or not self._has_come(moment, since):
            assert self.nursery.wait(0.001) is None, f"it ended before {moment}"
            if since is None and place(self.out) >= ORDER.index(moment.stage):
                since = len(self.sent())
        assert self.nursery.wait(moment.delay_s) is None, f"it ended before {moment}"
        assert self.nursery.kill() == -9
        return Session(
            moment, ORDER[place(self.out)], before, self.sent()[asked:], committed(self.out)
        )

    def _has_come(self, moment: Moment, since: int) -> bool:
        """Whether enough of the stage's calls or checkpoints are made, or it is over."""
        if place(self.out) > ORDER.index(moment.stage):
            return True
        if moment.checkpoint:
            number = int(moment.stage.rpartition(" ")[2])
            folder = LoopPlaces(self.out).round(number).model / "training/checkpoints"
            return any(step_of(one) >= moment.checkpoint for one in folder.glob("checkpoint-*"))
        answered = answers(self.out, moment.stage) if moment.answered else 0
        return len(self.sent()) - since >= moment.sent and answered >= moment.answered


def answers(out: Path, stage: str) -> int:
    """How many outcomes the journal of a stage holds, while a process may write to it."""
    verb, number = stage.split()
    places = LoopPlaces(out)
    if number == "base":
        folder = places.base_scores
    else:
        one = places.round(int(number))
        folder = {"generate": one.run, "audit": one.audit, "evaluate": one.scores}[verb]
    uri = f"file:{folder / JOURNAL_NAME}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as journal:
            return int(journal.execute("SELECT count(*) FROM outcomes").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # it is not there yet


def committed(out: Path) -> frozenset[str]:
    """Names of all calls with an outcome in any journal; each has one, in one journal."""
    counts = sum(journals(out).values(), Counter())
    assert not counts or max(counts.values()) == 1
    return frozenset(counts)


def table(sessions: Sequence[Session], total: Counter[str]) -> str:
    """One line per kill."""
    lines = [f"{'killed in':>14} {'committed':>10} {'asked':>6} {'lost':>5} {'seen twice':>11}"]
    for one in sessions:
        twice = sum(total[name] > 1 for name in one.lost)
        numbers = f"{len(one.after):>10} {len(one.sent):>6} {len(one.lost):>5} {twice:>11}"
        lines.append(f"{one.landed:>14} {numbers}")
    return "\n".join(lines)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    variables = {witness.FILE: str(tmp_path / "asked.txt"), "OMP_NUM_THREADS": "1"}
    with Nursery(*WARM, **variables) as nursery:
        yield nursery


def test_a_loop_killed_10_times_ends_as_if_never_killed(tmp_path: Path, nursery: Nursery) -> None:
    out = tmp_path / "loop"
    config = write_config(tmp_path / "loop.yaml", {**small_loop(rounds=ROUNDS), "out": str(out)})
    loop = Watched(nursery, config, out, tmp_path / "asked.txt")

    started = time.monotonic()
    once = loop.finish()
    took = time.monotonic() - started
    assert len(once) == len(set(once))
    assert set(once) == committed(out)
    whole, calls = results(out), journals(out)
    assert loop.finish() == [], "a finished loop asked again"
    out.rename(tmp_path / "whole")  # the other has its place, so that paths in files agree
    loop.record.unlink()

    rng = random.Random(11)
    sessions = [loop.kill(moment) for moment in moments(rng)]
    last = loop.finish()
    for one in sessions:
        assert one.before <= one.after, "a committed call is gone"
        assert one.after - one.before <= set(one.sent), "an outcome without a call"
        assert not one.before & set(one.sent), "a committed call was asked again"
        assert len(one.sent) == len(set(one.sent)), "a call was asked twice by one process"
    assert not sessions[-1].after & set(last)
    total = Counter(loop.sent())
    lost = sum(len(one.lost) for one in sessions)
    assert total.total() - len(total) <= lost
    assert journals(out) == calls
    assert results(out) == whole
    assert loop.finish() == []
    landed = {one.landed.rpartition(" ")[0] for one in sessions}
    assert {"evaluate", "generate", "guard", "train"} <= landed
    print(
        f"\na loop of {ROUNDS} rounds, {len(once)} calls, {took:.0f} s; killed {len(sessions)}"
        f" times, {lost} calls sent and not committed, {total.total() - len(total)} seen twice\n"
        + table(sessions, total)
    )
