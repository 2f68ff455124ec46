"""Claim: the files for other trainers have the rows that are trained on here, and known keys.

The key tables are the documented schemas of Axolotl 0.19.0 and LLaMA-Factory 0.9.5, as far as such
a config can use them; neither project installs beside the pinned torch. Keys that LLaMA-Factory
takes from transformers are checked against the installed `TrainingArguments`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

pytest.importorskip("transformers", reason="needs the `local` extra")

from selfsown.core.errors import InputError
from selfsown.train.emit import Trainer, emit
from selfsown.train.settings import TrainConfig
from selfsown.train.tokens import Encoder

AXOLOTL: dict[str, type | tuple[type, ...]] = {
    "base_model": str, "tokenizer_config": str, "datasets": list, "train_on_inputs": bool,
    "sequence_len": int, "sample_packing": bool, "val_set_size": float, "micro_batch_size": int,
    "gradient_accumulation_steps": int, "num_epochs": float, "max_steps": int, "optimizer": str,
    "learning_rate": float, "lr_scheduler": str, "warmup_steps": int, "weight_decay": float,
    "max_grad_norm": float, "bf16": bool, "fp16": bool, "tf32": bool,
    "gradient_checkpointing": bool, "seed": int, "output_dir": str, "adapter": str, "lora_r": int,
    "lora_alpha": int, "lora_dropout": float, "lora_target_linear": bool,
}  # fmt: skip
AXOLOTL_NEEDED = {"base_model", "datasets", "micro_batch_size", "learning_rate"}
AXOLOTL_DATASET = {"path", "ds_type", "type"}
LLAMA_FACTORY: dict[str, type | tuple[type, ...]] = {
    "model_name_or_path": str, "stage": str, "finetuning_type": str, "dataset_dir": str,
    "dataset": str, "template": str, "cutoff_len": int, "packing": bool, "train_on_prompt": bool,
    "disable_gradient_checkpointing": bool, "lora_rank": int, "lora_alpha": int,
    "lora_dropout": float, "lora_target": str,
}  # fmt: skip
LLAMA_FACTORY_COLUMNS = {"prompt", "query", "response", "history", "system"}


def emitted(
    trainer: Trainer, tiny: Path, rows_file: Path, out: Path, **given: object
) -> dict[str, object]:
    form = {
        "data": [{"path": str(rows_file)}], "base": str(tiny), "out": str(out), "preset": "lab",
    }  # fmt: skip
    made = emit(TrainConfig.model_validate(form | given), trainer)
    assert [path.name for path in made.files][:2] == [f"{trainer}.yaml", "train.jsonl"]
    assert all(path.is_file() for path in made.files)
    found: dict[str, object] = yaml.safe_load(made.files[0].read_text())
    return found


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("steps", [None, 7])
def test_axolotl_knows_every_key(
    tiny: Path, rows_file: Path, tmp_path: Path, method: str, steps: int | None
) -> None:
    config = emitted("axolotl", tiny, rows_file, tmp_path, method=method, max_steps=steps)
    for key, value in config.items():
        assert isinstance(value, AXOLOTL[key]), key
    assert set(config) >= AXOLOTL_NEEDED
    (dataset,) = config["datasets"]  # type: ignore[misc]
    assert set(dataset) == AXOLOTL_DATASET and dataset["type"] == "input_output"
    assert ("adapter" in config) == (method == "lora")
    assert ("max_steps" in config) == (steps is not None)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_llama_factory_knows_every_key(
    tiny: Path, rows_file: Path, tmp_path: Path, method: str
) -> None:
    from transformers import Seq2SeqTrainingArguments

    config = emitted("llama-factory", tiny, rows_file, tmp_path, method=method)
    for key in set(config) & set(LLAMA_FACTORY):
        assert isinstance(config[key], LLAMA_FACTORY[key]), key
    rest = {key: value for key, value in config.items() if key not in LLAMA_FACTORY}
    known = {field.name for field in dataclasses.fields(Seq2SeqTrainingArguments)}
    assert set(rest) <= known
    own = Seq2SeqTrainingArguments(**rest | {"output_dir": str(tmp_path), "use_cpu": True})
    assert own.learning_rate == (1e-3)
    info = json.loads((tmp_path / "dataset_info.json").read_text())[config["dataset"]]
    assert info["formatting"] == "alpaca" and set(info["columns"]) <= LLAMA_FACTORY_COLUMNS
    assert set(info["columns"].values()) == set(lines_of(tmp_path / info["file_name"])[0])


def test_both_get_the_texts_that_are_trained_on_here(
    tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    """Read as their loaders do: segments (or columns) tokenised apart, the prompt masked."""
    for trainer in ("axolotl", "llama-factory"):
        emitted(trainer, tiny, rows_file, tmp_path / trainer)  # type: ignore[arg-type]
    columns = lines_of(tmp_path / "llama-factory" / "train.jsonl")
    segments = [row["segments"] for row in lines_of(tmp_path / "axolotl" / "train.jsonl")]
    assert [[part["label"] for part in one] for one in segments] == [[False, True]] * len(columns)  # type: ignore[attr-defined]
    assert [[part["text"] for part in one] for one in segments] == [  # type: ignore[attr-defined]
        [row["prompt"], row["completion"]] for row in columns
    ]
    tokenizer = Encoder(tiny, tiny).tokenizer
    first = tokenizer(columns[0]["prompt"], add_special_tokens=False)["input_ids"]
    last = tokenizer(columns[0]["completion"], add_special_tokens=False)["input_ids"]
    assert first[0] == last[-1] == tokenizer.eos_token_id
    assert len(columns) == 2 * len(lines_of(rows_file))


def test_what_is_left_out_is_listed_beside_the_rows(
    tiny: Path, rows_file: Path, tmp_path: Path
) -> None:
    twice = tmp_path / "rows.jsonl"
    twice.write_text(2 * rows_file.read_text(encoding="utf-8"), encoding="utf-8")
    emitted("axolotl", tiny, rows_file, tmp_path / "all")
    assert not (tmp_path / "all" / "left_out.jsonl").exists()
    emitted("axolotl", tiny, twice, tmp_path / "half")
    listed = lines_of(tmp_path / "half" / "left_out.jsonl")
    assert {one["reason"] for one in listed} == {"duplicate"}
    assert len(listed) == len(lines_of(tmp_path / "half" / "train.jsonl"))


def test_files_that_exist_are_not_replaced(tiny: Path, rows_file: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("mine")
    with pytest.raises(InputError, match=r"train\.jsonl` exists"):
        emitted("axolotl", tiny, rows_file, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["train.jsonl"]
