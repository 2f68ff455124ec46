"""Which rows lie on which page of a journal or its log, read independently of `core.salvage`.

Only what the file format says in sections 1.5 and 1.6: the number of cells of a leaf page, and
where overflow chains go; and in 4.1, where a log's frames are.
(https://sqlite.org/fileformat2.html)
"""

from __future__ import annotations

from collections.abc import Iterator
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
    pages = _pages(whole)
    found: list[set[int]] = [set() for _ in pages]
    for number, page in enumerate(pages, 1):
        for seq, following in _cells(number, page):
            found[number - 1].add(seq)
            while following:
                found[following - 1].add(seq)
                following = int.from_bytes(pages[following - 1][:4])
    return found


DATABASE = -1
"""The place of what was copied out of the log."""


def log_copies(database: bytes, log: bytes) -> dict[int, list[set[int]]]:
    """For every row, and each page that it has a byte on, the frames (from 0) that hold it."""
    images = [(DATABASE, number, page) for number, page in enumerate(_pages(database), 1)]
    for number in range((len(log) - LOG_HEADER) // FRAME_BYTES):
        at = LOG_HEADER + number * FRAME_BYTES
        page = int.from_bytes(log[at : at + 4])
        images.append((number, page, log[at + FRAME_HEADER :][:PAGE_BYTES]))
    pages = {number: page for _, number, page in images}
    places: dict[int, set[int]] = {}
    for place, number, _ in images:
        places.setdefault(number, set()).add(place)
    found: dict[int, dict[int, set[int]]] = {}
    for place, number, page in images:
        for seq, following in _cells(number, page):
            found.setdefault(seq, {}).setdefault(0, set()).add(place)  # leaves split
            while following:
                found[seq][following] = places[following]
                following = int.from_bytes(pages[following][:4])
    return {seq: list(held.values()) for seq, held in found.items()}


LOG_HEADER, FRAME_HEADER = 32, 24
FRAME_BYTES = FRAME_HEADER + PAGE_BYTES


def _pages(whole: bytes) -> list[bytes]:
    return [whole[at : at + PAGE_BYTES] for at in range(0, len(whole), PAGE_BYTES)]


def _cells(number: int, page: bytes) -> Iterator[tuple[int, int]]:
    """Of a leaf of a table: each row's sequence number and first overflow page, 0 for none."""
    if number == 1 or page[0] != 0x0D:  # the first page holds the schema
        return
    for cell in range(int.from_bytes(page[3:5])):
        at = int.from_bytes(page[8 + 2 * cell : 10 + 2 * cell])
        size, at = _varint(page, at)
        seq, at = _varint(page, at)
        most, least = PAGE_BYTES - 35, (PAGE_BYTES - 12) * 32 // 255 - 23
        if size <= most:
            yield seq, 0
            continue
        local = least + (size - least) % (PAGE_BYTES - 4)
        at += local if local <= most else least
        yield seq, int.from_bytes(page[at : at + 4])


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 9):
        value = value << 7 | page[place] & 0x7F
        if page[place] < 0x80:
            return value, place + 1
    raise AssertionError("journals hold no numbers of nine bytes")
