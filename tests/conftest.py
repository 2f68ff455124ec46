"""How the tests share the machine.

Files with slow tests come first: files are dealt out to processes one at a time, and a long one
that begins last runs alone. PyTorch gets one thread per process: threads that wait for a core which
another process has spin, and what takes 10 seconds takes 70.
"""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first, all else as it was."""
    slow: dict[str, int] = {}
    for item in items:
        name = str(item.path)
        slow[name] = slow.get(name, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: -slow[str(item.path)])
