"""Claim: the shipped weights are small, complete, identified, and reach the stated bars."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from selfsown.core.errors import InputError
from selfsown.lab.weights import HASHED_FILES, weights_folder, weights_hash

FOLDER = weights_folder()


def test_the_folder_is_complete_and_at_most_ten_megabytes() -> None:
    assert all((FOLDER / name).is_file() for name in HASHED_FILES)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 10_000_000
    assert {path.name for path in FOLDER.iterdir()} == {*HASHED_FILES, "README.md"}


def test_the_card_names_the_shipped_weights() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")
    assert "selfsown lab pretrain --tokens" in card
    assert weights_hash(FOLDER)[:16] in card


def test_the_hash_follows_the_weights_and_not_the_card(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(FOLDER, copy)
    (copy / "README.md").write_text("another card")
    assert weights_hash(copy) == weights_hash(FOLDER)
    with (copy / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert weights_hash(copy) != weights_hash(FOLDER)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.safetensors"):
        weights_hash(tmp_path)


@pytest.mark.slow
def test_few_shot_performs_and_the_bare_format_fails() -> None:
    pytest.importorskip("transformers", reason="needs the `local` extra")
    from selfsown.evaluate.lab_suite import Condition, evaluate

    scores = evaluate(FOLDER, conditions=[Condition("task", 4), Condition("plain", 0)], limit=120)
    assert scores.of("task", 4).rouge_l.mean >= 0.55
    assert scores.of("plain", 0).rouge_l.mean < 0.05
    assert scores.of("task", 4).exact_match.mean > scores.of("plain", 0).exact_match.mean + 0.3


@pytest.mark.slow
def test_written_instructions_are_tasks_and_some_are_new_compositions() -> None:
    pytest.importorskip("transformers", reason="needs the `local` extra")
    from selfsown.evaluate.lab_generation import measure_generation

    quality = measure_generation(FOLDER, target=60, seed=1)
    assert len(quality.accepted) == 60
    assert quality.task_rate >= 0.93  # 0.98 over 300; 60 leave room for chance
    assert quality.unseen_rate > 0
