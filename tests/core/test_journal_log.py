"""Claim: no commit disappears from a log that a killed process left without being missed."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from tests.core.test_salvage import outcome, rows

from selfsown.core.errors import JournalDamaged
from selfsown.core.journal import Journal
from selfsown.core.journal_file import PAGE_BYTES
from selfsown.core.journal_log import committed, frames, log_of
from selfsown.core.salvage import salvage

FRAME, HEADER = PAGE_BYTES + 24, 32
COMMITS = 6


async def leave(home: Path, *, checkpoint: str = "", last: int = 1) -> Path:
    """What a process leaves that is killed after so many commits, so many rows in the last."""
    home.mkdir()
    journal = Journal(home / "open.sqlite")
    for number in range(COMMITS - 1):
        await journal.append([outcome(number, 900)])
    if checkpoint:
        journal.query(f"PRAGMA wal_checkpoint({checkpoint})")
    await journal.append([outcome(100 + number, 900) for number in range(last)])
    for end in ("", "-wal", "-shm"):
        shutil.copyfile(home / f"open.sqlite{end}", home / f"left.sqlite{end}")
    journal.close()
    return home / "left.sqlite"


def change(left: Path, at: int) -> None:
    """Flip a bit of its log."""
    data = bytearray(log_of(left).read_bytes())
    data[at] ^= 4
    log_of(left).write_bytes(data)


def lose_index(left: Path) -> None:
    left.with_name(f"{left.name}-shm").unlink()


async def test_what_a_killed_process_left_opens_as_it_is(tmp_path: Path) -> None:
    left = await leave(tmp_path / "a")
    assert all(frame.chained for frame in frames(log_of(left)))
    assert len(rows(left)) == COMMITS


@pytest.mark.parametrize("index", [True, False])
async def test_a_changed_bit_with_commits_behind_it_is_never_taken_for_the_end(
    tmp_path: Path, index: bool
) -> None:
    left = await leave(tmp_path / "a")
    marks = [frame.number for frame in frames(log_of(left)) if frame.ends]
    rng = random.Random(3)
    whole = log_of(left).read_bytes()
    for frame in range(marks[-2]):
        log_of(left).write_bytes(whole)
        change(left, HEADER + frame * FRAME + rng.randrange(FRAME))
        if not index:
            left.with_name(f"{left.name}-shm").unlink(missing_ok=True)
        for read_only in (True, False):
            with pytest.raises(JournalDamaged, match=r"its log|--recover"):
                Journal(left, read_only=read_only)


@pytest.mark.parametrize("at", [0, 9, 17, 25, 31])
async def test_a_changed_bit_in_the_head_does_not_empty_the_log(tmp_path: Path, at: int) -> None:
    left = await leave(tmp_path / "a")
    change(left, at)
    with pytest.raises(JournalDamaged, match="commits follow"):
        Journal(left)
    lose_index(left)
    with pytest.raises(JournalDamaged, match="commits follow"):
        Journal(left)


async def test_the_last_commit_is_missed_by_the_index(tmp_path: Path) -> None:
    left = await leave(tmp_path / "a")
    whole = log_of(left).read_bytes()
    change(left, len(whole) - 5)
    with pytest.raises(JournalDamaged, match="frames that were committed"):
        Journal(left)
    for size in (len(whole) - FRAME, len(whole) - 1, HEADER, 0):
        log_of(left).write_bytes(whole[:size])
        with pytest.raises(JournalDamaged, match="frames that were committed"):
            Journal(left)
    log_of(left).unlink()
    with pytest.raises(JournalDamaged, match="holds 0 of"):
        Journal(left)


async def test_a_commit_that_was_never_ended_is_no_damage(tmp_path: Path) -> None:
    left = await leave(tmp_path / "a")
    whole = log_of(left).read_bytes()
    lose_index(left)
    log_of(left).write_bytes(whole[:-10])
    assert len(rows(left)) == COMMITS - 1


async def test_old_frames_behind_a_log_that_began_anew_are_no_damage(tmp_path: Path) -> None:
    left = await leave(tmp_path / "a", checkpoint="RESTART")
    found = list(frames(log_of(left)))
    assert found[-1].salts != found[0].salts, "no old frames are left"
    change(left, HEADER + len(found) * FRAME - 5)
    assert len(rows(left)) == COMMITS


async def test_a_log_that_was_copied_back_may_be_gone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    journal = Journal(tmp_path / "a/open.sqlite")
    await journal.append([outcome(1, 900)])
    journal.query("PRAGMA wal_checkpoint(PASSIVE)")
    for end in ("", "-shm"):
        shutil.copyfile(tmp_path / f"a/open.sqlite{end}", tmp_path / f"left.sqlite{end}")
    journal.close()
    assert len(rows(tmp_path / "left.sqlite")) == 1


async def test_a_journal_that_is_being_written_can_be_looked_at(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.sqlite")
    for number in range(3):
        await journal.append([outcome(number, 900)])
        assert len(rows(tmp_path / "a.sqlite")) == number + 1
    journal.close()
    assert not log_of(tmp_path / "a.sqlite").exists()


async def test_recovery_takes_what_stands_behind_the_break(tmp_path: Path) -> None:
    left = await leave(tmp_path / "a")
    marks = [frame.number for frame in frames(log_of(left)) if frame.ends]
    known = rows(left)
    left = await leave(tmp_path / "b")
    change(left, HEADER + marks[1] * FRAME + 500)
    with pytest.raises(JournalDamaged):
        Journal(left)
    salvage(left, tmp_path / "back.sqlite")
    assert rows(tmp_path / "back.sqlite").items() <= known.items()
    assert len(rows(tmp_path / "back.sqlite")) >= len(known) - 1


async def test_recovery_prefers_what_was_committed_to_what_a_dead_process_had_begun(
    tmp_path: Path,
) -> None:
    long = await leave(tmp_path / "long", last=9)
    whole, base = log_of(long).read_bytes(), long.read_bytes()
    ends = [frame.number for frame in frames(log_of(long)) if frame.ends]
    # Its last commit was begun by a process that died; the next one wrote over the front of it.
    cut = HEADER + ends[-2] * FRAME
    log_of(long).write_bytes(whole[:cut])
    lose_index(long)
    journal = Journal(long)
    await journal.append([outcome(77, 10)])
    log, stored = log_of(long).read_bytes(), rows(long)
    journal.close()
    assert len(log) < len(whole), "nothing of the first process is left"
    (tmp_path / "c").mkdir()
    left = tmp_path / "c/left.sqlite"
    left.write_bytes(base)
    tail = bytearray(whole[len(log) :])
    tail[-FRAME + 4 : -FRAME + 8] = bytes(4)  # it died before its commit
    log_of(left).write_bytes(log + tail)
    assert [frame.number for frame in committed(left)][-1] < len(whole) // FRAME
    salvage(left, tmp_path / "back.sqlite")
    assert rows(tmp_path / "back.sqlite") == stored
