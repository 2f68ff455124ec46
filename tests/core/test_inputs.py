"""Claim: every row of a file arrives as it was, or is refused by line; none is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.core.inputs import adopt_rows, copy_rows, read_rows, stored_rows
from selfsown.core.rundir import INPUTS, sha256_of

TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(rows=st.lists(st.dictionaries(TEXT, VALUES, max_size=3), min_size=1, max_size=5))
def test_rows_come_back_as_they_were_copied(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    out = tmp_path_factory.mktemp("run")
    facts = copy_rows(rows, out)  # type: ignore[arg-type]
    assert list(stored_rows(out)()) == [], "copied rows count before they are adopted"
    adopt_rows(out)
    assert facts.rows == len(rows)
    assert facts.sha256 == sha256_of(out / INPUTS / "rows.jsonl")
    read = list(stored_rows(out)())
    assert json.loads(json.dumps(read)) == [_as_read(row) for row in rows]


def _as_read(value: object) -> object:
    """Integers beyond 64 bits come back from disk as floats."""
    if isinstance(value, dict):
        return {name: _as_read(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    return value


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", '{"t": "é"}\n\n{"t": 2}\n'),
        ("b.jsonl", b"\xef\xbb\xbf" + '{"t": "é"}\r\n{"t": 2}'.encode()),
        ("c.json", '\n[{"t": "é"},\n {"t": 2}]'),
        ("d.json", b"\xef\xbb\xbf" + '[{"t": "é"}, {"t": 2}]'.encode()),
    ],
)
def test_the_same_rows_in_every_dress(tmp_path: Path, name: str, data: str | bytes) -> None:
    assert list(read_rows(written(tmp_path / name, data))) == [{"t": "é"}, {"t": 2}]


def test_a_csv_keeps_quotes_commas_and_line_breaks(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b'\xef\xbb\xbfq,a\r\n"x, ""y""","1\n2"\r\nz,\r\n')
    assert list(read_rows(path)) == [{"q": 'x, "y"', "a": "1\n2"}, {"q": "z", "a": ""}]


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.jsonl", '{"t": 1}\n{"t": \n', "line 2: Expecting value"),
        ("a.jsonl", '{"t": 1}\n\n[1]\n', "line 3: a row is an object, this is list"),
        ("a.json", '[{"t": 1},\n{"t" 2}]', "line 2: Expecting ':'"),
        ("a.json", '{"t": 1}', "line 1: the file holds no list"),
        ("a.json", '[{"t": 1}, 2]', "line 2: a row is an object"),
        ("a.csv", "q,a\n1,2\n3\n", "line 3: other number of cells"),
        ("a.csv", "q,a\n1,2,3\n", "line 2: other number of cells"),
        ("a.csv", 'q,a\n"1,2\n', "line 2: unexpected end of data"),
        ("a.jsonl", "", "has no rows"),
        ("a.jsonl", "\n \n", "has no rows"),
        ("a.json", "[]", "has no rows"),
        ("a.csv", "q,a\n", "has no rows"),
        ("a.jsonl", b'{"t": "\xe9"}\n', "is not UTF-8"),
        ("a.json", b'[{"t": "\xe9"}]', "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained_by_line(
    tmp_path: Path, name: str, data: str | bytes, what: str
) -> None:
    with pytest.raises(InputError) as caught:
        list(read_rows(written(tmp_path / name, data)))
    assert what in caught.value.what
    assert caught.value.fix


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list(read_rows(tmp_path / "none.jsonl"))


def test_lone_surrogates_are_replaced_once_and_for_all(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"t\\udc00": ["a\\ud800b", {"c": "\\ud83d\\ude00"}]}\n')
    copy_rows(read_rows(path), tmp_path)
    adopt_rows(tmp_path)
    assert list(stored_rows(tmp_path)()) == [{"t\ufffd": ["a\ufffdb", {"c": "😀"}]}]


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), b"x"])
def test_a_value_that_is_not_json_is_refused_by_row(tmp_path: Path, value: object) -> None:
    rows = [{"t": 1}, {"t": value}]
    with pytest.raises(InputError, match="row 1 cannot be stored"):
        copy_rows(rows, tmp_path)  # type: ignore[arg-type]
    assert list((tmp_path / INPUTS).iterdir()) == [], "half a copy was left behind"
