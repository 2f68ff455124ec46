"""Claim: an answer is what its tokenizer decodes, up to the first stop string."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="needs the extra `local`")

from selfsown.lab.tokenizer import train_tokenizer  # noqa: E402
from selfsown.models.stopping import Detokenizer, GrowingAnswer, byte_table  # noqa: E402


@pytest.fixture(scope="module")
def byte_level() -> object:
    return train_tokenizer(0, 200)


@pytest.fixture(scope="module")
def word_pieces() -> object:
    """Not byte-level: words with a mark for the space in front, as sentencepiece writes them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = ["▁a", "▁b", "▁stop", "here", "é", ".", "▁"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "▁"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _detokenizer(tokenizer: object) -> Detokenizer:
    decode: Callable[[object], str] = tokenizer.decode  # type: ignore[attr-defined]
    return Detokenizer(decode, byte_table(tokenizer, 2048))


def _grow(detokenizer: Detokenizer, prompt: list[int], ids: list[int], *stop: str) -> GrowingAnswer:
    answer = GrowingAnswer(detokenizer, prompt, stop)
    for token in ids:
        if answer.add(token):
            break
    return answer


def test_the_quick_way_gives_the_text_that_decoding_gives(byte_level: object) -> None:
    quick = _detokenizer(byte_level)
    slow = Detokenizer(quick.decode)
    assert quick.table is not None
    numbers = random.Random(0)
    text = 'Task: Grüße, 東京 and "ok".\nInput: x\n\nOutput: y\n two\n'
    prompts = [[0, *byte_level.encode(end).ids] for end in ("Output:", "one\n", "\n\n", "")]  # type: ignore[attr-defined]
    for prompt in prompts:
        for ids in (
            byte_level.encode(text).ids,  # type: ignore[attr-defined]
            [numbers.randrange(2, 300) for _ in range(30)],
        ):
            assert _grow(quick, prompt, ids).text() == _grow(slow, prompt, ids).text()


def test_a_line_start_after_the_prompt_reads_without_the_hidden_space(byte_level: object) -> None:
    detokenizer = _detokenizer(byte_level)
    prompt = byte_level.encode("List.\n").ids  # type: ignore[attr-defined]
    answer = _grow(detokenizer, prompt, byte_level.encode(" Paris").ids)  # type: ignore[attr-defined]
    assert answer.text() == "Paris"


@pytest.mark.parametrize("kind", ["byte_level", "word_pieces"])
def test_a_stop_string_across_tokens_ends_the_answer_before_it(
    kind: str, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(kind)
    detokenizer = _detokenizer(tokenizer)
    ids = (
        tokenizer.encode("a b stop here. a").ids
        if kind == "byte_level"
        else [0, 1, 2, 3, 5, 0]  # "a b stophere. a"
    )
    answer = _grow(detokenizer, ids[:1], ids[1:], "p" + (" h" if kind == "byte_level" else "h"))
    assert answer.text() == " b sto"
    assert len(answer.ids) < len(ids) - 1


def test_of_several_stop_strings_the_earliest_counts(byte_level: object) -> None:
    detokenizer = _detokenizer(byte_level)
    ids = byte_level.encode("one two three").ids  # type: ignore[attr-defined]
    assert _grow(detokenizer, [0], ids, "ree", "wo").text() == "one t"
    assert _grow(detokenizer, [0], ids, "o", "one").text() == ""


def test_bytes_that_are_no_text_read_as_replacement_characters(byte_level: object) -> None:
    detokenizer = _detokenizer(byte_level)
    ids = byte_level.encode("ő").ids  # type: ignore[attr-defined]
    assert len(ids) == 2
    assert _grow(detokenizer, [0], ids[:1]).text() == "\N{REPLACEMENT CHARACTER}"
    assert _grow(detokenizer, [0], ids).text() == "ő"


def test_a_tokenizer_that_is_not_byte_level_has_no_byte_table(word_pieces: object) -> None:
    assert byte_table(word_pieces, 10) is None
