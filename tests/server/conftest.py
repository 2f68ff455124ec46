"""A tiny untrained Llama to serve."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of 0.2 M parameters in fp32; context 256."""
    pytest.importorskip("safetensors", reason="needs the extra `local`")
    from selfsown.testing.tiny_llama import write_tiny_llama

    return write_tiny_llama(tmp_path_factory.mktemp("tiny") / "base")
