"""Claim: wherever a disk fills up under a loop, it says so, and with space it goes on as if not."""

from __future__ import annotations

import gc
import os
import random
import shutil
from pathlib import Path

import pytest
from tests.system.disks import resize, small_disk
from tests.system.loops import journals, results, small_loop
from tests.train.warm import warm

from selfsown.core.errors import EnvironmentFailure
from selfsown.loop.config import LoopConfig, make_loop_config
from selfsown.loop.places import LoopPlaces
from selfsown.loop.rounds import turn
from selfsown.models.lab import WEIGHTS

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (WEIGHTS / "model.safetensors").exists(), reason="the lab weights are not here"
    ),
]

LARGE = 200_000
TRAINING = (18_000,)
"""Kilobytes that are free once a training failed: enough for its first checkpoint, which has
16,000, and not for the second beside it.
"""


def test_a_loop_on_a_disk_that_fills_again_and_again_ends_as_on_a_large_one(
    tmp_path: Path,
) -> None:
    with warm(), small_disk(tmp_path / "disk", LARGE) as disk:
        out = disk / "loop"
        config = make_loop_config({**small_loop(rounds=1), "out": str(out)})
        turn(config)
        whole, calls = results(out), journals(out)
        shutil.rmtree(out)

        rng, steps = random.Random(7), iter((*TRAINING, LARGE))
        places = LoopPlaces(out).round(0)
        errors = []
        size = 16
        resize(disk, size)
        while (error := failure(config)) is not None:
            errors.append(error)
            if (places.model / "training").exists():
                size = used(disk) + next(steps)
            else:
                size += rng.randint(20, 120)
            resize(disk, size)
        assert results(out) == whole
        assert journals(out) == calls
    for error in errors:
        assert "free space" in error.fix, error
    said = "\n".join(error.what.replace(str(disk), "") for error in errors)
    for word in (
        "/base/eval/",
        "/rounds/0/run/",
        "checkpoint of step 2",
        "`checkpoint-1` is whole",
    ):
        assert word in said
    print(f"\n{len(errors)} times full:\n{said}")


def failure(config: LoopConfig) -> EnvironmentFailure | None:
    """Turn the loop; the error that stopped it, if one did."""
    try:
        turn(config)
    except EnvironmentFailure as error:
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return error
    else:
        return None
    finally:
        gc.collect()  # frames of caught errors hold files open


def used(disk: Path) -> int:
    """Kilobytes in use."""
    facts = os.statvfs(disk)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize // 1024
