"""Claim: an experiment turns every arm once per seed, resumes, stops whole, and counts right.

Loops and grounds are stood in for by a script that writes what they leave (`stage.py`).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from selfsown.core.errors import EnvironmentFailure, Interrupted
from selfsown.loop.preference import children
from selfsown.loop.preference.children import Children
from selfsown.loop.preference.experiment import Arm, Experiment, run_experiment
from selfsown.loop.preference.over_seeds import BEST
from selfsown.report.preference_numbers import ExperimentNumbers, PolicyOverSeeds

SEEDS = (0, 1, 2)
STAGE = Path(__file__).with_name("stage.py")


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "COMMAND", (str(STAGE),))


def arm(key: str, rise: int) -> Arm:
    """An arm whose gold rises by so many hundredths a round."""

    def config(ground: Path, seed: int) -> Mapping[str, Any]:
        return {
            "recipe": "online-rlhf",
            "prompts": {"file": str(ground / "prompts.jsonl"), "per_round": 1},
            "options": {"scorer": "oracle", "max_tokens": rise},
            "probe": {"prompts": str(ground / "prompts.jsonl")},
        }

    return Arm(key=key, name=f"arm {key}", about="An arm.", config=config)


EXPERIMENT = Experiment(
    about="Two arms.",
    ground="somewhere:ground",
    arms=(arm("a", 5), arm("b", 10)),
    compared=(("a", "b"),),
)


def asked(out: Path) -> Counter[str]:
    return Counter((out / "asked.txt").read_text().split())


def named(numbers: ExperimentNumbers, arm_name: str, policy: str) -> PolicyOverSeeds:
    return next(one for one in numbers.policies if (one.arm, one.name) == (arm_name, policy))


def test_every_stage_is_done_once_and_the_table_is_over_all_seeds(tmp_path: Path) -> None:
    lines: list[str] = []
    numbers = run_experiment(EXPERIMENT, tmp_path, SEEDS, lines.append)
    stages = {f"seed-{seed}/{name}" for seed in SEEDS for name in ("ground", "a", "b")}
    assert asked(tmp_path) == Counter(stages)
    assert sorted(lines)[:2] == ["seed 0, arm a: done", "seed 0, arm b: done"]
    # gold of arm b after both rounds: 0.5 + seed / 10 + 2 * 0.10
    last = named(numbers, "arm b", "round 1")
    assert last.by_seed["gold"] == pytest.approx((0.7, 0.8, 0.9))
    assert last.is_drawn and last.after == 2
    half = 4.303 * stdev((0.7, 0.8, 0.9)) / 3**0.5
    gold = last.measures["gold"]
    assert (gold.value, gold.low, gold.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half))
    best = named(numbers, "arm b", BEST)
    assert best.by_seed == named(numbers, "arm b", "round 0").by_seed and not best.is_drawn
    assert numbers.arms[0].pages == {str(seed): f"seed-{seed}/a/loop.html" for seed in SEEDS}
    assert numbers.seeds == SEEDS
    assert (tmp_path / "loop.html").is_file() and (tmp_path / "loop.json").is_file()


def test_differences_are_between_policies_of_one_seed(tmp_path: Path) -> None:
    numbers = run_experiment(EXPERIMENT, tmp_path, SEEDS)
    found = {(one.first, one.second): one for one in numbers.changes if one.metric == "gold"}
    assert set(found) == {
        ("arm a: initial policy", "arm a: round 1"),
        ("arm a: offline", "arm a: round 1"),
        ("arm b: initial policy", "arm b: round 1"),
        ("arm b: offline", "arm b: round 1"),
        ("arm a: round 1", "arm b: round 1"),
    }
    # seeds move both by as much, so between arms nothing is left but the arms
    between = found["arm a: round 1", "arm b: round 1"]
    assert between.by_seed == pytest.approx((0.1, 0.1, 0.1))
    assert between.measure.high - between.measure.low == pytest.approx(0, abs=1e-9)
    assert fmean(found["arm b: offline", "arm b: round 1"].by_seed) == pytest.approx(0.19)


def test_what_is_finished_is_left_alone_and_what_changed_is_turned_again(tmp_path: Path) -> None:
    run_experiment(EXPERIMENT, tmp_path, SEEDS[:1])
    first = run_experiment(EXPERIMENT, tmp_path, SEEDS[:2])
    assert set(asked(tmp_path).values()) == {1}
    assert run_experiment(EXPERIMENT, tmp_path, SEEDS[:2]) == first
    assert set(asked(tmp_path).values()) == {1}
    more = Experiment(about="", ground="somewhere:ground", arms=(arm("a", 6), arm("b", 10)))
    run_experiment(more, tmp_path, SEEDS[:2])
    again = {name for name, count in asked(tmp_path).items() if count == 2}
    assert again == {"seed-0/a", "seed-1/a"}


def test_an_arm_that_a_gate_refuses_is_a_result_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "refuse").write_text("a")
    numbers = run_experiment(EXPERIMENT, tmp_path, SEEDS[:2])
    assert numbers.refused == {f"arm a, seed {seed}": "too few pairs" for seed in (0, 1)}
    assert {one.arm for one in numbers.policies} == {"arm b"}
    assert {one.first.partition(":")[0] for one in numbers.changes} == {"arm b"}
    assert "refused by a gate: too few pairs" in (tmp_path / "loop.html").read_text()


def test_a_stage_that_dies_stops_the_experiment_and_is_turned_by_the_next_call(
    tmp_path: Path,
) -> None:
    (tmp_path / "break").touch()
    with pytest.raises(EnvironmentFailure, match="ended with status 7"):
        run_experiment(EXPERIMENT, tmp_path, SEEDS)
    (tmp_path / "break").unlink()
    run_experiment(EXPERIMENT, tmp_path, SEEDS)
    assert set(asked(tmp_path).values()) == {1}


def test_a_stop_reaches_the_children_and_nothing_is_started_after_it(tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    stages, heard = Children(1), threading.Event()
    home = tmp_path / "seed-0" / "a"
    home.parent.mkdir()
    config = tmp_path / "a.yaml"
    config.write_text(f"out: {home}\nseed: 0\n")
    ended: list[BaseException] = []

    def run() -> None:
        try:
            stages.run(["loop", str(config)], tmp_path / "log", lambda line: heard.set())
        except Interrupted as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert heard.wait(20)
    stages.stop()
    thread.join(20)
    assert not thread.is_alive() and len(ended) == 1
    with pytest.raises(Interrupted):
        stages.run(["loop", str(config)], tmp_path / "log", lambda line: None)
