"""Claim: rounds resume wherever they stopped, roll back what got worse, and keep the best policy.

Trainings are stood in for: the base goes on under another hash, checked and recorded as always.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.loop.preference.small_loop import (
    PER_ROUND,
    StandInTrainer,
    form,
    lab_prompts,
    small,
    write_rows,
)

from selfsown.core.errors import CheckFailed, ConfigChanged, InputError, TooFewRecords
from selfsown.core.inputs import read_rows
from selfsown.lab.weights import weights_folder
from selfsown.loop.preference import chain, controls
from selfsown.loop.preference.anchor import Anchored
from selfsown.loop.preference.config import make_preference_loop_config
from selfsown.loop.preference.ending import read_ending
from selfsown.loop.preference.measure import read_probe
from selfsown.loop.preference.pairs import pair_up
from selfsown.loop.preference.places import PreferencePlaces, RoundPlaces
from selfsown.loop.preference.prompts import PromptSets
from selfsown.loop.preference.rounds import PreferenceResult, turn_preferences
from selfsown.loop.preference.setup import set_up
from selfsown.models.fingerprint import model_hash
from selfsown.preference.files import read_pairs
from selfsown.preference.gates import Floors

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = pytest.mark.skipif(
    not any(weights_folder().glob("*.safetensors")), reason="the lab weights are not here"
)

STAGES = ("generate", "pair_up", "train", "probe", "write_ending")
"""What a round calls, by the name under which it does."""


class Stop(Exception):
    """A process that ends here."""


@pytest.fixture(autouse=True)
def trainer(monkeypatch: pytest.MonkeyPatch) -> StandInTrainer:
    standing_in = StandInTrainer()
    for module in (chain, controls):
        monkeypatch.setattr(module, "train", standing_in)
    return standing_in


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreferenceResult]:
    home = tmp_path_factory.mktemp("preference-loops")
    with pytest.MonkeyPatch.context() as patch:
        for module in (chain, controls):
            patch.setattr(module, "train", StandInTrainer())
        yield turn_preferences(small(home, rounds=2))


def tables(places: PreferencePlaces, count: int) -> list[bytes]:
    """What the rounds were trained on, and how they ended but for places."""
    files = [places.round(number).pairs.read_bytes() for number in range(count)]
    endings = [json.loads(places.round(number).ending.read_bytes()) for number in range(count)]
    kept = ("decision", "reason", "policy_hash", "model_hash", "pairs", "tests")
    return [*files, *(json.dumps({k: one[k] for k in kept}).encode() for one in endings)]


@pytest.fixture(scope="module")
def initial() -> str:
    return model_hash(weights_folder())


def test_rounds_train_what_was_promoted_on_prompts_of_their_own(
    finished: PreferenceResult, initial: str
) -> None:
    places = finished.places
    declared = {str(row["instruction"]) for row in lab_prompts(3 * PER_ROUND + 2)}
    seen: list[str] = []
    for number, ending in enumerate(finished.endings):
        asked = [str(row["instruction"]) for row in read_rows(places.prompts_of(number))]
        assert len(asked) == PER_ROUND
        assert {pair.prompt.text for pair in read_pairs(places.round(number).pairs)} <= set(asked)
        seen += asked
        before = finished.endings[number - 1].model_hash if number else initial
        assert ending.policy_hash == before
    assert len(set(seen)) == 2 * PER_ROUND and set(seen) < declared


def test_the_reference_of_every_round_is_the_initial_policy(
    finished: PreferenceResult, initial: str
) -> None:
    references = [one.reference for one in finished.endings]
    assert [one and one["model_hash"] for one in references] == [initial] * 2
    assert [one and one["kind"] for one in references] == ["initial"] * 2


def test_a_loop_that_stops_behind_every_stage_ends_as_if_it_had_not(
    finished: PreferenceResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, stopped = small(tmp_path, rounds=2), 0
    for number in (0, 1):
        for stage in STAGES:
            with monkeypatch.context() as patch:
                patch.setattr(chain, stage, stopping(getattr(chain, stage), number))
                with pytest.raises(Stop):
                    turn_preferences(config)
                stopped += 1
    assert stopped == 2 * len(STAGES)
    result = turn_preferences(config)
    assert tables(result.places, 2) == tables(finished.places, 2)


def stopping(stage: Callable[..., Any], number: int) -> Callable[..., Any]:
    """A stage after which the process ends, in the round of this number."""

    def stops(*args: Any, **given: Any) -> Any:
        done = stage(*args, **given)
        if any(f"rounds/{number}/" in str(getattr(one, "out", one)) for one in args):
            raise Stop
        return done

    return stops


def test_the_same_call_again_repeats_nothing_and_more_rounds_go_on(
    finished: PreferenceResult, trainer: StandInTrainer
) -> None:
    home = finished.places.home
    kept = ("*/pairs.jsonl", "*/round.json", "*/run/journal.sqlite", "*/probe/probe.json")
    files = [path for name in kept for path in (home / "rounds").glob(name)]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    result = turn_preferences(small(home.parent, rounds=2))
    assert result.endings == finished.endings and not trainer.trained
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == before


def test_a_policy_that_judges_worse_is_rolled_back_and_the_next_round_starts_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initial: str
) -> None:
    right = {f"prompt {number}": 1.0 for number in range(20)}
    wrong = {name: float(number % 2) for number, name in enumerate(right)}

    def judged(_: chain.Desk, held: chain.Held, name: str) -> Anchored:
        """Right until round 0 has trained, whose policy tosses coins."""
        shares = wrong if held.round == 0 else right
        accuracy = sum(shares.values()) / len(shares)
        return Anchored(accuracy=accuracy, standard_error=0.0, parse_rate=1.0, groups=shares)

    monkeypatch.setattr(chain.Desk, "anchored", judged)
    first, second = turn_preferences(small(tmp_path, reference="previous", seed=1)).endings
    assert first.decision == "rolled_back" and first.model_hash != initial
    assert first.reason.startswith("anchor fell: anchor 100.0% -> 50.0%, difference -50.0")
    assert second.decision == "promoted" and second.policy_hash == initial


def test_a_reference_moves_only_when_told_to(finished: PreferenceResult, tmp_path: Path) -> None:
    assert small(tmp_path).kept_close_to == "initial"
    assert small(tmp_path, reference="previous").kept_close_to == "previous"
    assert small(tmp_path, recipe="self-rewarding").kept_close_to == "previous"
    other = {"initial": "previous", "some/model": "previous", "previous": "initial"}
    for kind, wanted in {**other, "ema": "initial"}.items():
        assert small(tmp_path, reference=kind).other_reference == wanted


def test_the_best_iteration_comes_out_also_where_a_later_one_was_promoted(
    finished: PreferenceResult,
) -> None:
    places, best = finished.places, finished.best
    probes = {None: places.start.probe} | {n: places.round(n).probe for n in range(2)}
    means = {number: read_probe(path) for number, path in probes.items()}
    gold = {number: one.gold.value for number, one in means.items() if one and one.gold}
    kept = {None, *(one.round for one in finished.endings if one.decision == "promoted")}
    assert best.by == "gold"
    assert best.value == pytest.approx(max(gold[number] for number in kept), abs=1e-12)
    folder = weights_folder() if best.round is None else places.round(best.round).model
    assert Path(best.folder) == folder
    assert json.loads(places.numbers.read_bytes())["best"]["folder"] == best.folder


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ("I cannot tell.", "not one of 18 judgements could be read"),
        ("Score: 3", "the judge said 3 in all of 18 judgements"),
    ],
)
def test_a_judge_that_is_none_ends_the_loop_before_any_training(
    says: str, said: str, tmp_path: Path, trainer: StandInTrainer
) -> None:
    script = tmp_path / "judge.jsonl"
    script.write_text(json.dumps({"text": says}), encoding="utf-8")
    judging = {"scorer": "rubric", "scorer_options": {"samples": 1}}
    options = {**form(tmp_path)["options"], **judging}
    config = small(tmp_path, options=options, models={"judge": f"scripted:{script}"})
    for _ in range(2):
        with pytest.raises(CheckFailed, match=said):
            turn_preferences(config)
    assert not trainer.trained and not PreferencePlaces(tmp_path / "loop").round(0).pairs.exists()


def test_a_round_without_pairs_ends_the_loop_before_any_training(
    tmp_path: Path, trainer: StandInTrainer
) -> None:
    options = {**form(tmp_path)["options"], "picker_options": {"min_margin": 5}}
    with pytest.raises(TooFewRecords, match=r"there are no pairs: .*small_margin"):
        turn_preferences(small(tmp_path, options=options))
    assert not trainer.trained


def test_a_yield_below_its_floor_leaves_no_pairs_to_train_on(
    finished: PreferenceResult, tmp_path: Path
) -> None:
    run, places = finished.places.round(0).run, RoundPlaces(tmp_path / "round")
    options = set_up(small(tmp_path)).options
    with pytest.raises(CheckFailed, match=r"pairs of 6 prompts: \d .*, the floor is 100%"):
        pair_up(run, places, options, Floors(pair_yield=1.0))
    assert not places.home.exists()
    found = pair_up(run, places, options, Floors(pair_yield=0.0, tie_rate=0.0))
    assert found.pairs == len(read_pairs(places.pairs)) == finished.endings[0].pairs
    assert [one["floor"] for one in found.warnings] == ["tie_rate"]
    assert pair_up(run, places, options, Floors(pair_yield=1.0)) == found, "made once, then read"


def test_answers_that_are_not_as_many_as_the_config_says_are_refused(
    finished: PreferenceResult, tmp_path: Path, trainer: StandInTrainer
) -> None:
    """The run of a round is there, and a line of it is gone."""
    home = tmp_path / "loop"
    shutil.copytree(finished.places.home, home)
    places = PreferencePlaces(home)
    shutil.rmtree(places.round(1).home / "model")
    for path in (places.round(1).ending, places.round(1).gates, places.round(1).pairs):
        path.unlink()
    file = places.round(1).run / "provenance.jsonl"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"stage":"answers"' in line)
    file.write_text("".join([*lines[:at], *lines[at + 1 :]]), encoding="utf-8")
    given = form(finished.places.home.parent)
    with pytest.raises(CheckFailed, match="has 2 answers, not 3"):
        turn_preferences(make_preference_loop_config({**given, "rounds": 2, "out": str(home)}))
    assert not trainer.trained


def test_a_reference_that_is_gone_is_known_before_another_answer_is_paid_for(
    finished: PreferenceResult, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(weights_folder(), base)
    given = {"base": str(base), "backend": "lab", "rounds": 1}
    turn_preferences(small(tmp_path, **given))
    (base / "model.safetensors").unlink()
    (base / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError):
        turn_preferences(small(tmp_path, **{**given, "rounds": 2}))
    assert not PreferencePlaces(tmp_path / "loop").round(1).run.exists()


def test_a_file_of_prompts_that_changed_between_rounds_is_refused(
    finished: PreferenceResult,
) -> None:
    config = small(finished.places.home.parent, rounds=2)
    path = Path(str(config.prompts.file))
    path.write_text("".join(reversed(path.read_text("utf-8").splitlines(keepends=True))))
    with pytest.raises(ConfigChanged, match="holds other prompts than the declared ones give now"):
        PromptSets(config, finished.places)
    PromptSets(small(finished.places.home.parent, rounds=2), finished.places)


def test_controls_have_what_the_rounds_had_and_change_one_thing(
    finished: PreferenceResult, trainer: StandInTrainer, initial: str
) -> None:
    """They are asked for when the rounds are finished, which go on as they are."""
    names = ["offline", "equal_data", "other_reference", "sft_chosen"]
    places, endings = finished.places, finished.endings
    result = turn_preferences(small(places.home.parent, rounds=2, controls=names))
    assert result.endings == endings
    trained = {Path(one.out).relative_to(places.home).parts[1]: one for one in trainer.trained}
    count = sum(one.pairs for one in endings)
    homes = {name: places.control(name).home for name in names}
    assert len(read_rows_of(homes["offline"] / "pairs.jsonl")) == count
    asked = [row for n in range(2) for row in read_rows_of(places.prompts_of(n))]
    assert read_rows_of(homes["equal_data"] / "run" / "inputs" / "rows.jsonl") == asked
    chosen = [row["chosen"] for n in range(2) for row in read_rows_of(places.round(n).pairs)]
    assert [row["output"] for row in read_rows_of(homes["sft_chosen"] / "data.jsonl")] == chosen
    for name in ("offline", "equal_data", "sft_chosen"):
        assert model_hash(Path(trained[name].base)) == initial
        assert read_probe(homes[name] / "probe") is not None
    assert [trained[name].max_steps for name in names] == [4, 4, 2, 2], "steps of two rounds"
    others = [read_ending(places.control("other_reference").round(n).ending) for n in range(2)]
    for other in others:
        assert other is not None and other.reference is not None
        assert other.reference["model_hash"] == other.policy_hash
    lines = [one["name"] for one in json.loads(places.numbers.read_bytes())["lines"]]
    assert len(lines) == 1 + len(names)


def test_more_rounds_make_the_controls_that_are_made_of_all_of_them_anew(
    tmp_path: Path, trainer: StandInTrainer
) -> None:
    names = ["offline", "other_reference"]
    places = PreferencePlaces(tmp_path / "loop")
    offline = places.control("offline").home
    one = turn_preferences(small(tmp_path, rounds=1, controls=names)).endings
    assert len(read_rows_of(offline / "pairs.jsonl")) == one[0].pairs
    two = turn_preferences(small(tmp_path, rounds=2, controls=names)).endings
    assert len(read_rows_of(offline / "pairs.jsonl")) == sum(ending.pairs for ending in two)
    assert len(read_rows_of(offline.with_name("offline-1") / "pairs.jsonl")) == one[0].pairs
    count = len(trainer.trained)
    turn_preferences(small(tmp_path, rounds=2, controls=names))
    assert len(trainer.trained) == count == 2 * 2 + 2, "rounds of both references, offline twice"


def read_rows_of(path: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in read_rows(path)]


def test_the_initial_policy_is_the_base_tuned_on_records_where_there_are_some(
    tmp_path: Path, trainer: StandInTrainer
) -> None:
    records = [{**row, "output": "yes"} for row in lab_prompts(24)[20:]]
    start = write_rows(tmp_path / "seed.jsonl", records)
    (ending,) = turn_preferences(small(tmp_path, rounds=1, start=[str(start)])).endings
    sft, dpo = trainer.trained
    assert (sft.objective, dpo.objective) == ("sft", "dpo")
    first = model_hash(PreferencePlaces(tmp_path / "loop").start.model)
    assert ending.policy_hash == first and ending.reference is not None
    assert ending.reference["model_hash"] == first
