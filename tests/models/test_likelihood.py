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
from selfsown.models.answer_tokens import AnswerTokens, Question
from selfsown.models.likelihood import GivenAnswer, answer_likelihoods, likelihoods
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


def by_hand(folder: Path, ids: list[int], start: int) -> float:
    """Nats of `ids[start:]`, one forward pass over one text."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    with torch.inference_mode():
        logp = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return -sum(float(logp[place - 1, ids[place]]) for place in range(start, len(ids)))


def test_an_answers_likelihood_is_that_of_its_tokens_and_its_end_in_the_trainings_encoding(
    folder: Path,
) -> None:
    tokens = AnswerTokens(AutoTokenizer.from_pretrained(str(folder)))
    question = Question("Write the word backwards.", "tree")
    head = tokens.ids("Task: Write the word backwards.\nInput: tree\nOutput:")
    for text in ("eert", "", "e e r t, and more"):
        answer = tokens.ids(f" {text}") if text else tokens.ids(" ")
        for is_cut_off in (False, True):
            ids = [*tokens.lead, *head, *answer, *([] if is_cut_off else [tokens.end])]
            start = len(tokens.lead) + len(head)
            given = GivenAnswer(question, f" {text} ", is_cut_off)
            (found,) = answer_likelihoods(folder, [given], "task")
            assert found is not None
            assert found.tokens == len(ids) - start
            assert found.nats == pytest.approx(by_hand(folder, ids, start), abs=1e-3)


def test_an_answer_that_is_cut_off_has_no_end_of_its_turn(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    chat = write_tiny_llama(
        tmp_path / "chat", width=16, layers=1, context=96, chat_template=template
    )
    tokens = AnswerTokens(AutoTokenizer.from_pretrained(str(chat)))
    asked = "<user>What is it?<end>\n<assistant>"
    head = tokens.ids(asked)
    open_, whole = (
        [*head, *tokens.ids(asked + text)[len(head) :]] for text in ("A tree.", "A tree.<end>\n")
    )
    question = Question("What is it?")
    cut, ended = answer_likelihoods(
        chat, [GivenAnswer(question, "A tree.", cut) for cut in (True, False)], "chat"
    )
    assert cut is not None and ended is not None
    assert cut.nats == pytest.approx(by_hand(chat, open_, len(head)), abs=1e-3)
    whole = [*whole, tokens.end]
    assert ended.nats == pytest.approx(by_hand(chat, whole, len(head)), abs=1e-3)


def test_answers_that_cannot_be_written_have_no_likelihood_and_the_others_keep_theirs(
    folder: Path,
) -> None:
    question = Question("Name a tree.")
    given = [
        GivenAnswer(question, "one two three " * 60),
        GivenAnswer(question, "oak"),
        GivenAnswer(question, "oak <|endoftext|>"),
    ]
    long, short, forged = answer_likelihoods(folder, given, "task")
    assert (long, forged) == (None, None)
    assert [short] == answer_likelihoods(folder, given[1:2], "task")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        likelihoods(tmp_path, TEXTS)
