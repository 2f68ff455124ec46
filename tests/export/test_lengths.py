"""The length table counts words exactly, estimates tokens openly, or asks a tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.core.token_counts import estimate_tokens, load_tokenizer
from selfsown.export.example import Example
from selfsown.export.lengths import Lengths, format_table


def test_a_table_worked_out_by_hand() -> None:
    lengths = Lengths(estimate_tokens, "tokens (estimated)")
    for words in range(1, 101):  # answers of 1 to 100 words
        lengths.add(Example("Count up.", "", " ".join(["x"] * words)))
    prompt, answer, tokens = lengths.table()
    assert (prompt.mean, prompt.p50, prompt.longest, prompt.total) == (2.0, 2, 2, 200)
    assert (answer.mean, answer.p50, answer.p90, answer.p99) == (50.5, 50, 90, 99)
    # " Count up." is 10 bytes: 3 tokens; an answer of 100 words 199 bytes: 50 tokens.
    assert tokens.longest == 53
    assert tokens.name == "tokens (estimated) in all"


@given(st.text())
def test_the_estimate_is_a_quarter_of_the_bytes_rounded_up(text: str) -> None:
    size = len(text.encode())
    assert size <= 4 * estimate_tokens(text) < size + 4


def test_the_table_is_aligned() -> None:
    lengths = Lengths(estimate_tokens, "tokens (estimated)")
    lengths.add(Example("Write.", "", "word " * 5000))
    lines = format_table(lengths.table()).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "5,000" in lines[2]


def test_no_examples_make_no_lines() -> None:
    assert Lengths(estimate_tokens, "tokens").table() == ()


def test_a_tokenizer_in_a_folder_counts_its_own_tokens(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    words = {"[UNK]": 0, "one": 1, "two": 2}
    model = tokenizers.models.WordLevel(words, unk_token="[UNK]")
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]"
    ).save_pretrained(tmp_path)
    count = load_tokenizer(tmp_path)
    assert count("one two three one") == 4


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    with pytest.raises(InputError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
