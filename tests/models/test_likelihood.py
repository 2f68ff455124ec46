"""Claim: a text's likelihood is that of a plain forward pass over it alone, token by token."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the `local` extra")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from selfsown.core.errors import InputError
from selfsown.lab.weights import weights_folder
from selfsown.models.likelihood import likelihoods
from selfsown.testing.tiny_llama import write_tiny_llama

TEXTS = (
    "Name the capital of Norway.",
    "Reverse the list and put a comma between the words, then say thank you.",
    "Hello",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("model")
    return write_tiny_llama(path, width=16, layers=1, context=64)


def alone(folder: Path, before: str, text: str) -> tuple[int, float]:
    """The same by hand: one text, log-softmax, one position after another."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    head, ids = tokenizer(before)["input_ids"], tokenizer(before + text)["input_ids"]
    assert ids[: len(head)] == head, "the context ends between two tokens"
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double()
    nats = 0.0
    for place in range(max(1, len(head)), len(ids)):
        nats -= float(logits[place - 1].log_softmax(-1)[ids[place]])
    return len(ids) - max(1, len(head)), nats


@pytest.mark.parametrize("before", ["", "Come up with a series of tasks:\nTask 1:"])
def test_batched_likelihoods_equal_those_of_one_text_at_a_time(folder: Path, before: str) -> None:
    texts = [f" {text}" for text in TEXTS]
    for model in (folder, weights_folder()):
        found = likelihoods(model, texts, before=before)
        for text, one in zip(texts, found, strict=True):
            tokens, nats = alone(model, before, text)
            assert one.tokens == tokens
            assert one.nats == pytest.approx(nats, abs=1e-3)


def test_a_model_that_gives_every_token_the_same_chance(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    flat = write_tiny_llama(tmp_path / "flat", width=16, layers=1, context=64)
    weights = load_file(flat / "model.safetensors")
    save_file(
        {name: torch.zeros_like(one) for name, one in weights.items()}, flat / "model.safetensors"
    )
    vocabulary = AutoTokenizer.from_pretrained(str(flat)).vocab_size
    for one in likelihoods(flat, TEXTS):
        # every logit is 0: each token costs the logarithm of the number of tokens
        assert one.nats == pytest.approx(one.tokens * math.log(vocabulary), rel=1e-5)


def test_what_does_not_fit_into_the_context_is_left_out(folder: Path) -> None:
    long, none = likelihoods(folder, ["one two three " * 60, ""])
    assert long.tokens == 63
    assert (none.tokens, none.nats) == (0, 0.0)


def test_a_model_without_a_longest_context_takes_whole_texts(folder: Path, tmp_path: Path) -> None:
    """Bloom, like others whose positions are not counted, has no number in its config."""
    from transformers import BloomConfig, BloomForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    torch.manual_seed(0)
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 16, "n_layer": 1, "n_head": 2}
    BloomForCausalLM(BloomConfig(**sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    text = "one two three " * 60
    (found,) = likelihoods(tmp_path, [text])
    tokens, nats = alone(tmp_path, "", text)
    assert found.tokens == tokens > 64
    assert found.nats == pytest.approx(nats, rel=1e-4)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        likelihoods(tmp_path, TEXTS)
