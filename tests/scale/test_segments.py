"""Claim: a segment that is not what was written is damage, whatever is in it instead."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from selfsown.core.errors import JournalDamaged
from selfsown.scale.segments import Chain, read_header, restore
from selfsown.scale.store import Store

HEADER = b'{"shard":0,"attempt":1,"first":1,"last":1,"whole":true}\n'
NAME = "000001-000000000001.gz"


def stored(home: Path, data: bytes) -> Store:
    store = Store(str(home / "store"))
    store.create(f"s/segments/{NAME}", data)
    return store


@pytest.mark.parametrize("text", [b"", b"\n", b"{}", b"[]", b"nothing", b'{"shard": 0}'])
def test_a_segment_without_a_header_is_damaged(tmp_path: Path, text: bytes) -> None:
    for data in (gzip.compress(text), text):
        home = tmp_path / str(len(data))
        with pytest.raises(JournalDamaged, match=NAME):
            read_header(stored(home, data), "s", NAME)


@pytest.mark.parametrize(
    "row", [b"x", b"[]", b"{}", b'["sessions", 1, "", [{}]]', b'["sessions", 1, "00", ["a", "b"]]']
)
def test_a_line_that_is_no_row_is_damage(tmp_path: Path, row: bytes) -> None:
    store = stored(tmp_path, gzip.compress(HEADER + row + b"\n"))
    with pytest.raises(JournalDamaged, match=NAME):
        restore(store, "s", Chain(1, (NAME,), 1), tmp_path / "restored.sqlite")
