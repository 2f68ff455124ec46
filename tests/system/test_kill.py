"""Claim: killed anywhere with SIGKILL, a run resumes, asks no committed call twice, and replays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from tests.system.kills import CASES, MODEL, WARM, config_for, data, kill_often, run_whole
from tests.system.nursery import Nursery
from tests.system.processes import arrivals, call, committed

from selfsown.testing.process import ServerProcess

pytestmark = pytest.mark.slow

KILLS = 20
FEW = 3
"""Kills of cases that are brief."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(*WARM) as nursery:
        yield nursery


@pytest.mark.parametrize(
    ("name", "order"),
    [
        (name, order)
        for name, case in CASES.items()
        for order in ("arrival", "strict")[: 1 if case.is_brief else 2]
    ],
)
def test_a_run_killed_again_and_again_asks_no_committed_call_twice(
    tmp_path: Path, nursery: Nursery, name: str, order: str
) -> None:
    case = CASES[name]
    kills = FEW if case.is_brief else KILLS
    faults = ["--latency-median-s", "0.02", "--model", MODEL]
    arguments = [*faults, *(("--answer", case.answer) if case.answer else ())]
    with ServerProcess(*arguments) as server:
        config = config_for(case, tmp_path / "whole", server, order, 5)
        run_whole(nursery, config)
        whole = arrivals(server).total()
        server.reset()

        config = config_for(case, tmp_path / "killed", server, order, 16)
        seed = len(name + order)
        tally = kill_often(nursery, config, server, whole, kills=kills, seed=seed)
        assert tally.kills == kills
        before, seen = committed(tmp_path / "killed/run", MODEL), arrivals(server)
        run_whole(nursery, config)
        total, end = arrivals(server), committed(tmp_path / "killed/run", MODEL)
        assert total - seen == end - before, "the last session asked something it had"
        run_whole(nursery, config)
        assert arrivals(server) == total, "a finished run asked again"

    repeated = (total - end).total()
    assert repeated <= tally.lost
    assert tally.most_lost <= (case.window or tally.most_lost)
    killed, uninterrupted = data(tmp_path / "killed/run"), data(tmp_path / "whole/run")
    if order == "strict" or case.is_independent:
        assert killed == uninterrupted
        for had, sent in tally.sessions:
            assert not [body for body in sent if had[body] and sent[body] > end[body] - had[body]]
    assert killed["accepted.jsonl"]
    for flag in ([], ["--shuffle"])[case.is_brief :]:
        found = call("replay", tmp_path / "killed/run", "--json", *flag)
        assert found.returncode == 0, found.stderr
        assert orjson.loads(found.stdout)["identical"]
    print(
        f"\n{name}, {order}: {tally.kills} kills, {end.total()} calls committed, "
        f"{tally.lost} sent and not committed at the kills (at most {tally.most_lost} at one), "
        f"{repeated} seen twice; replayed with the server off"
    )
