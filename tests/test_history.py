"""Claim: what earlier sessions spent is summed over rows that can be trusted, or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from selfsown.core.errors import JournalDamaged
from selfsown.core.journal import Journal, Row
from selfsown.history import spent_before


@pytest.mark.parametrize(
    "change", ["attempts SET cost_nano_usd=1", "grants SET nano_usd=2", "sessions SET note='x'"]
)
async def test_a_changed_row_is_refused_and_not_summed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    attempt = (b"k" * 32, 1, 1, "ok", 200, 2.0, 3, 4, 0, 0, 5_000_000_000, 7, "", "t")
    grant = Row("grants", (1, 6_000_000_000, 9))
    await journal.append([Row("sessions", ("t", "")), Row("attempts", attempt), grant])
    assert spent_before(journal) == (6.0, 9)
    journal.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE {change}")
    connection.close()
    journal = Journal(path)
    with pytest.raises(JournalDamaged, match="fails its checksum"):
        spent_before(journal)
    journal.close()
