"""Claim: `loop.json` has what the loop's files say, and equal answers are asked for once.

Trainings are stood in for, as in `test_preference_rounds.py`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.loop.preference.small_loop import PER_ROUND, StandInTrainer, small

from selfsown.lab.weights import weights_folder
from selfsown.loop.preference import chain, controls
from selfsown.loop.preference.measure import Probe, read_probe
from selfsown.loop.preference.places import PolicyPlaces, PreferencePlaces, RoundPlaces
from selfsown.loop.preference.rounds import turn_preferences
from selfsown.loop.preference.summary import INITIAL

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = pytest.mark.skipif(
    not any(weights_folder().glob("*.safetensors")), reason="the lab weights are not here"
)
ANSWERS = 3
"""Of each prompt, in the rounds."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PreferencePlaces, ...]]:
    """A loop with controls, and another one from the same policy that reads from it."""
    home = tmp_path_factory.mktemp("summaries")
    with pytest.MonkeyPatch.context() as patch:
        for module in (chain, controls):
            patch.setattr(module, "train", StandInTrainer())
        wanted = ["equal_data", "other_reference", "sft_chosen"]
        first = turn_preferences(small(home, rounds=1, controls=wanted))
        out, reuse = str(home / "again"), [str(first.places.home)]
        second = turn_preferences(small(home, rounds=1, out=out, reuse=reuse))
        yield first.places, second.places


def probe_of(places: PolicyPlaces) -> Probe:
    found = read_probe(places.probe)
    assert found is not None
    return found


def made(run: Path) -> tuple[int, int]:
    """Answers that a run asked for, and those that it copied."""
    with sqlite3.connect(f"file:{run / 'journal.sqlite'}?mode=ro", uri=True) as journal:
        rows = journal.execute("SELECT source FROM outcomes WHERE kind='call'").fetchall()
    return sum(not source for (source,) in rows), sum(bool(source) for (source,) in rows)


def test_loop_json_has_every_policy_with_the_numbers_of_its_probe(
    both: tuple[PreferencePlaces, ...],
) -> None:
    places = both[0]
    form = json.loads(places.numbers.read_bytes())
    own, *others = form["lines"]
    assert [line["name"] for line in form["lines"]] == [
        *("rounds", "one round", "reference previous", "SFT on chosen"),
    ]
    folders = {
        INITIAL: places.start,
        "round 0": places.round(0),
        "one round": RoundPlaces(places.control("equal_data").home),
        "reference previous, round 0": places.control("other_reference").round(0),
        "SFT on chosen": RoundPlaces(places.control("sft_chosen").home),
    }
    shown = [
        form["initial"],
        *own["policies"],
        *(one for line in others for one in line["policies"]),
    ]
    assert [one["name"] for one in shown] == list(folders)
    for one in shown:
        probe = probe_of(folders[one["name"]])
        assert one["answered"] == probe.answered
        assert one["after"] == (one["name"] != INITIAL)
        for name in ("gold", "proxy", "length", "kl_initial"):
            measure = getattr(probe, name)
            assert one["measures"][name]["value"] == measure.value
    assert form["best"]["by"] == "gold"
    assert form["best"]["name"] in (INITIAL, "round 0")
    assert "1 of 1 rounds turned" in form["ended"]
    assert places.page.is_file()


def test_a_rounds_numbers_are_those_of_its_gates_and_ending(
    both: tuple[PreferencePlaces, ...],
) -> None:
    places = both[0]
    (turned,) = json.loads(places.numbers.read_bytes())["lines"][0]["rounds"]
    gates = json.loads(places.round(0).gates.read_bytes())["tally"]
    ending = json.loads(places.round(0).ending.read_bytes())
    assert turned["prompts"] == gates["prompts"] == PER_ROUND
    assert turned["pairs"] == gates["pairs"] and turned["tie_rate"] == gates["tie_rate"]
    assert turned["pairs"] + sum(turned["dropped"].values()) == turned["prompts"]
    assert (turned["decision"], turned["reason"]) == (ending["decision"], ending["reason"])


def test_what_the_initial_policy_answered_is_not_asked_again(
    both: tuple[PreferencePlaces, ...],
) -> None:
    first, second = both
    asked = PER_ROUND * ANSWERS
    assert made(first.round(0).run) == (asked, 0)
    assert made(RoundPlaces(first.control("equal_data").home).run) == (0, asked)
    assert made(second.round(0).run) == (0, asked)
    assert made(second.start.probe_run)[0] == 0 and made(first.start.probe_run)[1] == 0
    pairs = [one.round(0).pairs.read_bytes() for one in both]
    assert pairs[0] == pairs[1]
    assert probe_of(second.start) == probe_of(first.start)
