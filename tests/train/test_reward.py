"""Claim: a reward model learns which answers are better, and nothing about how they are padded."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the `local` extra")

from tests.train.pair_files import lab_pairs, world_pairs, write_pairs

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.request import JSON
from selfsown.models.answer_tokens import Question
from selfsown.models.fingerprint import model_hash
from selfsown.models.reward import Answered, RewardModel
from selfsown.models.uri import open_model
from selfsown.train.child import run
from selfsown.train.pair_records import read_pairs
from selfsown.train.plan import make_plan, write_plan
from selfsown.train.settings import SourceConfig, TrainConfig

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


class Stop(Exception):
    """Ends a training from within its progress callback."""


def config_for(base: Path, pairs: Path, out: Path, **given: object) -> TrainConfig:
    form = {
        "data": [{"path": str(pairs)}], "base": str(base), "out": str(out), "preset": "lab",
        "objective": "reward", "encoding": "task", "threads": 1, "batch_size": 8,
        "micro_batch_size": 4, "suites": [], **given,
    }  # fmt: skip
    return TrainConfig.model_validate(form)


def train_here(config: TrainConfig, stop_at: int = -1) -> Mapping[str, JSON]:
    """The child's work in this process; returns the record."""
    plan = make_plan(config)
    write_plan(plan)

    def report(line: Mapping[str, JSON]) -> None:
        if line.get("checkpoint") == stop_at:
            raise Stop

    run(plan, report)
    record: dict[str, JSON] = json.loads((plan.out / "training.json").read_text())
    return record


@pytest.fixture(scope="module")
def trained(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, JSON]]:
    """A reward model of 70 pairs whose worse answer ends in a certain word; 10 % are swapped."""
    folder, rng = tmp_path_factory.mktemp("reward"), random.Random(0)
    rows = lab_pairs(70)
    for row in rng.sample(rows, 7):
        row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    pairs = write_pairs(folder / "pairs.jsonl", rows)
    config = config_for(tiny, pairs, folder / "m", held_out=0.1, epochs=6, learning_rate=5e-3)
    return folder / "m", train_here(config)


def answers(count: int) -> list[Answered]:
    """Right and spoiled answers of several lengths."""
    return [
        Answered(Question(str(row["prompt"]), str(row["input"])), str(row[name]))
        for row in lab_pairs(count)
        for name in ("chosen", "rejected")
    ]


def test_the_loss_begins_at_ln_2_and_the_chosen_come_to_score_higher(
    trained: tuple[Path, Mapping[str, JSON]],
) -> None:
    _, record = trained
    measured, result = record["pairs"], record["result"]
    assert isinstance(measured, dict) and isinstance(result, dict)
    assert measured["held_out_at_start"]["loss"] == pytest.approx(0.6931472, abs=1e-6)
    assert result["losses"][0][1] == pytest.approx(0.693147, abs=1e-6)
    assert measured["trained_at_end"]["loss"] < 0.6
    assert {"accuracy", "loss", "margin", "length_correlation"} < measured["held_out_at_end"].keys()


def test_the_folder_scores_as_the_training_measured(
    trained: tuple[Path, Mapping[str, JSON]],
) -> None:
    folder, record = trained
    measured = record["pairs"]
    assert isinstance(measured, dict)
    rows = read_pairs([SourceConfig(path=str(folder.parent / "pairs.jsonl"))])
    asked = [Answered(row.question, text) for row in rows for text in (row.chosen, row.rejected)]
    values = [one.value or 0.0 for one in RewardModel(folder).score(asked)]
    margins = [a - b for a, b in zip(values[::2], values[1::2], strict=True)]
    counts = [measured[f"{part}_at_end"]["pairs"] for part in ("trained", "held_out")]
    sums = [measured[f"{part}_at_end"]["margin"] for part in ("trained", "held_out")]
    expected = sum(count * mean for count, mean in zip(counts, sums, strict=True))
    assert sum(counts) == len(rows)
    assert sum(margins) == pytest.approx(expected, rel=1e-4)


def test_with_a_tenth_of_the_labels_swapped_it_is_right_about_85_of_100_new_pairs(
    trained: tuple[Path, Mapping[str, JSON]],
) -> None:
    values = [one.value or 0.0 for one in RewardModel(trained[0]).score(answers(100)[140:])]
    right = [chosen > rejected for chosen, rejected in zip(values[::2], values[1::2], strict=True)]
    assert len(right) == 30 and sum(right) > 0.85 * len(right)


def test_a_score_is_the_same_bits_whatever_else_is_scored(
    trained: tuple[Path, Mapping[str, JSON]],
) -> None:
    model = RewardModel(trained[0])
    asked = answers(6)
    together = model.score(asked)
    assert len({one.tokens for one in together}) > 2
    assert [model.score([one])[0] for one in asked] == together
    assert model.score(asked[::-1]) == together[::-1]
    assert model.identity == model_hash(trained[0])


@pytest.mark.parametrize("pad", ["<|pad|>", "<|endoftext|>"])
def test_a_padded_text_scores_as_it_does_alone_also_where_padding_is_the_end(
    trained: tuple[Path, Mapping[str, JSON]], pad: str
) -> None:
    alone, padded = RewardModel(trained[0]), RewardModel(trained[0], rows=16)
    config = padded._model.config
    config.pad_token_id = padded._tokens.tokenizer.convert_tokens_to_ids(pad)
    pairs = zip(alone.score(answers(8)), padded.score(answers(8)), strict=True)
    for one, other in pairs:
        assert one.value == pytest.approx(other.value, abs=1e-5)


