"""A tiny base model and a few records, made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfsown.lab.seed_tasks import make_seeds


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Llama of one layer with the lab's kind of tokenizer."""
    pytest.importorskip("trl", reason="needs the `local` extra")
    from selfsown.testing.tiny_llama import write_tiny_llama

    folder: Path = tmp_path_factory.mktemp("tiny") / "base"
    return write_tiny_llama(folder, width=16, layers=1, context=128)


@pytest.fixture(scope="session")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 tasks of the lab as JSONL, some of them without input."""
    path: Path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [
        {"instruction": item.instruction.text, "input": item.input, "output": item.answer}
        for item in make_seeds()[:24]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
