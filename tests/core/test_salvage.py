"""Claim: whatever page of a journal breaks, every row on the other pages comes back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from selfsown.core.errors import InputError, SelfsownError
from selfsown.core.journal import TABLES, Journal, Row
from selfsown.core.salvage import salvage

PAGE = 4096


def outcome(number: int, size: int) -> Row:
    text = f'{{"text": "{number} {"é" * size}"}}'
    return Row("outcomes", (number.to_bytes(32), "call", "m", "{}", text, 1, "", "t"))


async def make(path: Path, sizes: list[int]) -> None:
    journal = Journal(path)
    for number, size in enumerate(sizes):
        attempt = (number.to_bytes(32), 1, 1, "ok", 200, 2.0, 3, 4, 0, 0, 5, 7, "", "t")
        await journal.append([outcome(number, size), Row("attempts", attempt)])
    journal.close()


def rows(path: Path) -> dict[tuple[str, object], tuple[object, ...]]:
    journal = Journal(path, read_only=True)
    found = {
        (table, row[0]): row for table in ("outcomes", "attempts") for row in journal.rows(table)
    }
    journal.close()
    return found


async def test_an_intact_journal_comes_back_whole(tmp_path: Path) -> None:
    # 3,000 two-byte letters need overflow pages.
    await make(tmp_path / "a.sqlite", [5, 3000, 40, 9000, 0] * 8)
    report = salvage(tmp_path / "a.sqlite", tmp_path / "b.sqlite")
    assert rows(tmp_path / "b.sqlite") == rows(tmp_path / "a.sqlite")
    assert report.rows["outcomes"] == report.rows["attempts"] == 40


async def test_rows_in_the_write_ahead_log_are_recovered_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.sqlite")
    await journal.append([outcome(1, 50)])
    report = salvage(tmp_path / "a.sqlite", tmp_path / "b.sqlite")
    journal.close()
    assert report.rows["outcomes"] == 1


@pytest.mark.slow
async def test_every_single_broken_page_costs_only_its_own_rows(tmp_path: Path) -> None:
    source = tmp_path / "a.sqlite"
    await make(source, [5, 700, 3000, 40] * 6)
    whole, before = source.read_bytes(), rows(source)
    lost = []
    for number in range(len(whole) // PAGE):
        noise = random.Random(number).randbytes(PAGE)
        broken = tmp_path / f"broken{number}.sqlite"
        broken.write_bytes(whole[: number * PAGE] + noise + whole[(number + 1) * PAGE :])
        salvage(broken, tmp_path / f"out{number}.sqlite")
        after = rows(tmp_path / f"out{number}.sqlite")
        assert after.items() <= before.items(), "a row came back that was never written"
        lost.append(len(before) - len(after))
        assert broken.read_bytes()[number * PAGE :][:PAGE] == noise, "the original was touched"
    # The first page (schema) and index pages hold no rows; no page holds more than some dozens.
    assert lost[0] == 0
    assert sum(lost) <= 2 * len(before), "rows vanished from pages that were intact"
    assert max(lost) <= 24, "all attempts share one page, and no page holds more"


async def test_a_flipped_bit_never_brings_back_a_changed_row(tmp_path: Path) -> None:
    source = tmp_path / "a.sqlite"
    await make(source, [30] * 12)
    whole, before = bytearray(source.read_bytes()), rows(source)
    rng = random.Random(7)
    for trial in range(60):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        (tmp_path / "f.sqlite").write_bytes(flipped)
        salvage(tmp_path / "f.sqlite", tmp_path / f"o{trial}.sqlite")
        assert rows(tmp_path / f"o{trial}.sqlite").items() <= before.items()


async def test_recovery_never_overwrites(tmp_path: Path) -> None:
    await make(tmp_path / "a.sqlite", [1])
    with pytest.raises(InputError, match="exists"):
        salvage(tmp_path / "a.sqlite", tmp_path / "a.sqlite")


async def test_no_byte_of_the_schema_makes_a_journal_raise_anything_but_its_own_errors(
    tmp_path: Path,
) -> None:
    source = tmp_path / "a.sqlite"
    await make(source, [30] * 3)
    whole = source.read_bytes()
    for at in range(whole.index(b"CREATE TABLE sessions") - 2500, PAGE, 3):
        broken = bytearray(whole)
        broken[at] = 0xD4
        (tmp_path / "f.sqlite").write_bytes(broken)
        try:
            journal = Journal(tmp_path / "f.sqlite", read_only=True)
        except SelfsownError:
            continue
        for table in TABLES:
            try:
                assert all(len(row) for row in journal.rows(table))
            except SelfsownError:
                continue
        journal.close()
