"""Claim: every row of a file is kept or listed with what it repeats, and no row is both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.cleaning.near_duplicates import Cluster, dedup_file
from selfsown.cli.main import main
from selfsown.core.errors import InputError
from selfsown.curate.near_duplicates import NearDuplicates

ROWS: list[dict[str, object]] = [
    {"id": "a", "instruction": "Name three birds that sing at night.", "output": "owl"},
    {"id": "b", "instruction": "Add the two numbers.", "output": "4"},
    {"id": "c", "instruction": "name THREE birds that sing at night", "output": "robin"},
    {"id": "d", "instruction": "Add the two numbers!", "output": "5"},
    {"id": "e", "instruction": "Name three birds, that sing at night.", "output": "owl"},
]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_first_of_several_stays_and_the_list_says_what_the_others_repeat(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "in.jsonl", ROWS)
    done = dedup_file(path, tmp_path / "out.jsonl", NearDuplicates(), fields=["instruction"])
    assert read(done.path) == ROWS[:2]
    listed = read(done.list_path)
    assert [(one["line"], one["repeats"], one["score"]) for one in listed] == [
        *((3, 1, 1.0), (4, 2, 1.0), (5, 1, 1.0))
    ]
    assert [one["row"] for one in listed] == ROWS[2:]
    assert {one["reason"] for one in listed} == {"near_duplicate"}
    assert (done.rows, done.kept, done.removed, done.clusters) == (5, 2, 3, 2)
    assert done.largest == (
        Cluster(path, 1, "Name three birds that sing at night.", 2),
        Cluster(path, 2, "Add the two numbers.", 1),
    )


def test_without_fields_all_text_is_compared(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", ROWS)
    done = dedup_file(path, tmp_path / "out.jsonl", NearDuplicates(0.95))
    assert [row["id"] for row in read(done.path)] == ["a", "b", "c", "d"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab \n", max_size=9), min_size=1, max_size=15))
def test_rows_are_conserved(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    rows: list[dict[str, object]] = [{"n": n, "text": text} for n, text in enumerate(texts)]
    folder = tmp_path_factory.mktemp("rows")
    near = NearDuplicates(0.5, words=1)
    done = dedup_file(written(folder / "in.jsonl", rows), folder / "out.jsonl", near)
    kept, gone = read(done.path), read(done.list_path)
    assert sorted([row["n"] for row in kept] + [one["row"]["n"] for one in gone]) == list(  # type: ignore[index]
        range(len(rows))
    )
    numbers = {row["n"] for row in kept}
    assert all(one["repeats"] - 1 in numbers and one["repeats"] < one["line"] for one in gone)  # type: ignore[operator]
    assert done.rows == len(rows) == done.kept + done.removed


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab \n", max_size=9), min_size=2, max_size=15), st.integers(1, 14))
def test_a_file_cleaned_in_two_portions_keeps_what_the_whole_keeps(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cut: int
) -> None:
    cut = min(cut, len(texts) - 1)
    rows: list[dict[str, object]] = [{"n": n, "text": text} for n, text in enumerate(texts)]
    folder, clean = tmp_path_factory.mktemp("rows"), lambda: NearDuplicates(0.5, words=1)
    whole = dedup_file(written(folder / "all.jsonl", rows), folder / "whole.jsonl", clean())
    one = dedup_file(written(folder / "1.jsonl", rows[:cut]), folder / "one.jsonl", clean())
    portion = written(folder / "2.jsonl", rows[cut:])
    two = dedup_file(portion, folder / "two.jsonl", clean(), against=[one.path])
    assert read(one.path) + read(two.path) == read(whole.path)
    assert (two.known, two.rows) == (one.kept, len(rows[cut:]))
    assert two.rows == two.kept + two.removed
    earlier, own = read(one.path), rows[cut:]
    for gone in read(two.list_path):
        place = gone["repeats"] - 1  # type: ignore[operator]
        repeated = earlier[place] if "repeats_in" in gone else own[place]
        assert repeated in read(whole.path)


def test_provenance_follows(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", ROWS)
    written(tmp_path / "in.jsonl.provenance.jsonl", [{"line": n, "id": n} for n in range(1, 6)])
    dedup_file(path, tmp_path / "out.jsonl", NearDuplicates(), fields=["instruction"])
    assert read(tmp_path / "out.jsonl.provenance.jsonl") == [
        {"line": 1, "id": 1},
        {"line": 2, "id": 2},
    ]


def test_a_file_is_never_written_over_itself_and_a_missing_field_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", ROWS)
    before = path.read_bytes()
    with pytest.raises(InputError, match="is the file being read"):
        dedup_file(path, path, NearDuplicates())
    with pytest.raises(InputError, match="row 1 has no field `text`"):
        dedup_file(path, tmp_path / "out.jsonl", NearDuplicates(), fields=["text"])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_command_prints_the_file_and_its_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "in.jsonl", ROWS)
    out = tmp_path / "out.jsonl"
    asked = ["dedup", str(path), "-o", str(out), "--field", "instruction"]
    assert main(asked) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out)
    assert "rows: 5 in, 2 kept, 3 removed" in printed.err
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clusters"] == 2
    assert main([*asked, "--against", str(path)]) == 0
    printed = capsys.readouterr()
    assert "rows: 5 in, 0 kept, 5 removed" in printed.err
    assert f"like  row 1 of {path}" in printed.err
    assert main(["dedup", str(path), "-o", str(out), "--against", str(out)]) == 2
    assert "is the file being read" in capsys.readouterr().err
    assert main([*asked, "--threshold", "1.5"]) == 2
    assert "likeness of 1.5" in capsys.readouterr().err
