"""Claim: along an answer, a divergence is that of whole distributions, its end included."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the `local` extra")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from selfsown.models.answer_tokens import AnswerTokens, Question
from selfsown.models.divergence import AnswerIds, GivenAnswer, answer_divergences, answer_sums
from selfsown.testing.tiny_llama import write_tiny_llama

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home: Path = tmp_path_factory.mktemp("models")
    first, second = (
        write_tiny_llama(home / str(seed), seed=seed, width=16, layers=1, context=64)
        for seed in (0, 1)
    )
    return first, second


def by_hand(folders: tuple[Path, Path], ids: list[int], start: int) -> float:
    """Of the distributions of `ids[start:]`, by one forward pass of each model over one text."""
    both = []
    for folder in folders:
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, start - 1 : len(ids) - 1]
        both.append(logits.double().log_softmax(-1))
    own, other = both
    return float((own.exp() * (own - other)).sum())


def test_it_is_summed_over_the_answer_and_its_end_in_the_trainings_encoding(
    folders: tuple[Path, Path],
) -> None:
    tokens = AnswerTokens(AutoTokenizer.from_pretrained(str(folders[0])))
    question = Question("Write the word backwards.", "tree")
    head = tokens.ids("Task: Write the word backwards.\nInput: tree\nOutput:")
    start = len(tokens.lead) + len(head)
    given, expected = [], []
    for text in ("eert", "", "e e r t, and more"):
        for is_cut_off in (False, True):
            end = [] if is_cut_off else [tokens.end]
            ids = [*tokens.lead, *head, *tokens.ids(f" {text}"), *end]
            given.append(GivenAnswer(question, f" {text} ", is_cut_off))
            expected.append(by_hand(folders, ids, start))
    assert answer_divergences(*folders, given, "task") == pytest.approx(expected, abs=1e-3)
    assert all(one > 0 for one in expected)
    assert answer_divergences(folders[0], folders[0], given, "task") == [0.0] * len(given)


def test_an_answer_of_a_chat_that_is_cut_off_has_no_end_of_its_turn(tmp_path: Path) -> None:
    first, second = (
        write_tiny_llama(
            tmp_path / str(seed), seed=seed, width=16, layers=1, context=96, chat_template=TEMPLATE
        )
        for seed in (0, 1)
    )
    tokens = AnswerTokens(AutoTokenizer.from_pretrained(str(first)))
    asked = "<user>What is it?<end>\n<assistant>"
    start = len(tokens.ids(asked))
    open_ = tokens.ids(f"{asked}A tree.")
    whole = [*tokens.ids(f"{asked}A tree.<end>\n"), tokens.end]
    given = [GivenAnswer(Question("What is it?"), "A tree.", cut) for cut in (True, False)]
    expected = [by_hand((first, second), ids, start) for ids in (open_, whole)]
    assert answer_divergences(first, second, given, "chat") == pytest.approx(expected, abs=1e-3)


def test_answers_that_cannot_be_written_have_none_and_the_others_keep_theirs(
    folders: tuple[Path, Path],
) -> None:
    question = Question("Name a tree.")
    given = [
        GivenAnswer(question, "one two three " * 60),
        GivenAnswer(question, "oak"),
        GivenAnswer(question, "oak <|endoftext|>"),
    ]
    long, short, forged = answer_divergences(*folders, given, "task")
    assert (long, forged) == (None, None)
    assert [short] == answer_divergences(*folders, given[1:2], "task")


def test_over_own_samples_it_is_what_the_mean_log_ratio_comes_to() -> None:
    """Two models that forget: three tokens, each with its own next-token distribution."""
    torch.manual_seed(0)
    tables = [torch.randn(3, 3) for _ in range(2)]
    policy, reference = (lambda ids, real, table=table: table[ids] for table in tables)
    probabilities = tables[0].softmax(-1)
    length, mean, exact = 3, 0.0, 0.0
    for draw in range(3**length):  # every answer of three tokens behind the prompt 0, weighed
        answer = [draw // 3**place % 3 for place in range(length)]
        before = [0, *answer[:-1]]
        weight = float(
            torch.stack([probabilities[a, b] for a, b in zip(before, answer, strict=True)]).prod()
        )
        own, other, divergence, tokens = answer_sums(
            policy, reference, [AnswerIds([0], answer)], "cpu"
        )[:, 0].tolist()
        assert tokens == length
        mean += weight * (own - other)
        exact += weight * divergence
    assert exact == pytest.approx(mean, abs=1e-6)


def test_the_other_model_needs_no_tokenizer_as_a_moving_reference_has_none(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    bare = tmp_path / "reference"
    AutoModelForCausalLM.from_pretrained(str(folders[1])).save_pretrained(bare)
    given = [GivenAnswer(Question("Say a word."), " tree", False)]
    assert answer_divergences(folders[0], bare, given, "task") == answer_divergences(
        *folders, given, "task"
    )