def test_the_score_is_the_heads_at_the_last_token_of_the_text(
    trained: tuple[Path, Mapping[str, JSON]],
) -> None:
    """The reference is transformers' own pass over the one text, read at its last position."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(trained[0]).eval()
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    (one,) = RewardModel(trained[0]).score([Answered(Question("Say it."), "It")])
    ids = tokenizer("Task: Say it.\nOutput: It")["input_ids"]
    with torch.no_grad():
        states = model.model(torch.tensor([ids])).last_hidden_state
        assert one.value == pytest.approx(float(model.score(states[0, -1])), abs=1e-6)
    assert one.tokens == len(ids)


def test_what_cannot_be_scored_whole_has_no_score(
    trained: tuple[Path, Mapping[str, JSON]],
) -> None:
    model = RewardModel(trained[0])
    long, forged, good = model.score(
        [
            Answered(Question("Say it."), "word " * 200),
            Answered(Question("Say it."), "It<|endoftext|>"),
            Answered(Question("Say it."), "It"),
        ]
    )
    assert (long.value, long.missing) == (None, "too_long") and long.tokens > 128
    assert (forged.value, forged.missing) == (None, "special_token")
    assert good.value is not None and good.missing == ""


def test_a_score_that_is_no_number_is_missing(trained: tuple[Path, Mapping[str, JSON]]) -> None:
    model = RewardModel(trained[0])
    model._scored = lambda texts: [float("nan")] * len(texts)  # type: ignore[method-assign]
    (one,) = model.score([Answered(Question("Say it."), "It")])
    assert (one.value, one.missing) == (None, "no_number")


@pytest.mark.parametrize("given", [{}, {"method": "lora", "lora_rank": 4}])
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(
    tiny: Path, tmp_path: Path, given: Mapping[str, object]
) -> None:
    pairs = write_pairs(tmp_path / "pairs.jsonl", lab_pairs(16))
    whole = config_for(tiny, pairs, tmp_path / "whole", max_steps=3, **given)
    cut = config_for(tiny, pairs, tmp_path / "cut", max_steps=3, checkpoint_every_s=0, **given)
    first = train_here(whole)
    with pytest.raises(Stop):
        train_here(cut, stop_at=2)
    assert train_here(cut)["pairs"] == first["pairs"]
    assert model_hash(tmp_path / "cut") == model_hash(tmp_path / "whole")
    RewardModel(tmp_path / "cut")


def test_what_is_no_reward_model_is_refused(
    trained: tuple[Path, Mapping[str, JSON]], tiny: Path, tmp_path: Path
) -> None:
    def copy(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in trained[0].iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        return folder

    bare, headless, other = copy("bare"), copy("headless"), copy("other")
    (bare / "model.safetensors").unlink()
    (headless / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes())
    form = json.loads((other / "tokenizer.json").read_text())
    form["model"]["vocab"]["zzzz"] = 99_999
    (other / "tokenizer.json").write_text(json.dumps(form))
    cases = {
        tmp_path / "absent": "no config.json",
        tiny: "its architecture is `LlamaForCausalLM`",
        bare: "it has no weights",
        headless: r"its weights lack `score\.weight`",
        other: "it is the tokenizer of another model",
    }
    for folder, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            RewardModel(folder)
        assert caught.value.why and caught.value.fix


@pytest.mark.parametrize("objective", ["sft", "dpo", "pairwise"])
def test_a_reward_model_is_no_base_of_a_model_that_writes(
    trained: tuple[Path, Mapping[str, JSON]], tiny: Path, tmp_path: Path, objective: str
) -> None:
    given = {"objective": objective, "encoding": "verbatim" if objective == "pairwise" else "task"}
    pairs = write_pairs(tmp_path / "pairs.jsonl", lab_pairs(4))
    with pytest.raises(ConfigError, match="writes no text: its architecture is `LlamaForSeq") as no:
        make_plan(config_for(trained[0], pairs, tmp_path / "m", **given))
    assert no.value.why and no.value.fix
    if objective == "dpo":
        named = given | {"reference": str(trained[0])}
        with pytest.raises(ConfigError, match="writes no text"):
            make_plan(config_for(tiny, pairs, tmp_path / "m", **named))


@pytest.mark.parametrize("scheme", ["hf", "lab"])
def test_a_reward_model_is_not_asked_to_write(
    trained: tuple[Path, Mapping[str, JSON]], scheme: str
) -> None:
    with pytest.raises(ConfigError, match="writes no text"):
        open_model(f"{scheme}:{trained[0]}")


@pytest.mark.slow
def test_of_1000_pairs_of_the_lab_a_tenth_swapped_the_lab_model_learns_85_of_100_new_ones(
    tmp_path: Path,
) -> None:
    rows = world_pairs(1_000, seed=1, other_task=True)
    for row in random.Random(0).sample(rows, 100):
        row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    pairs = write_pairs(tmp_path / "pairs.jsonl", rows)
    given = {"batch_size": None, "micro_batch_size": None}
    train_here(config_for(Path("lab"), pairs, tmp_path / "m", **given))
    asked = [
        Answered(Question(str(row["prompt"]), str(row["input"])), str(row[name]))
        for row in world_pairs(200, seed=2, other_task=True)
        for name in ("chosen", "rejected")
    ]
    values = [one.value or 0.0 for one in RewardModel(tmp_path / "m").score(asked)]
    right = [chosen > rejected for chosen, rejected in zip(values[::2], values[1::2], strict=True)]
    assert sum(right) > 0.85 * len(right)
