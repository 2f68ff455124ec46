"""Claim: DPO on pairs raises the margin, says what it stayed close to, and stops at a collapse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the `local` extra")

from tests.train.pair_files import finished_run, lab_pairs, world_pairs, write_pairs

from selfsown.core.errors import CheckFailed, ConfigError, InputError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.evaluate.open_suite import open_suite
from selfsown.lab.weights import weights_folder
from selfsown.models.fingerprint import model_hash
from selfsown.train.child import run
from selfsown.train.emit import emit
from selfsown.train.exposure import exposures
from selfsown.train.pair_records import read_pairs
from selfsown.train.plan import make_plan, read_plan, write_plan
from selfsown.train.preference import ChosenCollapsed
from selfsown.train.settings import SourceConfig, TrainConfig
from selfsown.train.sft import train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


class Stop(Exception):
    """Ends a training from within its progress callback."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", lab_pairs(24))


def config_for(base: Path, pairs: Path, out: Path, **given: object) -> TrainConfig:
    form = {
        "data": [{"path": str(pairs)}], "base": str(base), "out": str(out), "preset": "lab",
        "objective": "dpo", "encoding": "task", "threads": 1, "max_steps": 4, "batch_size": 8,
        "micro_batch_size": 4, "suites": [], **given,
    }  # fmt: skip
    return TrainConfig.model_validate(form)


def train_here(config: TrainConfig, stop_at: int = -1) -> Mapping[str, JSON]:
    """The child's work in this process; returns the record."""
    plan = make_plan(config)
    path = write_plan(plan)
    assert read_plan(path) == plan

    def report(line: Mapping[str, JSON]) -> None:
        if line.get("checkpoint") == stop_at:
            raise Stop

    run(plan, report)
    record: dict[str, JSON] = json.loads((plan.out / "training.json").read_text())
    return record


