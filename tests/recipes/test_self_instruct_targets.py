"""Claim: Self-Instruct stops at the target given last, and never drops what a directory has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recipes.gardener import SEEDS, gardener

from selfsown.core.errors import Interrupted
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay
from selfsown.runner import RunResult, run


def grow(out: Path, model: ScriptedModel, **given: Any) -> RunResult:
    return run("self-instruct", model=model, out=out, seeds=SEEDS, **given)


def kept(result: RunResult, stage: str) -> int:
    counts = {one["stage"]: one["accepted"] for one in result.manifest["data"]["stages"]}
    return int(counts[stage])


@pytest.mark.parametrize("order", ["arrival", "strict"])
@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("counts", ["tasks", "instructions"])
def test_a_run_started_for_many_and_restarted_for_fewer_stops_there(
    tmp_path: Path, counts: str, preset: str, order: str
) -> None:
    given: dict[str, Any] = {"order": order, "preset": preset, "target_counts": counts}
    first, second, third = gardener(), gardener(), gardener()
    first._stop_after = 40
    with pytest.raises(Interrupted):
        grow(tmp_path, first, target=300, **given)
    fewer = grow(tmp_path, second, target=45, **given)
    assert fewer.stop == "target"
    most = 45 if counts == "tasks" else 45 + 7 * 20  # lists in flight may all be accepted
    assert 45 <= kept(fewer, counts) <= most
    assert first.call_count + second.call_count == fewer.manifest["run"]["calls"]
    least = grow(tmp_path, third, target=10, **given)
    assert third.call_count == 0
    assert kept(least, counts) == kept(fewer, counts)
    assert "already and 10 were asked for" in least.manifest["run"]["warnings"][0]
    assert replay(tmp_path).identical
