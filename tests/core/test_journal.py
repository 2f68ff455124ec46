"""Claim: what is committed stays, in order and verified; damage and full disks are said."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from selfsown.core.errors import EnvironmentFailure, JournalDamaged
from selfsown.core.journal import Journal, Row


def outcome(key: bytes, text: str = "{}", ok: int = 1) -> Row:
    return Row("outcomes", (key, "call", "m", "{}", text, ok, "", "2026-01-01T00:00:00Z"))


async def test_a_committed_outcome_is_found_by_another_connection(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    await journal.append([outcome(b"k" * 32, '{"text":"a"}')])
    other = Journal(tmp_path / "j.sqlite", read_only=True)
    stored = other.lookup(b"k" * 32)
    assert stored is not None
    assert stored.outcome == '{"text":"a"}'
    assert other.lookup(b"x" * 32) is None
    journal.close()
    other.close()


async def test_a_thousand_rows_cost_few_commits_and_keep_their_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    await asyncio.gather(*(journal.append([outcome(i.to_bytes(32))]) for i in range(1000)))
    assert journal.commits <= 20
    assert [row[0] for row in journal.rows("outcomes")] == list(range(1, 1001))
    journal.close()


async def test_the_first_outcome_of_a_key_counts_until_it_is_void(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    await journal.append([outcome(b"k" * 32, "1"), outcome(b"k" * 32, "2")])
    first = journal.lookup(b"k" * 32)
    assert first is not None
    assert first.outcome == "1"
    await journal.append([Row("voids", (first.seq, "test"))])
    second = journal.lookup(b"k" * 32)
    assert second is not None
    assert second.outcome == "2"
    journal.close()


async def test_sequence_numbers_go_on_after_reopening(tmp_path: Path) -> None:
    for _ in range(2):
        journal = Journal(tmp_path / "j.sqlite")
        await journal.append([outcome(os.urandom(32)), Row("voids", (99, "x"))])
        journal.close()
    journal = Journal(tmp_path / "j.sqlite", read_only=True)
    seqs = [row[0] for table in ("outcomes", "voids") for row in journal.rows(table)]
    assert sorted(int(str(seq)) for seq in seqs) == [1, 2, 3, 4]
    journal.close()


async def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    Journal(tmp_path / "j.sqlite").close()
    assert stat.S_IMODE((tmp_path / "j.sqlite").stat().st_mode) == 0o600


async def test_a_changed_row_is_refused_by_its_checksum(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    await journal.append([outcome(b"k" * 32, '{"text":"a"}')])
    journal.close()
    raw = sqlite3.connect(tmp_path / "j.sqlite")
    raw.execute('UPDATE outcomes SET outcome = \'{"text":"b"}\'')
    raw.commit()
    raw.close()
    journal = Journal(tmp_path / "j.sqlite", read_only=True)
    with pytest.raises(JournalDamaged, match="checksum"):
        journal.lookup(b"k" * 32)
    journal.close()


async def test_an_index_that_misses_a_row_is_damage_and_no_reason_to_ask_again(
    tmp_path: Path,
) -> None:
    path, keys = tmp_path / "j.sqlite", [bytes([n]) * 32 for n in range(1, 20)]
    journal = Journal(path)
    await journal.append([outcome(key) for key in keys])
    journal.close()
    whole = bytearray(path.read_bytes())
    (leaf,) = (at for at in range(0, len(whole), 4096) if whole[at : at + 5].hex() == "0a00000013")
    place = whole.index(keys[7], leaf)
    whole[place + 20] ^= 4
    path.write_bytes(whole)
    journal = Journal(path)
    with pytest.raises(JournalDamaged, match="index `outcomes_key` does not fit"):
        journal.lookup(keys[7])
    journal.close()


async def test_damage_that_only_the_writer_meets_is_said_and_hangs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    await journal.append([outcome(b"k" * 32)])
    (root,) = journal.query("SELECT rootpage FROM sqlite_master WHERE name='grants'")
    journal.close()
    whole, at = bytearray(path.read_bytes()), (int(str(root[0])) - 1) * 4096
    whole[at : at + 4096] = b"\xff" * 4096
    path.write_bytes(whole)
    for _ in range(2):
        journal = Journal(path)
        with pytest.raises(JournalDamaged):
            journal.append_now([Row("sessions", ("t", ""))])
        with pytest.raises(JournalDamaged):
            await journal.append([outcome(b"x" * 32)])
        journal.close()


async def test_a_key_is_found_while_another_process_writes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    await journal.append([outcome(b"k" * 32)])
    for number in range(50):
        writing = journal.append([outcome(number.to_bytes(32))])
        other = Journal(tmp_path / "j.sqlite", read_only=True)
        assert other.lookup(b"k" * 32) is not None
        other.close()
        await writing
    journal.close()


def test_a_file_that_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 9)
    with pytest.raises(JournalDamaged, match="doctor"):
        Journal(tmp_path / "j.sqlite")


def test_a_journal_of_another_format_is_not_touched(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "j.sqlite")
    raw.execute("PRAGMA user_version=99")
    raw.commit()
    raw.close()
    before = (tmp_path / "j.sqlite").read_bytes()
    with pytest.raises(EnvironmentFailure, match="99"):
        Journal(tmp_path / "j.sqlite", read_only=True)
    assert (tmp_path / "j.sqlite").read_bytes() == before


def test_reading_a_journal_that_is_not_there_names_the_directory(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="does not exist"):
        Journal(tmp_path / "none.sqlite", read_only=True)


async def test_a_full_disk_fails_the_append_and_keeps_what_was_committed(tmp_path: Path) -> None:
    # SQLite reports SQLITE_FULL at its own page limit exactly as at the disk's.
    journal = Journal(tmp_path / "j.sqlite", max_pages=40)
    await journal.append([outcome(b"a" * 32)])
    with pytest.raises(EnvironmentFailure, match="full"):
        for i in range(200):
            await journal.append([outcome(i.to_bytes(32), "x" * 4000)])
    with pytest.raises(EnvironmentFailure, match="full"):
        await journal.append([outcome(b"b" * 32)])
    journal.close()
    reopened = Journal(tmp_path / "j.sqlite")
    assert reopened.lookup(b"a" * 32) is not None
    await reopened.append([outcome(b"b" * 32)])
    reopened.close()


async def test_an_iteration_that_is_not_finished_does_not_hide_new_outcomes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    rows = [Row("deliveries", (0, "f", n, n, 1, b"")) for n in range(600)]
    await journal.append([*rows, outcome(b"a" * 32)])
    open_iterations = (journal.deliveries(0, "f"), journal.rows("deliveries"))
    for iteration in open_iterations:
        next(iteration)  # type: ignore[call-overload]
    await journal.append([outcome(b"k" * 32)])
    assert journal.lookup(b"k" * 32) is not None
    assert [len(list(iteration)) for iteration in open_iterations] == [599, 599]
    journal.close()


async def test_the_newest_reported_name_of_a_model_is_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    for number, text in enumerate(('{"text":"","model":"old"}', '{"text":"","model":"new"}')):
        await journal.append([outcome(bytes([number]) * 32, text)])
    await journal.append([outcome(b"f" * 32, '{"error":["a","b"]}', ok=0)])
    assert journal.reported_name("m") == "new"
    assert journal.reported_name("another") == ""
    journal.close()