def test_the_margin_grows_and_the_record_says_from_where(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    config = config_for(tiny, pairs, tmp_path / "m", max_steps=6, learning_rate=3e-3)
    record = train_here(config)
    measured = record["pairs"]
    assert isinstance(measured, dict)
    start, end = measured["trained_at_start"], measured["trained_at_end"]
    assert (start["accuracy"], start["log_ratio_margin"], start["kl"]) == (0.5, 0.0, 0.0)
    assert end["accuracy"] > 0.9 and end["log_ratio_margin"] > 1 and end["kl"] > 0
    hashed = {"kind": "initial", "folder": str(tiny.resolve()), "model_hash": model_hash(tiny)}
    assert record["reference"] == hashed
    lines = (tmp_path / "m" / "training" / "steps.jsonl").read_text().splitlines()
    steps = [json.loads(line) for line in lines]
    assert [one["step"] for one in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[-1]["margin"] > steps[0]["margin"] == 0
    names = {"chosen_logp", "rejected_logp", "kl", "chosen_tokens", "rejected_tokens", "loss"}
    assert all(names <= one.keys() for one in steps)


def test_the_first_loss_is_ln_2_and_the_log_likelihoods_are_those_of_the_base(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    """The reference adds log-probabilities text by text, from the base's own logits."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    record = train_here(config_for(tiny, pairs, tmp_path / "m", batch_size=24, max_steps=1))
    result, measured = record["result"], record["pairs"]
    assert isinstance(result, dict) and isinstance(measured, dict)
    assert result["losses"][0][1] == pytest.approx(0.693147, abs=1e-6)
    model = AutoModelForCausalLM.from_pretrained(tiny).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    total = 0.0
    for row in lab_pairs(24):
        given = f"\nInput: {row['input']}" if row["input"] else ""
        prompt = f"Task: {row['prompt']}{given}\nOutput:"
        head = tokenizer(prompt)["input_ids"]
        ids = tokenizer(f"{prompt} {row['chosen']}")["input_ids"] + [tokenizer.eos_token_id]
        with torch.no_grad():
            logps = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        total += sum(float(logps[k - 1, ids[k]]) for k in range(len(head), len(ids)))
    assert measured["trained_at_start"]["chosen_logp"] == pytest.approx(total / 24, rel=1e-5)
    steps = (tmp_path / "m" / "training" / "steps.jsonl").read_text().splitlines()
    assert json.loads(steps[0])["chosen_logp"] == pytest.approx(total / 24, rel=1e-5)


@pytest.mark.parametrize("given", [{}, {"reference": "ema"}, {"method": "lora", "lora_rank": 4}])
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(
    tiny: Path, pairs: Path, tmp_path: Path, given: Mapping[str, object]
) -> None:
    whole = config_for(tiny, pairs, tmp_path / "whole", **given)
    first = train_here(whole)
    cut = config_for(tiny, pairs, tmp_path / "cut", checkpoint_every_s=0, **given)
    with pytest.raises(Stop):
        train_here(cut, stop_at=2)
    second = train_here(cut)
    assert model_hash(tmp_path / "cut") == model_hash(tmp_path / "whole")
    assert second["pairs"] == first["pairs"]
    assert second.get("reference_at_end") == first.get("reference_at_end")
    steps = "training/steps.jsonl"
    assert (tmp_path / "cut" / steps).read_bytes() == (tmp_path / "whole" / steps).read_bytes()


def test_the_initial_reference_is_where_the_chain_began_and_the_previous_where_it_stands(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    train_here(config_for(tiny, pairs, tmp_path / "1", max_steps=1))
    train_here(config_for(tmp_path / "1", pairs, tmp_path / "2", max_steps=1))
    third = config_for(tmp_path / "2", pairs, tmp_path / "3", max_steps=1)
    initial, previous, named = (
        make_plan(third.model_copy(update={"reference": name})).reference
        for name in (None, "previous", str(tmp_path / "1"))
    )
    assert initial is not None and previous is not None and named is not None
    assert (initial.kind, initial.model_hash) == ("initial", model_hash(tiny))
    assert (previous.kind, previous.model_hash) == ("previous", model_hash(tmp_path / "2"))
    assert (named.kind, named.model_hash) == ("named", model_hash(tmp_path / "1"))
    record = train_here(third)
    measured = record["pairs"]
    assert isinstance(measured, dict)
    assert measured["trained_at_start"]["kl"] > 0  # of the base from the initial policy


def test_a_moving_reference_goes_on_where_it_ended(tiny: Path, pairs: Path, tmp_path: Path) -> None:
    given = {"reference": "ema", "ema_decay": 0.5, "learning_rate": 3e-3}
    first = train_here(config_for(tiny, pairs, tmp_path / "1", **given))
    ended = first["reference_at_end"]
    assert isinstance(ended, dict)
    assert ended["model_hash"] not in (model_hash(tiny), model_hash(tmp_path / "1"))
    second = make_plan(config_for(tmp_path / "1", pairs, tmp_path / "2", **given)).reference
    assert second is not None and second.model_hash == ended["model_hash"]


def test_chosen_answers_that_become_unlikely_stop_the_training(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    config = config_for(
        tiny,
        pairs,
        tmp_path / "m",
        max_steps=20,
        learning_rate=0.05,
        max_chosen_fall=0.1,
        loss="apo_down",
    )
    with pytest.raises(ChosenCollapsed, match=r"nats per token .* by step") as caught:
        train_here(config)
    assert "higher `beta`" in caught.value.fix
    assert not (tmp_path / "m" / "training.json").exists()


def test_a_collapse_in_the_child_is_a_result_and_its_first_steps_are_in_the_log(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    config = config_for(
        tiny, pairs, tmp_path / "m", max_steps=20, learning_rate=0.05, max_chosen_fall=0.1,
        loss="apo_down",
    )  # fmt: skip
    result = train(config)
    assert result.failure is not None and result.failure.kind == "collapsed"
    assert "'loss'" in result.failure.log_tail
    with pytest.raises(CheckFailed, match="chosen answers lost"):
        result.raise_for_failure()


def test_variants_come_by_the_name_of_their_loss(tiny: Path, pairs: Path, tmp_path: Path) -> None:
    ipo = config_for(tiny, pairs, tmp_path / "ipo", max_steps=1, loss="ipo")
    nll = config_for(tiny, pairs, tmp_path / "nll", max_steps=1, sft_weight=1.0)
    losses = {}
    for config in (ipo, nll):
        result = train_here(config)["result"]
        assert isinstance(result, dict)
        losses[config.loss] = result["losses"][0][1]
    assert losses["ipo"] == pytest.approx((1 / (2 * 0.1)) ** 2)  # margin 0 against 1 / 2 beta
    assert losses[None] > 2  # ln 2 and the chosen answers' own loss


def test_held_out_pairs_share_no_prompt_with_those_trained_on(tiny: Path, tmp_path: Path) -> None:
    rows = [row | {"rejected": f"no {k}"} for row in lab_pairs(10) for k in range(2)]
    file = write_pairs(tmp_path / "pairs.jsonl", rows)
    record = train_here(config_for(tiny, file, tmp_path / "m", held_out=0.3, max_steps=1))
    measured, data = record["pairs"], record["data"]
    assert isinstance(measured, dict) and isinstance(data, dict)
    assert (measured["held_out_at_start"]["pairs"], data["rows"]) == (6, 14)


def test_no_pairs_and_pairs_that_are_none_are_refused_before_anything_is_loaded(
    tiny: Path, tmp_path: Path
) -> None:
    good = lab_pairs(3)
    same = {**good[1], "rejected": f"{good[1]['chosen']} "}
    cases: dict[str, list[dict[str, object]]] = {
        "no preference pair": [],
        "line 2: its two answers are the same text": [good[0], same],
        "line 1: one of its answers says nothing": [{**good[0], "rejected": " "}],
        "line 1: field `rejected` is missing, not text": [{"prompt": "a", "chosen": "b"}],
    }
    for message, rows in cases.items():
        file = write_pairs(tmp_path / "pairs.jsonl", rows)
        with pytest.raises(InputError, match=message) as caught:
            make_plan(config_for(tiny, file, tmp_path / "m"))
        assert caught.value.why and caught.value.fix
    with pytest.raises(InputError, match="does not exist"):
        make_plan(config_for(tiny, tmp_path / "absent.jsonl", tmp_path / "m"))
    with pytest.raises(TooFewRecords, match="left out: too_long 3"):
        file = write_pairs(tmp_path / "pairs.jsonl", good)
        train_here(config_for(tiny, file, tmp_path / "m", max_tokens=8))


def test_a_reference_without_weights_or_with_another_tokenizer_is_refused(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    bare, other = tmp_path / "bare", tmp_path / "other"
    bare.mkdir(), other.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (bare / name).write_bytes((tiny / name).read_bytes())
        (other / name).write_bytes((tiny / name).read_bytes())
    (other / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    form = json.loads((tiny / "tokenizer.json").read_text())
    form["model"]["merges"].reverse()
    (other / "tokenizer.json").write_text(json.dumps(form))
    for folder, message in ((bare, "has no weights"), (other, "different tokenizers")):
        with pytest.raises(InputError, match=message):
            make_plan(config_for(tiny, pairs, tmp_path / "m", reference=str(folder)))
    with pytest.raises(ConfigError, match="no folder with a"):
        make_plan(config_for(tiny, pairs, tmp_path / "m", reference=str(tmp_path / "absent")))


def test_an_initial_policy_that_is_gone_is_said(tiny: Path, pairs: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for file in tiny.iterdir():
        (base / file.name).write_bytes(file.read_bytes())
    train_here(config_for(base, pairs, tmp_path / "1", max_steps=1))
    (base / "config.json").unlink()
    with pytest.raises(InputError, match=r"the initial policy .* is gone"):
        make_plan(config_for(tmp_path / "1", pairs, tmp_path / "2"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objective": "sft", "beta": 0.2}, "`beta` is given, and the objective is `sft`"),
        ({"objective": "reward", "reference": "ema"}, "`reference` is given"),
        ({"preset": "paper", "encoding": None}, "preset `paper` goes with objective `sft`"),
        ({"encoding": "published"}, "encoding `published` does not go with"),
        ({"loss": "exo_pair"}, "needs a `label_smoothing`"),
        ({"human_share": 0.5}, "`human_share` is given"),
        ({"method": "lora", "reference": "ema"}, "moves with all weights"),
    ],
)
def test_values_that_do_not_go_together_are_refused(
    tiny: Path, pairs: Path, tmp_path: Path, given: Mapping[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_plan(config_for(tiny, pairs, tmp_path / "m", **given))


@pytest.mark.slow
def test_sixty_pairs_of_the_oracle_teach_the_lab_model_about_questions_it_was_not_trained_on(
    tmp_path: Path,
) -> None:
    pairs = write_pairs(tmp_path / "pairs.jsonl", world_pairs(60, seed=1))
    config = config_for(
        Path("lab"), pairs, tmp_path / "m", max_steps=None, batch_size=16, micro_batch_size=16,
        held_out=0.2,
    )  # fmt: skip
    record = train_here(config)
    measured, reference = record["pairs"], record["reference"]
    assert isinstance(measured, dict) and isinstance(reference, dict)
    start, end = measured["held_out_at_start"], measured["held_out_at_end"]
    assert end["log_ratio_margin"] > start["log_ratio_margin"] == 0
    assert end["accuracy"] > 0.75 > start["accuracy"] == 0.5
    assert reference["model_hash"] == model_hash(weights_folder())


def test_a_run_of_a_preference_recipe_is_taken_as_it_is_and_others_are_told_how(
    tiny: Path, tmp_path: Path
) -> None:
    rows = [{"chosen_id": "a", "rejected_id": "b", "round": 1, **row} for row in lab_pairs(3)]
    rows = [{**row, "prompt_id": f"p{k}"} for k, row in enumerate(rows)]
    run_dir = finished_run(tmp_path / "run", rows)
    found = read_pairs([SourceConfig(path=str(run_dir))])
    assert [one.chosen for one in found] == [row["chosen"] for row in rows]
    assert {(one.origin, one.is_declared) for one in found} == {("machine", False)}
    assert all(one.id for one in found)
    other = finished_run(tmp_path / "other", [{"instruction": "a", "output": "b"}])
    with pytest.raises(InputError, match="no preference pairs") as caught:
        make_plan(config_for(tiny, other, tmp_path / "m"))
    assert "selfsown pairs" in caught.value.fix


def test_pairs_that_repeat_a_suite_are_left_out_or_noticed_by_the_evaluation(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked.jsonl"
    lines = [{"instruction": row["prompt"], "references": ["x"]} for row in lab_pairs(2)]
    write_pairs(asked, lines)
    cleaned = config_for(tiny, pairs, tmp_path / "1", max_steps=1, suites=[str(asked)])
    data = train_here(cleaned)["data"]
    assert isinstance(data, dict) and data["left_out"]["benchmark_overlap"] >= 1
    (known,) = exposures(f"hf:{tmp_path / '1'}", [open_suite(str(asked))])
    assert known.state == "cleaned"
    train_here(config_for(tiny, pairs, tmp_path / "2", max_steps=1))
    (seen,) = exposures(f"hf:{tmp_path / '2'}", [open_suite(str(asked))], allow=True)
    assert seen.state == "overlap"


def test_files_for_other_trainers_are_not_made_of_pairs(
    tiny: Path, pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="not for objective `dpo`"):
        emit(config_for(tiny, pairs, tmp_path / "m"), "axolotl")
