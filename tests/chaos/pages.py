"""Which rows lie on which page of a journal, read independently of `core.salvage`.

Only what the file format says in sections 1.5 and 1.6: the number of cells of a leaf page, and
where overflow chains go. (https://sqlite.org/fileformat2.html)
"""

from __future__ import annotations

from pathlib import Path

from selfsown.core.journal import TABLES, Journal
from selfsown.core.journal_file import PAGE_BYTES

Rows = dict[tuple[str, int], tuple[object, ...]]


def rows_of(path: Path) -> Rows:
    """(table, sequence number) -> values."""
    journal = Journal(path, read_only=True)
    try:
        return {(table, int(row[0] or 0)): row for table in TABLES for row in journal.rows(table)}
    finally:
        journal.close()


def rows_on_pages(whole: bytes) -> list[set[int]]:
    """For every page the sequence numbers of rows that have a byte on it; empty for indexes."""
    pages = [whole[at : at + PAGE_BYTES] for at in range(0, len(whole), PAGE_BYTES)]
    found: list[set[int]] = [set() for _ in pages]
    for number, page in enumerate(pages):
        start = 100 if number == 0 else 0
        if page[start] != 0x0D or number == 0:  # the first page holds the schema
            continue
        for cell in range(int.from_bytes(page[start + 3 : start + 5])):
            at = int.from_bytes(page[start + 8 + 2 * cell : start + 10 + 2 * cell])
            size, at = _varint(page, at)
            seq, at = _varint(page, at)
            found[number].add(seq)
            most, least = PAGE_BYTES - 35, (PAGE_BYTES - 12) * 32 // 255 - 23
            if size <= most:
                continue
            local = least + (size - least) % (PAGE_BYTES - 4)
            at += local if local <= most else least
            following = int.from_bytes(page[at : at + 4])
            while following:
                found[following - 1].add(seq)
                following = int.from_bytes(pages[following - 1][:4])
    return found


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 9):
        value = value << 7 | page[place] & 0x7F
        if page[place] < 0x80:
            return value, place + 1
    raise AssertionError("journals hold no numbers of nine bytes")
