"""Claim: every token of the completion carries the loss, no other does, and the end is learned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selfsown.core.errors import InputError
from selfsown.core.randomness import rng_for
from selfsown.export.example import Example
from selfsown.lab.seed_tasks import make_seeds
from selfsown.train.encode import Pair, encode
from selfsown.train.mixture import Row
from selfsown.train.tokens import Encoder
from selfsown.train.trainable import NO_LOSS, labels_of

CHAT = (
    "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def encoder(tiny: Path) -> Encoder:
    return Encoder(tiny, tiny)


def test_the_mask_is_right_token_by_token(encoder: Encoder) -> None:
    """The reference decodes: all tokens before the border give the prompt, all behind the rest."""
    tokenizer, checked = encoder.tokenizer, 0
    for draw, item in enumerate(make_seeds()):
        example = Example(item.instruction.text, item.input, item.answer)
        pairs = encode(example, "task+plain", rng_for(0, "t")) + encode(
            example, "published", rng_for(0, "t", draw)
        )
        for pair in pairs:
            text, ids, border = encoder.row(pair, is_chat=False)
            labels = labels_of(Row("r", text, tuple(ids), border, "human", 0))
            assert len(labels) == len(ids)
            assert labels[:border] == [NO_LOSS] * border
            assert labels[border:] == ids[border:]
            # what generation will be given is exactly the masked part
            assert ids[:border] == tokenizer(pair.prompt)["input_ids"]
            assert ids[-1] == tokenizer.eos_token_id
            answer = tokenizer.decode(ids[border:-1])
            assert answer.strip() == pair.completion.strip()
            checked += len(ids)
    assert checked > 5_000


def test_a_word_behind_a_blank_line_is_the_token_it_is_in_running_text(encoder: Encoder) -> None:
    _, ids, border = encoder.row(Pair("Name it.\n\n", "cat"), is_chat=False)
    running = encoder.tokenizer("Name it.\n\ncat\n", add_special_tokens=False)["input_ids"]
    assert ids[1:-1] == running[: len(ids) - 2]
    assert border == len(encoder.tokenizer("Name it.\n\n")["input_ids"])


def test_a_prompt_whose_last_token_would_grow_is_kept_as_generation_sees_it(
    encoder: Encoder,
) -> None:
    prompt, completion = "Say ca", "t now"  # together ` cat` is one token
    apart = encoder.tokenizer(prompt)["input_ids"]
    _, ids, border = encoder.row(Pair(prompt, completion), is_chat=False)
    assert ids[:border] == apart
    assert encoder.tokenizer.decode(ids[border:-1]) == completion


def test_the_text_of_a_row_has_its_special_tokens(encoder: Encoder) -> None:
    text, ids, border = encoder.row(Pair("Name it. Output:", " cat"), is_chat=False)
    assert text == ("<|endoftext|>Name it. Output:", " cat<|endoftext|>")
    assert encoder.is_same_apart(Row("r", text, tuple(ids), border, "human", 0))


def test_an_end_that_is_there_already_is_not_doubled(encoder: Encoder) -> None:
    _, ids, _ = encoder.row(Pair("a", " b<|endoftext|>"), is_chat=False)
    assert ids[-2:].count(encoder.tokenizer.eos_token_id) == 1


def test_a_chat_template_starts_and_ends_the_text_itself(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chat"
    shutil.copytree(tiny, folder)
    (folder / "chat_template.jinja").write_text(CHAT, encoding="utf-8")
    own = Encoder(folder, folder)
    (pair,) = encode(
        Example("I", "", "Y"), "chat", rng_for(0, "t"), chat_template=own.chat_template
    )
    text, ids, border = own.row(pair, is_chat=True)
    assert text == ("user: I\nassistant: ", "Y\n<|endoftext|>")  # no special token: one is added
    assert own.tokenizer.decode(ids[:border]) == text.prompt


def test_characters_that_are_a_special_token_are_found(encoder: Encoder) -> None:
    assert encoder.special_token_in(["a", "b <|endoftext|> c"]) == "<|endoftext|>"
    assert encoder.special_token_in(["a <|endoftex"]) is None


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(
    tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 2000}), encoding="utf-8")
    with pytest.raises(InputError, match=r"ids up to 2047.*has 2000 embeddings"):
        Encoder(tiny, folder)


def test_special_tokens_of_any_name_are_found_and_need_an_embedding_only_in_rows(
    tiny: Path, tmp_path: Path
) -> None:
    """Turn marks of many chat models are special without being listed by name."""
    from tokenizers import Tokenizer

    folder = Path(shutil.copytree(tiny, tmp_path / "marks"))
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.add_special_tokens(["<turn>"])
    backend.save(str(folder / "tokenizer.json"))
    own = Encoder(folder, tiny)
    assert own.special_token_in(["a <turn> b"]) == "<turn>"
    assert own.row(Pair("a", "b"), is_chat=False).ids
    with pytest.raises(InputError, match=r"ids up to 2048.*has 2048 embeddings"):
        own.row(Pair("a <turn>", "b"), is_chat=False)


def test_a_tokenizer_without_an_end_or_that_is_broken_is_refused(
    tiny: Path, tmp_path: Path
) -> None:
    endless = tmp_path / "endless"
    shutil.copytree(tiny, endless)
    config = json.loads((endless / "tokenizer_config.json").read_text(encoding="utf-8"))
    del config["eos_token"]
    (endless / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="no end-of-text token"):
        Encoder(endless, tiny)
    (endless / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="no tokenizer that can be loaded"):
        Encoder(endless, tiny)
