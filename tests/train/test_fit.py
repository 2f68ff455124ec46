"""Claim: TRL trains on completions only, whatever the micro-batch, and never past a bad number."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the `local` extra")

from selfsown.core.errors import EnvironmentFailure, InputError
from selfsown.core.request import JSON
from selfsown.models.fingerprint import model_hash
from selfsown.train.checkpoints import TrainingDiverged, last_checkpoint
from selfsown.train.fit import (
    Devices,
    Fitted,
    fit,
    step_counts,
)
from selfsown.train.mixture import Row
from selfsown.train.prepare import prepare
from selfsown.train.records import read_sources
from selfsown.train.settings import Settings, SourceConfig, TrainConfig, resolve
from selfsown.train.tokens import Encoder
from selfsown.train.trainable import Completions, labels_of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


class Stop(Exception):
    """Ends a training from within its progress callback."""


def settings_for(**given: object) -> Settings:
    form = {"data": [SourceConfig(path="x")], "base": "b", "out": "o", "preset": "lab", **given}
    return resolve(TrainConfig.model_validate(form), has_chat_template=False)[0]


@pytest.fixture(scope="module")
def encoder(tiny: Path) -> Encoder:
    return Encoder(tiny, tiny)


@pytest.fixture(scope="module")
def rows(encoder: Encoder, rows_file: Path) -> tuple[Row, ...]:
    sources = read_sources([SourceConfig(path=str(rows_file))], seeds=False)
    return prepare(sources, settings_for(encoding="task"), encoder).rows[:8]


def tune(
    base: Path,
    encoder: Encoder,
    rows: tuple[Row, ...],
    settings: Settings,
    folder: Path,
    *,
    every_s: float = 1e9,
    stop_at: int = -1,
) -> Fitted:
    def report(line: Mapping[str, JSON]) -> None:
        if line.get("checkpoint") == stop_at:
            raise Stop

    return fit(
        base,
        encoder.tokenizer,
        Completions(rows),
        settings,
        checkpoints=folder / "checkpoints",
        save_to=folder / "model",
        devices=Devices(1, every_s),
        report=report,
    )


def weights(folder: Path) -> dict[str, list[float]]:
    from safetensors.torch import load_file

    named = load_file(folder / "model.safetensors")
    return {name: tensor.float().flatten().tolist() for name, tensor in named.items()}


def test_the_loss_is_the_mean_over_completion_tokens_and_no_others(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    """The reference computes it row by row, without padding, from the base's own logits."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny)
    total, count = 0.0, 0
    with torch.no_grad():
        for row in rows:
            ids = torch.tensor([row.input_ids])
            logits = model(ids).logits[0, :-1].log_softmax(-1)  # (T-1, V)
            for position in range(row.prompt_tokens, len(row.input_ids)):
                total -= float(logits[position - 1, row.input_ids[position]])
                count += 1
    settings = settings_for(max_steps=1, batch_size=8, micro_batch_size=8)
    fitted = tune(tiny, encoder, rows, settings, tmp_path)
    assert fitted.losses[0][1] == pytest.approx(total / count, rel=1e-5)
    assert count < sum(len(row.input_ids) for row in rows) / 2


def test_one_batch_of_eight_is_four_of_two(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    whole = settings_for(max_steps=3, batch_size=8, micro_batch_size=8, warmup_steps=0)
    parts = replace(whole, micro_batch_size=2)
    first = tune(tiny, encoder, rows, whole, tmp_path / "a")
    second = tune(tiny, encoder, rows, parts, tmp_path / "b")
    assert [step for step, _ in first.losses] == [1, 2, 3]
    for (_, one), (_, other) in zip(first.losses, second.losses, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    assert first.losses[-1][1] < first.losses[0][1]


def test_lora_changes_the_merged_matrices_and_nothing_else(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    settings = settings_for(method="lora", max_steps=3, warmup_steps=0, lora_rank=4)
    fitted = tune(tiny, encoder, rows, settings, tmp_path)
    assert 0 < fitted.trained_parameters < fitted.parameters / 2
    before, after = weights(tiny), weights(tmp_path / "model")
    assert set(before) == set(after)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if "_proj" in name}
    adapter = json.loads((tmp_path / "model" / "adapter" / "adapter_config.json").read_text())
    assert adapter["r"] == 4


@pytest.mark.parametrize("method", ["full", "lora"])
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path, method: str
) -> None:
    settings = settings_for(
        method=method, max_steps=4, warmup_steps=0, batch_size=4, micro_batch_size=2, seed=3
    )
    tune(tiny, encoder, rows, settings, tmp_path / "whole")
    with pytest.raises(Stop):
        tune(tiny, encoder, rows, settings, tmp_path / "cut", every_s=0.0, stop_at=3)
    assert tune(tiny, encoder, rows, settings, tmp_path / "cut").resumed_from_step == 3
    assert weights(tmp_path / "cut" / "model") == weights(tmp_path / "whole" / "model")


def test_a_training_cut_off_after_its_last_step_makes_no_step_more(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    settings = settings_for(batch_size=2, max_steps=3)  # ends within an epoch of 4 steps
    whole = tune(tiny, encoder, rows, settings, tmp_path, every_s=0.0)
    before = model_hash(tmp_path / "model")
    again = tune(tiny, encoder, rows, settings, tmp_path, every_s=0.0)
    assert (whole.steps, again.steps) == (3, 3)
    assert again.losses == whole.losses
    assert model_hash(tmp_path / "model") == before


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"gradient_checkpointing": True}])
def test_options_for_speed_and_memory_train_the_same_up_to_rounding(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path, option: dict[str, object]
) -> None:
    plain, other = settings_for(max_steps=2), settings_for(max_steps=2, **option)
    first = tune(tiny, encoder, rows, plain, tmp_path / "a").losses
    second = tune(tiny, encoder, rows, other, tmp_path / "b").losses
    assert [loss for _, loss in second] == pytest.approx([loss for _, loss in first], rel=0.02)


