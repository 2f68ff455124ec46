"""The order of the test files: those with slow tests first.

Files are dealt out to processes one at a time; a long one that begins last runs alone.
"""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first, all else as it was."""
    slow: dict[str, int] = {}
    for item in items:
        name = str(item.path)
        slow[name] = slow.get(name, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: -slow[str(item.path)])
