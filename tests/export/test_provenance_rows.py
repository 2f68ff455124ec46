"""Claim: rows of provenance are found by id, the first few without an index, later ones with it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from selfsown.export import provenance
from selfsown.export.provenance import _FEW, open_provenance


def rows(path: Path, count: int) -> list[dict[str, str]]:
    """Rows whose payload quotes the beginning of another row's line."""
    made = [{"id": f"r-{n}", "quoted": f'\n{{"id":"r-{n + 1}",'} for n in range(count)]
    (path / "provenance.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in made))
    return made


def test_each_row_is_found_whether_few_or_many_are_asked_for(tmp_path: Path) -> None:
    made = rows(tmp_path, 3 * _FEW)
    with open_provenance(tmp_path) as index:
        assert [index.find(row["id"]) for row in reversed(made)] == made[::-1]
    with open_provenance(tmp_path) as index:
        assert index.find("r-0") == made[0]
        assert index.find("r-1") == made[1]


def test_an_id_that_is_not_there_and_one_that_begins_like_another_are_not_found(
    tmp_path: Path,
) -> None:
    rows(tmp_path, 12)
    with open_provenance(tmp_path) as index:
        assert index.find("r-") is None
        assert index.find("r-12") is None


def test_a_line_that_another_program_wrote_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "provenance.jsonl").write_text('{"stage": "rows", "id": "a"}\n')
    with open_provenance(tmp_path) as index:
        assert index.find("a") == {"stage": "rows", "id": "a"}


def test_lines_that_lie_across_blocks_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rows(tmp_path, _FEW)
    for size in range(1, 40):
        monkeypatch.setattr(provenance, "_BLOCK_BYTES", size)
        with open_provenance(tmp_path) as index:
            assert [index.find(row["id"]) for row in made] == made
            assert index._index is None


def test_no_file_and_an_empty_one_hold_no_rows(tmp_path: Path) -> None:
    with open_provenance(tmp_path) as index:
        assert index.find("a") is None
    (tmp_path / "provenance.jsonl").touch()
    with open_provenance(tmp_path) as index:
        assert index.find("a") is None
