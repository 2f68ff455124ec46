"""Claim: line-start words share their tokens, and no text is changed by a round trip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.lab.tokenizer import (
    END_OF_TEXT_ID,
    PAD_ID,
    VOCABULARY_SIZE,
    save_tokenizer,
    train_tokenizer,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

pytest.importorskip("transformers", reason="needs the `local` extra")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    folder: Path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(seed=0, document_count=1_500), folder)
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return loaded


def ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_word_at_a_line_start_is_the_token_it_is_after_a_space(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    for word in ("Paris", "Task", "Input", "yes", "Give", "12"):
        after_space = ids(tokenizer, f" {word}")
        for line in (f"Output: {word}", f"x\n{word}", f"x\n\n{word}"):
            assert ids(tokenizer, line)[-len(after_space) :] == after_space, line


def test_a_blank_line_is_one_token_and_prompts_end_on_it(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    blank = ids(tokenizer, "\n\n")
    assert len(blank) == 1
    prompt = ids(tokenizer, "Give the capital.\nPeru\n\n")
    assert prompt[-1] == blank[0]
    assert ids(tokenizer, "Give the capital.\nPeru\n\nLima")[: len(prompt)] == prompt


def test_special_tokens_have_their_fixed_ids(tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == END_OF_TEXT_ID == 0
    assert tokenizer.pad_token_id == PAD_ID == 1
    assert len(tokenizer) <= VOCABULARY_SIZE
    assert tokenizer("Give")["input_ids"][0] == END_OF_TEXT_ID


@given(text=st.text(alphabet=st.sampled_from("ab \n\t.A1\u00e9\u4e16-"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_decoding_gives_back_every_text(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_training_again_gives_the_same_tokenizer() -> None:
    first = train_tokenizer(seed=3, document_count=300)
    assert first.to_str() == train_tokenizer(seed=3, document_count=300).to_str()
