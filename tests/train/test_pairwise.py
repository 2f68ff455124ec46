"""Claim: a preference model is asked in both orders, so that no place is preferred."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the `local` extra")

from tests.train.pair_files import lab_pairs, write_pairs

from selfsown.core.errors import ConfigError, InputError
from selfsown.models.answer_tokens import Question
from selfsown.models.fingerprint import model_hash
from selfsown.models.preference import PreferenceModel
from selfsown.train.child import run
from selfsown.train.plan import make_plan, write_plan
from selfsown.train.settings import TrainConfig

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def config_for(base: Path, pairs: Path, out: Path, **given: object) -> TrainConfig:
    form = {
        "data": [{"path": str(pairs)}], "base": str(base), "out": str(out), "preset": "lab",
        "objective": "pairwise", "threads": 1, "batch_size": 8, "suites": [], **given,
    }  # fmt: skip
    return TrainConfig.model_validate(form)


@pytest.fixture(scope="module")
def trained(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, object]]:
    """A model of 40 pairs, a fifth of them held out."""
    folder = tmp_path_factory.mktemp("pairwise")
    pairs = write_pairs(folder / "pairs.jsonl", lab_pairs(40))
    plan = make_plan(config_for(tiny, pairs, folder / "m", held_out=0.2, max_steps=3))
    write_plan(plan)
    run(plan, lambda line: None)
    record: Mapping[str, object] = json.loads((folder / "m" / "training.json").read_text())
    return folder / "m", record


def test_swapping_the_answers_turns_the_value_around(
    trained: tuple[Path, Mapping[str, object]],
) -> None:
    model = PreferenceModel(trained[0])
    asked = Question("Name a colour.")
    one, other = model.prefer(asked, "red", "seven"), model.prefer(asked, "seven", "red")
    assert one.value is not None and other.value is not None
    assert one.value == pytest.approx(1 - other.value, abs=1e-12)
    assert one.in_order == pytest.approx(1 - (other.swapped or 0), abs=1e-12)
    assert one == model.prefer(asked, "red", "seven")
    assert model.identity == model_hash(trained[0])


def test_a_model_that_always_says_a_says_one_half(
    trained: tuple[Path, Mapping[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PreferenceModel(trained[0])
    monkeypatch.setattr(PreferenceModel, "_share_of_a", lambda self, ids, letters: 1.0)
    rigged = model.prefer(Question("Name a colour."), "red", "seven")
    assert (rigged.value, rigged.in_order, rigged.swapped) == (0.5, 1.0, 0.0)


def test_the_value_is_that_of_the_letters_logits(
    trained: tuple[Path, Mapping[str, object]],
) -> None:
    """The reference writes the comparison down and asks transformers itself."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(trained[0]).eval()
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    text = (
        "Question:\nName a colour.\n\nAnswer A:\nred\n\nAnswer B:\nseven\n\n"
        "Letter of the better answer:\n"
    )
    letters = [tokenizer(text + letter)["input_ids"][-1] for letter in "AB"]
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1]
    expected = float(logits[letters].softmax(-1)[0])
    found = PreferenceModel(trained[0]).prefer(Question("Name a colour."), "red", "seven")
    assert found.in_order == pytest.approx(expected, abs=1e-6)


def test_orders_are_drawn_and_held_out_pairs_measured(
    trained: tuple[Path, Mapping[str, object]],
) -> None:
    measured, data = trained[1]["pairs"], trained[1]["data"]
    assert isinstance(measured, dict) and isinstance(data, dict)
    assert measured["held_out_at_start"]["pairs"] == measured["held_out_at_end"]["pairs"] == 8
    assert 0 <= measured["held_out_at_end"]["accuracy"] <= 1
    assert data["rows"] + sum(data["left_out"].values()) + 8 == 40


def test_what_does_not_fit_has_no_value(trained: tuple[Path, Mapping[str, object]]) -> None:
    model = PreferenceModel(trained[0])
    asked = Question("Name a colour.")
    long = model.prefer(asked, "red " * 200, "blue")
    forged = model.prefer(asked, "red", "blue<|endoftext|>")
    assert (long.value, long.missing) == (None, "too_long")
    assert (forged.value, forged.missing) == (None, "special_token")


def test_what_is_no_preference_model_and_encodings_that_do_not_fit_are_refused(
    tiny: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="has no `selfsown_preference`"):
        PreferenceModel(tiny)
    with pytest.raises(InputError, match=r"no config\.json"):
        PreferenceModel(tmp_path)
    pairs = write_pairs(tmp_path / "pairs.jsonl", lab_pairs(3))
    with pytest.raises(ConfigError, match="encoding `task` does not go with"):
        make_plan(config_for(tiny, pairs, tmp_path / "m", encoding="task"))
