"""Claim: a loop resumes wherever it was killed, and ends in the tables it would have had."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.errors import ConfigChanged, ConfigError, InputError
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import read_lines
from selfsown.loop import rounds
from selfsown.loop.config import GuardConfig, LoopConfig, make_loop_config
from selfsown.loop.places import LoopPlaces
from selfsown.models.lab import WEIGHTS

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (WEIGHTS / "model.safetensors").exists(), reason="the lab weights are not here"
    ),
]

SMALL: dict[str, Any] = {
    "seeds": "lab:25",
    "suites": ["lab-plain"],
    "suite_limit": 12,
    "rounds": 1,
    "target": 8,
    "train": {"preset": "lab", "threads": 1, "max_steps": 6, "human_share": 0.3},
    "guard": {"reference": "lab", "m": 50},
}
STAGES = ("base/eval/results.json", "rounds/0/run/journal.sqlite", "rounds/0/curated.json")
LATER = ("rounds/0/guard.json", "rounds/0/model/training/plan.json", "rounds/0/model/training.json")


def config(out: Path, **changes: Any) -> LoopConfig:
    return make_loop_config({**SMALL, "out": str(out), **changes})


def tables(out: Path) -> Any:
    """Everything of `loop.json` but its name and its costs."""
    form = json.loads(LoopPlaces(out).numbers.read_bytes())
    for loop in form["loops"]:
        loop.pop("name")
        for one in loop["rounds"]:
            one.pop("cost")
    return form["loops"]


def calls(out: Path) -> int:
    form = json.loads(LoopPlaces(out).numbers.read_bytes())
    count: int = form["loops"][0]["rounds"][0]["cost"]["calls"]
    return count


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("loops") / "whole"
    rounds.turn(config(out))
    yield out


def test_a_round_leaves_run_guard_model_scores_and_a_reason(finished: Path) -> None:
    places = LoopPlaces(finished).round(0)
    for path in (places.run / "manifest.json", places.home / "guard.json", places.curated):
        assert path.is_file()
    assert (places.model / "training.json").is_file()
    assert (places.scores / "results.json").is_file()
    ending = json.loads(places.ending.read_bytes())
    assert ending["decision"] in ("promoted", "rolled_back")
    assert "`rouge_l` on `lab-plain`" in ending["reason"]
    assert ending["model_depth"] == 1


def test_the_guard_sees_an_unbiased_draw_as_large_as_asked_and_held_out_human_text(
    finished: Path,
) -> None:
    places = LoopPlaces(finished).round(0)
    journal = Journal(places.audit / JOURNAL_NAME, read_only=True)
    try:
        asked = list(journal.rows("outcomes", "WHERE kind='call'"))
    finally:
        journal.close()
    assert len(asked) == GuardConfig().audit
    scores = json.loads((places.home / "guard.json").read_bytes())["scores"]
    assert set(scores) == {"human_nll", "human_nll_tail", "effective_bias"}


def test_the_same_call_again_repeats_nothing(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.json")}
    shown: list[str] = []
    rounds.turn(config(finished), shown.append)
    changed = [p for p, at in before.items() if p.stat().st_mtime_ns != at]
    assert [path.name for path in changed] == ["loop.json"]
    assert not [line for line in shown if "generated" in line or "evaluated" in line]


def test_a_run_that_was_killed_before_its_card_gets_it(finished: Path) -> None:
    places = LoopPlaces(finished).round(0)
    card, ending = places.run / "README.md", places.ending.read_bytes()
    before = card.read_bytes()
    card.unlink()
    places.ending.unlink()
    rounds.turn(config(finished))
    assert card.read_bytes() == before
    assert places.ending.read_bytes() == ending


@pytest.mark.parametrize("left", [0, 1])
def test_a_round_of_which_too_little_is_left_is_rolled_back(
    finished: Path, tmp_path: Path, left: int
) -> None:
    """The suite holds what the round is going to write, but for so many records."""
    rows = list(read_lines(LoopPlaces(finished).round(0).run / "accepted.jsonl"))
    suite = tmp_path / "written.jsonl"
    with suite.open("w") as file:
        for row in rows[left:]:
            assert isinstance(row, dict)
            item = {"instruction": row["instruction"], "input": row["input"]}
            file.write(json.dumps({**item, "references": [row["output"]]}) + "\n")
    alone = {"human_data": False, "rehearsal": 0, "suite_limit": 2, "train": {"preset": "lab"}}
    guard = {"acts": False, "audit": 0}
    places = LoopPlaces(tmp_path / "loop")
    changes = {**alone, "suites": [str(suite)], "guard": guard}
    result = rounds.turn(config(places.home, **changes))
    assert [one.decision for one in result.endings] == ["rolled_back"]
    assert result.endings[0].reason.startswith(("no record", "one record")[left])
    assert not places.round(0).model.exists() and places.page.is_file()
    assert rounds.turn(config(places.home, **changes)).endings == result.endings


def test_another_config_is_refused_with_what_differs(finished: Path) -> None:
    with pytest.raises(ConfigChanged, match="target: `8` → `9`"):
        rounds.turn(config(finished, target=9))


def test_a_gate_on_what_is_not_measured_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`blue` on `lab-plain`"):
        rounds.turn(config(tmp_path / "x", gate={"metric": "blue"}))
    assert not (tmp_path / "x" / "base").exists()


@pytest.mark.parametrize(
    "text", [None, "", '{"instruction": "Name a bird."}\n', '{"poem": "x"}\n' * 9]
)
def test_a_reference_that_the_guard_cannot_use_is_refused_before_anything_is_spent(
    tmp_path: Path, text: str | None
) -> None:
    reference = tmp_path / "human.jsonl"
    if text is not None:
        reference.write_text(text)
    with pytest.raises(InputError, match="human reference"):
        rounds.turn(config(tmp_path / "x", guard={"reference": str(reference)}))
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"run.lock"}


def test_too_little_human_text_stops_the_loop_before_training(tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    train = {"preset": "lab", "threads": 1}
    result = rounds.turn(config(out, human_data=False, rounds=3, train=train))
    assert result.stopped is not None and result.stopped.round == 0
    assert "0.0% of the tokens" in result.stopped.reason
    assert not LoopPlaces(out).round(0).model.exists()
    assert not LoopPlaces(out).round(1).home.exists()


def test_kills_at_every_stage_end_in_the_same_tables(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    for name in (*STAGES, *LATER):
        kill_when(out, lambda path=out / name: path.exists())  # type: ignore[misc]
    rounds.turn(config(out))
    assert tables(out) == tables(finished)
    assert calls(out) == calls(finished)


def kill_when(out: Path, is_time: Callable[[], bool]) -> None:
    """Turn the loop in another process and kill it, children and all, when it is time."""
    given = {**SMALL, "out": str(out)}
    code = (
        "import json, sys\n"
        "from selfsown.loop.config import make_loop_config\n"
        "from selfsown.loop.rounds import turn\n"
        "if __name__ == '__main__':\n"
        "    turn(make_loop_config(json.loads(sys.argv[1])))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, json.dumps(given)])
    deadline = time.monotonic() + 240
    while child.poll() is None and not is_time():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    if child.poll() is None:
        os.kill(child.pid, signal.SIGKILL)
    child.wait()
