"""Loops are tested with real trainings that begin warm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.train.warm import warm


@pytest.fixture(scope="module", autouse=True)
def _trainings_begin_warm() -> Iterator[None]:
    with warm():
        yield
