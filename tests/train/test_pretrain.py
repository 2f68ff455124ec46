"""Claim: pretraining runs from nothing to a loadable folder, and resuming changes no weight."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the `local` extra")

from selfsown.core.errors import ConfigError
from selfsown.lab.corpus import ANSWER_WEIGHT, documents, text_of
from selfsown.lab.tokenizer import train_tokenizer
from selfsown.lab.weights import weights_hash
from selfsown.train.model_card import model_card, write_card
from selfsown.train.pretrain import SMOKE, Outcome, Settings, pretrain, rate_at
from selfsown.train.token_stream import RowStream, encode_document

TOKENS = 8_192


class Stop(Exception):
    """Ends a run from within its progress callback."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("finished")
    outcome = pretrain(out, tokens=TOKENS, seed=0, smoke=True)
    assert outcome.tokens == TOKENS
    assert outcome.parameters < 100_000
    assert 0 < outcome.answer_loss < 8 and 0 < outcome.total_loss < 8  # ln 2048 = 7.62 at random
    return out


def test_the_smoke_run_leaves_a_folder_that_transformers_loads(finished: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(finished, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(finished, local_files_only=True)
    logits = model(**tokenizer("Give the capital.", return_tensors="pt")).logits
    assert model.dtype == torch.bfloat16
    assert logits.shape[-1] == 2048
    assert not (finished / "checkpoint.pt").exists()


def test_a_run_that_was_cut_off_and_resumed_has_the_weights_of_one_that_was_not(
    finished: Path, tmp_path: Path
) -> None:
    validations = []

    def stop_at_second_save(line: str) -> None:
        if line.startswith("validation"):
            validations.append(line)
            if len(validations) == 2:
                raise Stop

    with pytest.raises(Stop):
        pretrain(
            tmp_path, tokens=TOKENS, seed=0, smoke=True, save_every_s=0.0,
            on_progress=stop_at_second_save,
        )  # fmt: skip
    assert (tmp_path / "checkpoint.pt").exists()
    pretrain(tmp_path, tokens=TOKENS, seed=0, smoke=True)
    assert weights_hash(tmp_path) == weights_hash(finished)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if len(list(tmp_path.glob("checkpoint.pt"))) == 1:
            raise Stop

    with pytest.raises(Stop):
        pretrain(tmp_path, tokens=TOKENS, seed=0, smoke=True, save_every_s=0.0, on_progress=stop)
    with pytest.raises(ConfigError, match="other settings"):
        pretrain(tmp_path, tokens=TOKENS + 1, seed=0, smoke=True)


def test_no_tokens_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`tokens` is 0"):
        pretrain(tmp_path, tokens=0, seed=0)


def test_the_rate_warms_up_stays_and_falls_to_two_per_cent() -> None:
    settings = Settings(tokens=1, seed=0, warmup_steps=10, decay_share=0.4)
    assert rate_at(0, 0.0, settings) == pytest.approx(0.1)
    assert rate_at(100, 0.5, settings) == 1.0
    assert rate_at(100, 0.8, settings) == pytest.approx(0.5)  # half of the last 40 %
    assert rate_at(100, 1.0, settings) == pytest.approx(0.02)


def test_answer_tokens_and_only_they_carry_the_answer_weight() -> None:
    tokenizer = train_tokenizer(seed=0, document_count=400)
    weighted = 0
    for number, document in zip(range(60), documents(seed=9), strict=False):
        ids, weights = encode_document(tokenizer, document)
        assert len(ids) == len(weights)
        picked = [i for i, w in zip(ids, weights, strict=True) if w == ANSWER_WEIGHT]
        expected = [span.text for span in document if span.weight == ANSWER_WEIGHT]
        squeezed = "".join("".join(expected).split())
        assert "".join(tokenizer.decode(picked).split()) == squeezed, (number, text_of(document))
        weighted += len(picked)
    assert weighted > 500


def test_targets_are_the_inputs_moved_by_one() -> None:
    stream = RowStream(train_tokenizer(seed=0, document_count=200), seed=1, shard_documents=20)
    inputs, targets, weights = stream.next_rows(2, 16)
    following, _, _ = stream.next_rows(2, 16)
    assert inputs.flatten()[1:].tolist() == targets.flatten()[:-1].tolist()
    assert targets.flatten()[-1] == following.flatten()[0]
    assert weights.shape == (2, 16)


def test_the_card_names_command_data_and_losses(tmp_path: Path) -> None:
    outcome = Outcome(TOKENS, 86_176, 1.5, 2.5, 3.0)
    write_card(tmp_path, model_card(SMOKE, outcome))
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: apache-2.0\n")
    assert "`selfsown lab pretrain --tokens 20000 --seed 0`" in text
    assert "1.500 on answers" in text
