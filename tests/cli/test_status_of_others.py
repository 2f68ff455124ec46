"""Claim: `status` says of evaluations, loops, rounds and trainings what they are and what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfsown.cli.evaluate import evaluate
from selfsown.cli.status import lock_holder, status
from selfsown.cli.status_of_others import read_other
from selfsown.core.rundir import locked
from selfsown.guard.lineage import Depths
from selfsown.guard.record import GuardRecord, Remedy, Verdict, write_record
from selfsown.loop.ending import Ending, write_ending
from selfsown.loop.places import ARMS, LoopPlaces
from selfsown.loop.preference.ending import Ending as PreferenceEnding
from selfsown.loop.preference.ending import write_ending as write_preference_ending
from selfsown.loop.preference.places import PreferencePlaces


def said(path: Path) -> str:
    done = CliRunner().invoke(status, [str(path)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def loop(tmp_path: Path) -> LoopPlaces:
    places = LoopPlaces(tmp_path / "loop")
    places.home.mkdir()
    places.config.write_text("rounds: 3\nout: loop\n")
    return places


def end(places: LoopPlaces, number: int, decision: str) -> None:
    places.round(number).home.mkdir(parents=True)
    ending = Ending(number, decision, "why so", "lab", 0)  # type: ignore[arg-type]
    write_ending(places.round(number), ending)


def test_a_loop_says_its_rounds_its_stage_and_the_command_that_goes_on(loop: LoopPlaces) -> None:
    end(loop, 0, "promoted")
    home = loop.round(1).home
    home.mkdir()
    loop.round(1).curated.write_text("{}")
    text = said(loop.home)
    assert "loop, 1 of 3 rounds turned" in text and "round 0: promoted: why so" in text
    assert "round 1: curated; not ended" in text
    assert "next: " in text and f"selfsown loop {loop.config}" in text
    assert "round, curated; not ended" in said(home) and f"of the loop `{loop.home}`" in said(home)


def test_a_loop_over_pairs_says_its_rounds_and_its_own_stages(loop: LoopPlaces) -> None:
    given = "recipe: online-rlhf\nrounds: 2\nout: loop\ncontrols: [offline, equal_data]\n"
    loop.config.write_text(given)
    places = PreferencePlaces(loop.home)
    first, second = places.round(0), places.round(1)
    second.model.mkdir(parents=True)
    first.home.mkdir()
    ended = {"round": 0, "decision": "rolled_back", "reason": "gold fell", "policy": "lab"}
    ending = PreferenceEnding(**ended, policy_hash="", pairs=3)  # type: ignore[arg-type]
    write_preference_ending(first.ending, ending)
    for path in (second.gates, second.model / "training.json"):
        path.write_text("{}")
    text = said(loop.home)
    assert "loop, 1 of 2 rounds turned" in text and "round 0: rolled_back: gold fell" in text
    assert "round 1: paired, trained; not ended" in text
    assert "controls to make: offline, equal_data" in text
    assert "round, rolled_back: gold fell" in said(first.home)


def test_a_finished_loop_can_be_extended_and_a_running_one_is_left_alone(loop: LoopPlaces) -> None:
    for number in range(3):
        end(loop, number, "rolled_back")
    text = said(loop.home)
    assert "finished: all 3 rounds" in text and "--rounds 6" in text
    with locked(loop.home):
        found = read_other(loop.home, lock_holder)
    assert found is not None and found.process == os.getpid() and found.next == ""


def test_a_loop_that_the_guard_stopped_says_what_to_do_and_offers_no_command(
    loop: LoopPlaces,
) -> None:
    end(loop, 0, "stopped")
    remedy = Remedy("human", "Add human rows.")
    record = GuardRecord(0, 20, 0, "", {}, Depths(1, 1.0, 1, 1.0), {})
    write_record(record.judged(Verdict("stop", remedies=(remedy,))), loop.round(0).home)
    text = said(loop.home)
    assert "loop, stopped by the guard in round 0" in text and "remedy: Add human rows." in text
    assert "next: " not in text


def test_an_experiment_names_the_loops_inside(tmp_path: Path) -> None:
    places = LoopPlaces(tmp_path / "demo")
    inside = LoopPlaces(places.home / "feeding" / "seed-0")
    inside.home.mkdir(parents=True)
    inside.config.write_text("rounds: 2\n")
    places.numbers.write_text("{}")
    places.page.write_text("<html>")
    text = said(places.home)
    assert "experiment, arms and 1 loop on one page" in text
    assert f"page: {places.page}" in text
    assert f"loop inside: selfsown status {inside.home}" in text


def test_an_experiment_whose_arms_are_being_made_is_one_already(tmp_path: Path) -> None:
    (tmp_path / "demo" / ARMS).mkdir(parents=True)
    text = said(tmp_path / "demo")
    assert "experiment, the arms are not all made yet" in text and "page:" not in text


def test_a_training_says_how_far_it_is(tmp_path: Path) -> None:
    work = tmp_path / "model" / "training"
    whole = work / "checkpoints" / "checkpoint-4"
    whole.mkdir(parents=True)
    (work / "plan.json").write_text("{}")
    assert "training, not finished; no checkpoint yet" in said(tmp_path / "model")
    (whole / "selfsown-whole.json").write_text("{}")
    text = said(tmp_path / "model")
    assert "`checkpoint-4` is whole" in text and "next: the `selfsown train` command" in text
    model = {"base": "lab", "model_depth": 1, "human_share": 0.5}
    (tmp_path / "model" / "training.json").write_text(json.dumps({"model": model}))
    text = said(tmp_path / "model")
    assert "training, finished" in text and "depth 1, 50% of the tokens human" in text


def test_an_evaluation_says_where_its_scores_are_and_how_to_finish_it(tmp_path: Path) -> None:
    suite, script, out = tmp_path / "quiz.jsonl", tmp_path / "model.yaml", tmp_path / "eval"
    suite.write_text('{"instruction": "Which river runs there?", "output": "none"}\n')
    script.write_text(json.dumps({"rules": [{"text": "x"}], "capabilities": {"chat": False}}))
    arguments = [f"scripted:{script}", "--suite", str(suite), "-o", str(out), "--quiet"]
    assert CliRunner().invoke(evaluate, arguments).exit_code == 0
    text = said(out)
    assert "evaluation, finished" in text and f"scores: `{out / 'results.json'}`" in text
    (out / "results.json").unlink()
    assert "scores: not written yet" in said(out)
    (out / "manifest.json").unlink()
    assert f"evaluate scripted:{script} --suite quiz=FILE -o {out}" in said(out)
