"""Claim: killed at any moment of a batch's life, a run finds its batches and pays nothing twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.system.batch_scene import CALM, PROVIDERS, Scene, scenery

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("provider", PROVIDERS)]

KILLS = 20
BOUNDARIES = (
    "upload",
    "after upload",
    "create",
    "after create",
    "look",
    "list",
    "results",
    "amid results",
)
"""Where the server stalls so that the process is killed there. `upload`: only the intent is on
disk; `after upload`: the lines are at the provider; `create`: nothing is made yet; `after create`:
the batch is there and its id is not on disk; `list`: while the batch is looked for; `amid results`:
some outcomes are on disk."""

FAULTS = (
    *("--batch-looks", "8", "--batch-expire", "0.2", "--batch-error", "0.1"),
    *("--batch-lost-reply", "0.4", "--batch-api-error", "0.05", "--batch-short-results", "2"),
)


@pytest.mark.parametrize("stage", BOUNDARIES)
def test_killed_at_a_boundary_nothing_is_submitted_twice(
    tmp_path: Path, provider: str, stage: str
) -> None:
    if provider == "anthropic" and "upload" in stage:
        pytest.skip("nothing is uploaded ahead there")
    with scenery(*CALM) as (server, nursery):
        scene = Scene(tmp_path / "killed", server, nursery, provider)
        if stage == "list":
            scene.kill_at("after create")
        scene.kill_at(stage)
        scene.finish()
        scene.check(None)


def test_a_run_killed_20_times_comes_to_the_bytes_of_one_without_batches(
    tmp_path: Path, provider: str
) -> None:
    rng, kills = random.Random(provider), 0
    with scenery(*FAULTS) as (server, nursery):
        whole = Scene(tmp_path / "whole", server, nursery, provider, rows=150)
        whole.finish("--no-batch")
        scene = Scene(tmp_path / "killed", server, nursery, provider, rows=150, requests=20)
        for _ in range(KILLS):
            kills += scene.kill_after(rng.uniform(0.05, 0.35))
        scene.finish()
        scene.check(whole)
        print(f"\n{provider}: {kills} kills, {len(server.batches())} batches")
    assert kills > KILLS // 2
