"""Claim: the arms differ in their data alone, and the loops that feed differ as they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.errors import ConfigError
from selfsown.core.rundir import read_lines
from selfsown.loop.arms import BASE, FEW, ORACLE, SEEDS, SELF, TUNED, ArmsConfig, precision
from selfsown.loop.experiment import experiment
from selfsown.loop.feeding import GUARDED, SYNTHETIC, FeedingConfig
from selfsown.models.lab import WEIGHTS
from selfsown.report.loop_numbers import PageNumbers

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (WEIGHTS / "model.safetensors").exists(), reason="the lab weights are not here"
    ),
]

TRAIN = {"preset": "lab", "threads": 1, "max_steps": 5}
VOTED = "one vote: all"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PageNumbers]:
    out = tmp_path_factory.mktemp("experiment")
    variants = {VOTED: {"answer_votes": 1}}
    arms = ArmsConfig(
        out / "arms", (3,), target=8, suite_limit=8, shots=2, train=TRAIN, variants=variants
    )
    feeding = FeedingConfig(out / "feeding", rounds=2, target=8, suite_limit=8, m=40, train=TRAIN)
    lines: list[str] = []
    numbers = experiment(arms, feeding, out, lines.append)
    again: list[str] = []
    assert experiment(arms, feeding, out, again.append) is not None
    assert not [line for line in again if "lab-plain rouge_l" in line and "promoted" not in line]
    return out, numbers


def record(out: Path, arm: str) -> Any:
    path = out / "arms" / "seed-3" / TUNED[arm] / "model" / "training.json"
    return json.loads(path.read_bytes())


def test_tuned_arms_make_equally_many_steps_from_the_same_base(
    made: tuple[Path, PageNumbers],
) -> None:
    records = [record(made[0], arm) for arm in (SELF, SEEDS, ORACLE)]
    assert len({one["result"]["steps"] for one in records}) == 1
    assert len({one["model"]["base_hash"] for one in records}) == 1


def test_a_variant_is_a_run_with_other_options_and_an_arm_like_the_others(
    made: tuple[Path, PageNumbers],
) -> None:
    home = made[0] / "arms" / "seed-3"
    [own] = home.glob("variant-one-vote-all-*")
    run = json.loads((own / "run" / "manifest.json").read_bytes())
    assert run["data"]["notes"]["votes"]["asked"] > 0
    told = json.loads((own / "model" / "training.json").read_bytes())
    assert told["result"]["steps"] == record(made[0], SELF)["result"]["steps"]


def test_a_wrong_option_of_a_variant_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    arms = ArmsConfig(tmp_path / "arms", variants={"odd": {"answer_vote": 1}})
    with pytest.raises(ConfigError, match="answer_vote"):
        experiment(arms, None, tmp_path, print)
    assert not (tmp_path / "arms").exists()


def test_oracle_data_are_as_many_and_all_right(made: tuple[Path, PageNumbers]) -> None:
    home = made[0] / "arms" / "seed-3"
    own, right = (list(read_lines(home / name)) for name in ("data.jsonl", "oracle.jsonl"))
    assert len(own) == len(right) > 0
    assert precision(home / "oracle.jsonl") == 1.0


def test_every_arm_has_its_scores_and_the_pairs_their_differences(
    made: tuple[Path, PageNumbers],
) -> None:
    found = made[1].comparison
    assert found is not None
    assert {one.arm for one in found.scores} == {BASE, FEW, SEEDS, SELF, ORACLE, VOTED}
    assert {(one.first, one.second) for one in found.differences} >= {(SELF, VOTED), (SEEDS, VOTED)}
    means = {(one.arm, one.suite, one.metric): one.measure.value for one in found.scores}
    for one in found.differences:
        first, second = (means[arm, one.suite, one.metric] for arm in (one.first, one.second))
        assert one.measure.value == pytest.approx(second - first)
        assert one.measure.low <= one.measure.value <= one.measure.high


def test_the_synthetic_loop_starts_from_machine_tasks_and_the_guard_says_stop(
    made: tuple[Path, PageNumbers],
) -> None:
    loops = {one.name: one for one in made[1].loops}
    synthetic, guarded = loops[SYNTHETIC], loops[GUARDED]
    assert [one.guard for one in synthetic.rounds] == ["stop", "stop"]
    assert all(one.guard != "stop" for one in guarded.rounds)
    assert [one.generator_depth for one in synthetic.rounds] == [0, 1]
    homes = {name: made[0] / "feeding" / "seed-0" / name.replace(" ", "-") for name in loops}
    inputs = homes[SYNTHETIC] / "rounds/1/run/inputs/seeds.jsonl"
    ids = [row["id"] for row in read_lines(inputs) if isinstance(row, dict)]
    written = {
        row["id"]
        for row in read_lines(homes[SYNTHETIC] / "rounds/0/run/accepted.jsonl")
        if isinstance(row, dict)
    }
    assert ids and set(map(str, ids)) <= set(map(str, written))
