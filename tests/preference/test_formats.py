"""Each format of pairs has exactly its trainer's columns; TRL's own preprocessing takes its two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.preference.rejected_run import write_run

from selfsown.core.errors import InputError
from selfsown.extensions import PAIR_EXPORTERS
from selfsown.preference.export import PairOptions, export_pairs
from selfsown.preference.formats import find_pair_format
from selfsown.preference.records import Pair, Prompt

PAIR = Pair(
    prompt=Prompt(id="p", text="Add the numbers.", input="2 3", system="Be brief."),
    chosen="5",
    rejected="6",
    chosen_id="a",
    rejected_id="b",
)
BARE = Pair(
    prompt=Prompt(id="p", text="Name a colour."),
    chosen="blue",
    rejected="Tuesday",
    chosen_id="a",
    rejected_id="b",
)
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}:\n{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = write_run(tmp_path_factory.mktemp("runs") / "small")
    return path


def test_trl_has_text_columns_that_join_as_they_are() -> None:
    assert find_pair_format("trl")(PAIR) == {
        "prompt": "Be brief.\n\nAdd the numbers.\n\n2 3\n\n",
        "chosen": "5",
        "rejected": "6",
    }


def test_conversational_trl_has_lists_of_turns() -> None:
    assert find_pair_format("trl-chat")(PAIR) == {
        "prompt": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Add the numbers.\n\n2 3"},
        ],
        "chosen": [{"role": "assistant", "content": "5"}],
        "rejected": [{"role": "assistant", "content": "6"}],
    }


def test_axolotl_has_messages_and_one_turn_each() -> None:
    assert find_pair_format("axolotl")(BARE) == {
        "messages": [{"role": "user", "content": "Name a colour."}],
        "chosen": {"role": "assistant", "content": "blue"},
        "rejected": {"role": "assistant", "content": "Tuesday"},
    }


def test_llama_factory_has_conversations_that_end_with_the_user() -> None:
    assert find_pair_format("llama-factory")(PAIR) == {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Add the numbers.\n\n2 3"},
        ],
        "chosen": {"from": "gpt", "value": "5"},
        "rejected": {"from": "gpt", "value": "6"},
    }
    assert find_pair_format("llama-factory-alpaca")(PAIR) == {
        "instruction": "Add the numbers.",
        "input": "2 3",
        "system": "Be brief.",
        "chosen": "5",
        "rejected": "6",
    }


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown format of pairs `trl-caht`") as caught:
        find_pair_format("trl-caht")
    assert "did you mean `trl-chat`?" in caught.value.fix


def test_parquet_has_the_same_rows_as_jsonl(run: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    for name in PAIR_EXPORTERS:
        made = [
            export_pairs(run, tmp_path / f"{name}.{suffix}", PairOptions(format=name))
            for suffix in ("jsonl", "parquet")
        ]
        rows = [orjson.loads(line) for line in made[0].path.read_bytes().splitlines()]
        assert parquet.ParquetFile(made[1].path).read().to_pylist() == rows


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """One token per byte, so that what TRL makes can be read back exactly."""
    pytest.importorskip("trl", reason="needs the `local` extra")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<end>", chat_template=TEMPLATE
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of TRL, about itself
@pytest.mark.parametrize("name", ["trl", "trl-chat"])
def test_trl_prepares_what_is_written_for_its_preference_trainer(
    run: Path, tmp_path: Path, tokenizer: Any, name: str
) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the `local` extra")
    from trl import DPOConfig, DPOTrainer
    from trl.data_utils import is_conversational

    made = export_pairs(run, tmp_path / "pairs.jsonl", PairOptions(format=name))
    data = datasets.Dataset.from_json(str(made.path), cache_dir=str(tmp_path / "cache"))
    assert data.column_names == ["prompt", "chosen", "rejected"]
    assert is_conversational(data[0]) == (name == "trl-chat")
    trainer = DPOTrainer.__new__(DPOTrainer)  # its preprocessing alone: nothing is trained here
    trainer._tokenizer = tokenizer
    arguments = DPOConfig(output_dir=str(tmp_path / "out"), report_to=[], use_cpu=True, bf16=False)
    ready = trainer._prepare_dataset(data, tokenizer, arguments, "train")
    assert len(ready) == made.pair_count
    for source, row in zip(data, ready, strict=True):
        texts = [tokenizer.decode(row[f"{part}_ids"]) for part in ("prompt", "chosen", "rejected")]
        if name == "trl":
            ended = [f"{source[part]}{tokenizer.eos_token}" for part in ("chosen", "rejected")]
            assert texts == [source["prompt"], *ended]
        else:
            asked = source["prompt"][0]["content"]
            answers = [source[part][0]["content"] + "\n" for part in ("chosen", "rejected")]
            assert texts == [f"user:\n{asked}\nassistant:\n", *answers]
