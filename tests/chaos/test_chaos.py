"""Claim: `make chaos` in a short form: nothing is wrong, whatever breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.__main__ import SECTIONS
from tests.chaos.plan import Plan

pytestmark = pytest.mark.slow

SHARES = {
    "kills": 0.03,
    "endpoint": 0.05,
    "disk": 0.01,
    "fuzz": 0.01,
    "fields": 0.3,
    "secrets": 0.1,
    "extremes": 0.02,
    "documents": 0.1,
}
"""Of the full number of cases."""


@pytest.mark.parametrize("name", SECTIONS)
def test_a_share_of_chaos_finds_nothing_wrong(tmp_path: Path, name: str) -> None:
    found = SECTIONS[name](Plan(seed=1, share=SHARES[name]), tmp_path)
    print("", *found, sep="\n")
    assert not [words for table in found for words in table.wrong]