def test_a_loss_that_is_no_number_stops_the_training_and_the_last_good_checkpoint_stays(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    # the first step of a warm-up has rate 0; the second ruins the weights, and checkpoint 2 with it
    settings = settings_for(max_steps=5, warmup_steps=2, learning_rate=1e37)
    with pytest.raises(TrainingDiverged, match="of step 3 is not finite; the last good") as caught:
        tune(tiny, encoder, rows, settings, tmp_path, every_s=0.0)
    assert "lower `learning_rate`" in caught.value.fix
    kept = last_checkpoint(tmp_path / "checkpoints")
    assert kept is not None and kept.name == "checkpoint-1"
    assert not (tmp_path / "model").exists()


def test_weights_that_are_no_numbers_reach_no_checkpoint(
    tiny: Path,
    encoder: Encoder,
    rows: tuple[Row, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An optimiser that breaks a weight in its second step, while the loss was still a number."""
    import torch

    whole_step, calls = torch.optim.AdamW.step, []

    def step(self: torch.optim.AdamW, closure: None = None) -> None:
        whole_step(self, closure)
        calls.append(1)
        if len(calls) == 2:
            self.param_groups[0]["params"][0].data[0] = float("nan")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(TrainingDiverged, match="a weight after step 2 is not finite; the last"):
        tune(tiny, encoder, rows, settings_for(max_steps=5), tmp_path, every_s=0.0)
    names = [path.name for path in (tmp_path / "checkpoints").glob("checkpoint-*")]
    assert names == ["checkpoint-1"]


def test_a_full_disk_leaves_the_checkpoints_that_were_whole(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    """The limit on file sizes stands for the disk: writing fails in the middle of a file."""
    settings = settings_for(max_steps=3, warmup_steps=0)
    tune(tiny, encoder, rows, settings, tmp_path, every_s=0.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    more = replace(settings, max_steps=4)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(EnvironmentFailure, match=r"step 3 cannot.*`checkpoint-2` is whole"):
            tune(tiny, encoder, rows, more, tmp_path, every_s=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("checkpoint-*"))
    assert names == ["checkpoint-1", "checkpoint-2"]
    assert tune(tiny, encoder, rows, more, tmp_path).resumed_from_step == 2


def test_a_checkpoint_that_was_cut_off_is_not_resumed_from(tmp_path: Path) -> None:
    for step, is_whole in ((2, True), (10, True), (12, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"part")
        if is_whole:
            (folder / "selfsown-whole.json").write_text("{}")
    found = last_checkpoint(tmp_path, clean=True)
    assert found is not None and found.name == "checkpoint-10"
    assert not (tmp_path / "checkpoint-12").exists()


def test_a_base_whose_weights_are_damaged_is_refused(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot be loaded"):
        tune(tmp_path, encoder, rows, settings_for(), tmp_path / "out")


def test_weights_are_stored_as_the_base_stores_them(
    tiny: Path, encoder: Encoder, rows: tuple[Row, ...], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    base = tmp_path / "base"
    base.mkdir()
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    named = load_file(tiny / "model.safetensors")
    save_file({k: v.bfloat16() for k, v in named.items()}, base / "model.safetensors")
    tune(base, encoder, rows, settings_for(max_steps=1), tmp_path)
    stored = load_file(tmp_path / "model" / "model.safetensors")
    assert {str(tensor.dtype) for tensor in stored.values()} == {"torch.bfloat16"}
    assert set(stored) == set(named)  # tied embeddings are stored once
    assert model_hash(base) != model_hash(tmp_path / "model")


def test_steps_and_warm_up_are_counted_as_the_trainer_counts_them() -> None:
    settings = settings_for(batch_size=16, micro_batch_size=4, epochs=3.0, warmup_steps=0)
    assert step_counts(100, settings, 1) == (21, 0)  # 25 micro-batches, 7 steps an epoch
    assert step_counts(100, replace(settings, warmup_ratio=0.1), 1) == (21, 3)
    assert step_counts(100, settings, 2) == (21, 0)
    assert step_counts(3, replace(settings, max_steps=5), 1) == (5, 0)


def test_labels_hide_the_prompt(rows: tuple[Row, ...]) -> None:
    for row in rows:
        labels = labels_of(row)
        assert labels.count(-100) == row.prompt_tokens
        assert labels[row.prompt_tokens :] == list(row.input_ids[row.prompt_tokens :])
