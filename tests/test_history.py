"""Claim: what earlier sessions spent and made is read from a journal to be trusted, or not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import selfsown
from selfsown.core.errors import JournalDamaged
from selfsown.core.journal import JOURNAL_NAME, Journal, Row
from selfsown.history import spent_before
from selfsown.models.scripted import ScriptedModel


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


@pytest.mark.parametrize("gone", [(), ("manifest.json",)])
def test_a_run_never_begins_anew_beside_files_whose_journal_was_emptied(
    tmp_path: Path, gone: tuple[str, ...]
) -> None:
    model = ScriptedModel()
    rows = [{"n": n} for n in range(3)]
    selfsown.run("complete", rows=rows, prompt="{{ n }}", model=model, out=tmp_path)
    for name in gone:
        (tmp_path / name).unlink()
    (tmp_path / JOURNAL_NAME).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(JournalDamaged, match="nothing in its journal"):
            selfsown.run("complete", rows=rows, prompt="{{ n }}", model=model, out=tmp_path)
    assert model.call_count == 3
