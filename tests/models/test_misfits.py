"""Claim: a model folder whose parts do not belong together says so at the first call."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra `local`")

from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request
from selfsown.models.lab import load_model, read_config
from selfsown.models.uri import open_model


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def change(path: Path, **values: object) -> None:
    form = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(form | values), encoding="utf-8")


def one_token_more(folder: Path, *, special: bool = False) -> None:
    from tokenizers import AddedToken, Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([AddedToken("<new>", special=special)])
    tokenizer.save(str(folder / "tokenizer.json"))


def another_vocabulary(folder: Path) -> None:
    change(folder / "config.json", vocab_size=2_000)


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def half_the_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("scheme", ["hf", "lab"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (one_token_more, "ids up to 2048, and the model 2048 embeddings: they do not belong"),
        (another_vocabulary, "cannot be (loaded|read): "),
        (no_tokenizer, "cannot be (loaded|read): "),
        (half_the_weights, "cannot be (loaded|read): "),
    ],
)
async def test_a_folder_that_does_not_fit_is_named_at_the_first_call(
    scheme: str, spoil: Callable[[Path], None], said: str, folder: Path
) -> None:
    spoil(folder)
    model = open_model(f"{scheme}:{folder}")
    with pytest.raises(AttemptFailed, match=said) as caught:
        await model.attempt(Request(prompt="Name it.", max_tokens=4))
    assert caught.value.kind == "local"
    await model.close()


@pytest.mark.parametrize("scheme", ["hf", "lab"])
async def test_a_special_token_without_embedding_spoils_only_the_prompt_that_holds_it(
    scheme: str, folder: Path
) -> None:
    one_token_more(folder, special=True)
    model = open_model(f"{scheme}:{folder}")
    with pytest.raises(AttemptFailed, match="special token 2048") as caught:
        await model.attempt(Request(prompt="Look: <new>", max_tokens=4))
    assert caught.value.kind == "bad_request"
    assert (await model.attempt(Request(prompt="Name it.", max_tokens=4))).completion.text
    await model.close()


def test_the_lab_backend_ends_texts_where_transformers_does(folder: Path) -> None:
    """Ends are named in three files, and folders often leave one of them out."""
    change(folder / "config.json", eos_token_id=None)
    assert load_model(folder, *read_config("lab", folder)).end == {0}
    (folder / "generation_config.json").write_text('{"eos_token_id": [5, 7]}', encoding="utf-8")
    assert load_model(folder, *read_config("lab", folder)).end == {0, 5, 7}
    change(folder / "tokenizer_config.json", eos_token={"content": "<|pad|>", "special": True})
    change(folder / "config.json", eos_token_id=9)
    assert load_model(folder, *read_config("lab", folder)).end == {1, 5, 7, 9}
