"""Claim: a preference loop killed in any stage with SIGKILL ends as if it had never been killed.

Killed are generation, scoring, training and the probe. The pairs are the same bytes and the trained
weights have the same hash; no call with a committed answer is sent again, neither to the policy (a
local model) nor to the judge (an endpoint).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.system import witness
from tests.system.nursery import Nursery
from tests.system.preference_loops import (
    ANSWERS,
    PROMPTS,
    SAMPLES,
    STEPS,
    committed,
    place,
    results,
    sent,
    stages,
    write_loop,
)

from selfsown.loop.preference.places import PreferencePlaces
from selfsown.testing.process import ServerProcess
from selfsown.train.checkpoints import step_of

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WARM = (
    "tests.system.warm_trainings",
    "tests.system.witness",
    "numpy",
    "safetensors.torch",
    "selfsown.cli.loop",
    "selfsown.loop.preference.rounds",
    "selfsown.models.lab",
    "selfsown.recipes.preference.recipe",
    "tokenizers",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.models.llama.tokenization_llama",
)
ORDER = [name for name, _ in stages(Path())]


@dataclass(frozen=True)
class Moment:
    """When to kill: once so much of a stage is done, and a delay later."""

    stage: str
    asked: int = 0
    """Calls of the policy that were sent since the stage began."""
    scored: int = 0
    """Calls to the judge since the stage began; the server keeps this one and later ones waiting,
    so that the stage cannot end."""
    checkpoint: int = 0
    """Step after which one is being written, or was."""
    delay_s: float = 0.0


def moments(rng: random.Random) -> list[Moment]:
    """At random places of generation, scoring and training."""
    answers, scores = PROMPTS * ANSWERS, PROMPTS * ANSWERS * SAMPLES
    return [
        Moment("answers 0", asked=rng.randint(1, answers - 2), delay_s=rng.uniform(0, 0.02)),
        Moment("answers 0", scored=rng.randint(1, scores // 6), delay_s=rng.uniform(0, 0.05)),
        Moment("train 0", delay_s=rng.uniform(0, 0.4)),
        Moment("answers 1", scored=rng.randint(1, scores // 2)),
        Moment("train 1", checkpoint=rng.randint(1, STEPS // 2), delay_s=rng.uniform(0, 0.02)),
        Moment("probe 1", scored=1),
    ]


@dataclass(frozen=True)
class Session:
    """One process, and what it asked."""

    landed: str
    """The stage in which it ended."""
    before: Counter[str]
    sent: Counter[str]
    after: Counter[str]

    @property
    def lost(self) -> Counter[str]:
        """Sent and not committed."""
        return self.sent - (self.after - self.before)


@dataclass
class Watched:
    """A loop, its judge, and the processes that work on it."""

    nursery: Nursery
    server: ServerProcess
    config: Path
    record: Path
    """What the witness wrote."""

    @property
    def out(self) -> Path:
        """Directory of the loop."""
        return self.config.parent / "loop"

    def run(self, moment: Moment | None = None) -> Session:
        """Run to the end, or until a moment and kill."""
        before, seen = committed(self.out), sent(self.record, self.server)
        self.server.hold(None)
        self.nursery.start("loop", self.config, "--quiet")
        if moment is None:
            assert self.nursery.wait(300) == 0
        else:
            self._wait_for(moment)
            assert self.nursery.kill() == -9
        total = sent(self.record, self.server) - seen
        return Session(place(self.out), before, total, committed(self.out))

    def _wait_for(self, moment: Moment) -> None:
        while True:
            asked, scored = self._asked(), self._scored()  # before the stage can have begun
            if ORDER.index(place(self.out)) >= ORDER.index(moment.stage):
                break
            self._still_runs(0.003, moment)
        if moment.scored:
            self.server.hold(scored + moment.scored)
        while place(self.out) == moment.stage and not (
            self._asked() - asked >= moment.asked
            and (not moment.scored or self._scored() - scored >= moment.scored)
            and (not moment.checkpoint or self._step(moment) >= moment.checkpoint)
        ):
            self._still_runs(0.003, moment)
        self._still_runs(moment.delay_s, moment)

    def _still_runs(self, seconds: float, moment: Moment) -> None:
        assert self.nursery.wait(seconds) is None, f"it ended before {moment}"

    def _asked(self) -> int:
        return self.record.read_bytes().count(b"\n") if self.record.exists() else 0

    def _scored(self) -> int:
        return int(str(self.server.counters(bodies=False)["requests"]))

    def _step(self, moment: Moment) -> int:
        number = int(moment.stage.rpartition(" ")[2])
        folder = PreferencePlaces(self.out).round(number).model / "training/checkpoints"
        return max((step_of(one) for one in folder.glob("checkpoint-*")), default=0)


def table(sessions: Sequence[Session]) -> str:
    """One line per kill."""
    lines = [f"{'killed in':>12} {'committed':>10} {'asked':>6} {'lost':>5}"]
    for one in sessions:
        numbers = f"{one.after.total():>10} {one.sent.total():>6} {one.lost.total():>5}"
        lines.append(f"{one.landed:>12} {numbers}")
    return "\n".join(lines)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Watched]:
    record = tmp_path / "asked.txt"
    variables = {witness.FILE: str(record), "OMP_NUM_THREADS": "1"}
    with (
        ServerProcess("--answer", "tests.system.answers:grade") as server,
        Nursery(*WARM, **variables) as nursery,
    ):
        yield Watched(nursery, server, write_loop(tmp_path, server), record)


def test_a_preference_loop_killed_6_times_ends_as_if_never_killed(loop: Watched) -> None:
    once = loop.run()
    assert once.landed == "exit"
    assert once.sent == once.after, "a call was asked twice, or has no outcome"
    whole, calls = results(loop.out), once.after
    assert loop.run().sent.total() == 0, "a finished loop asked again"
    loop.out.rename(loop.out.with_name("whole"))  # paths in files agree in the same place

    sessions = [loop.run(moment) for moment in moments(random.Random(5))]
    last = loop.run()
    for one in sessions:
        assert not one.before - one.after, "a committed call is gone"
        assert not (one.after - one.before) - one.sent, "an outcome without a call"
    for one in [*sessions, last]:
        assert not one.sent - (calls - one.before), "a committed call was asked again"
    assert not last.lost
    assert last.after == calls
    assert results(loop.out) == whole
    landed = [one.landed.partition(" ")[0] for one in sessions]
    assert landed.count("answers") >= 3 and landed.count("train") >= 1
    assert sum(one.lost.total() for one in sessions), "no kill came while a call was out"
    print(f"\n{calls.total()} calls; killed {len(sessions)} times\n{table(sessions)}")
