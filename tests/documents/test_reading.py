"""Claim: every file and row is a document or is named with the reason why not, in stable order."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from selfsown.core.config import DocumentsConfig
from selfsown.core.errors import InputError, MissingExtra
from selfsown.documents.document import Document, Unread
from selfsown.documents.options import ReadOptions
from selfsown.documents.reading import read_documents
from selfsown.preparation import read_options


def read(*paths: Path, **options: object) -> list[Document | Unread]:
    given = ReadOptions(**options)  # type: ignore[arg-type]
    return list(read_documents(paths, given))


def one(path: Path, data: bytes, **options: object) -> Document | Unread:
    path.write_bytes(data)
    (found,) = read(path, **options)
    return found


def reason(found: Document | Unread) -> str:
    return found.reason if isinstance(found, Unread) else "read"


def names(found: list[Document | Unread], folder: Path) -> list[str]:
    return [Path(item.source).relative_to(folder).as_posix() for item in found]


@pytest.mark.parametrize(
    ("data", "text", "guess"),
    [
        ("Grüße".encode(), "Grüße", None),
        (b"\xef\xbb\xbfbom", "bom", None),
        ("Grüße".encode("utf-16"), "Grüße", None),
        ("Grüße".encode("utf-16-le") * 3, "Grüße" * 3, "utf-16-le, a guess"),
        ("Die Straße nach Süden führt über Brücken.".encode("cp1252"), None, "cp1252, a guess"),
        (b"It\x92s na\xefve \x96 \x93quoted\x94.", None, "cp1252, a guess"),
        ("Это русский текст, как видно.".encode("cp1251"), None, "cp1251, a guess"),
        ("日本語の文章を書く。これはテストです。".encode("shift_jis"), None, "cp932, a guess"),
        ("日本語".encode("iso2022_jp"), "日本語", "iso2022_jp_2, a guess"),
        (b"a\r\nb\rc", "a\nb\nc", None),
    ],
)
def test_encodings_are_read_and_guesses_recorded(
    tmp_path: Path, data: bytes, text: str | None, guess: str | None
) -> None:
    found = one(tmp_path / "a.txt", data)
    assert isinstance(found, Document)
    if text is None:
        text = data.decode(str(guess).partition(",")[0])
    assert found.text == text
    assert str(found.fields.get("encoding", "")).startswith(guess or "")
    assert ("encoding" in found.fields) == (guess is not None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\x00\x01\x02", "binary"),
        (b"text, then\x00a zero", "binary"),
        (bytes(range(1, 32)) * 9, "binary"),
        ("Wörter über Wörter, ".encode() * 20 + b"\xff\xfe broken", "encoding"),
    ],
)
def test_what_is_no_text_is_said(tmp_path: Path, data: bytes, why: str) -> None:
    assert reason(one(tmp_path / "a.txt", data)) == why


def test_files_over_the_limit_are_refused_without_being_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as handle:
        handle.truncate(500_000_000)
    assert [reason(item) for item in read(path)] == ["too_large"]
    path.write_text("word " * 30)
    assert [reason(item) for item in read(path, max_bytes=150)] == ["read"]
    assert [reason(item) for item in read(path, max_bytes=149)] == ["too_large"]


def test_packed_files_are_read_and_bombs_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"some text")
    assert getattr(one(tmp_path / "a.txt.gz", whole), "text", "") == "some text"
    assert reason(one(tmp_path / "b.md.gz", whole[:-6])) == "damaged"
    assert reason(one(tmp_path / "c.txt.gz", b"no gzip")) == "damaged"
    zeros = gzip.compress(b" " * 3_000_000)
    assert reason(one(tmp_path / "d.txt.gz", zeros, max_bytes=1_000_000)) == "too_large"
    rows = gzip.compress(b'{"text":1}\n' * 3_000)
    (tmp_path / "e.jsonl.gz").write_bytes(rows)
    assert "rest is not read" in getattr(read(tmp_path / "e.jsonl.gz")[-1], "detail", "")
    assert reason(one(tmp_path / "f.parquet.gz", whole)) == "unsupported"


def test_rows_of_jsonl_fail_alone(tmp_path: Path) -> None:
    lines = [
        b'\xef\xbb\xbf{"text": "one", "id": 1, "license": "MIT", "unread": 3, "n": NaN}',
        b"", b"{broken", b'{"id": 2}', b'{"text": 5}', b"[1]", b'{"text": " "}', b'{"text": "one"}',
        b'{"text": "two", "id": 1}', b"[" * 9000, b'{"text": "' + b"x" * 10_001 + b'"}',
        '{"text": "schön für dich"}'.encode("cp1252"), b'{"text": "\\ud800 lone"}',
    ]  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    found = read(path, max_bytes=10_000)
    assert [reason(item) for item in found] == [
        "read", "damaged", "damaged", "damaged", "damaged", "empty", "duplicate", "duplicate_id",
        "damaged", "too_large", "read", "read",
    ]  # fmt: skip
    assert [int(item.source.rpartition(":")[2]) for item in found] == [1, *range(3, 14)]
    first, last = found[0], found[-1]
    assert isinstance(first, Document) and isinstance(last, Document)
    assert (first.id, first.licence, first.fields) == ("1", "MIT", {"unread": 3, "n": None})
    assert getattr(found[-2], "text", "") == "schön für dich"
    assert last.text == "\ufffd lone"


def test_jsonl_in_utf_16_is_read_by_its_mark(tmp_path: Path) -> None:
    data = '{"text": "Grüße"}\n{"text": "世界"}\n'.encode("utf-16")
    (tmp_path / "a.jsonl").write_bytes(data)
    assert [getattr(item, "text", "") for item in read(tmp_path / "a.jsonl")] == ["Grüße", "世界"]
    (tmp_path / "a.jsonl").write_bytes(data[:-1])
    assert [reason(item) for item in read(tmp_path / "a.jsonl")][-1] == "encoding"


def test_a_package_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("charset_normalizer", "pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    found = one(tmp_path / "a.txt", b"na\xefve")
    assert isinstance(found, Unread) and "selfsown[documents]" in found.detail
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtra, match="pyarrow"):
        read(tmp_path / "a.parquet")


def test_json_csv_and_parquet_are_read_by_row(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.json").write_text('[{"text": "a", "deep": {"x": [1]}}, 3]')
    (tmp_path / "b.csv").write_bytes('key,body\nk1,"b ""1"""\nk2,"ü\nb2"\nk3\n'.encode("cp1252"))
    (tmp_path / "c.tsv").write_text("id\ttext\n1\tc, c\n")
    days = [datetime.date(2020, 1, 1)] * 2
    parquet.write_table(
        pyarrow.table({"text": ["p1", "p2"], "day": days}), str(tmp_path / "d.parquet")
    )
    (tmp_path / "C.TSV").write_text("id\ttext\n1\tC, C\n")
    assert getattr(read(tmp_path / "C.TSV")[0], "text", "") == "C, C"
    (tmp_path / "e.parquet").write_bytes(b"PAR1 no Parquet PAR1")
    found = read(tmp_path / "a.json")
    assert [reason(item) for item in found] == ["read", "damaged"]
    found = read(tmp_path / "b.csv", text_field="body", id_field="key")
    assert [reason(item) for item in found] == ["read", "read", "damaged"]
    assert getattr(found[1], "id", "") == "k2" and getattr(found[1], "text", "") == "ü\nb2"
    assert getattr(read(tmp_path / "c.tsv")[0], "text", "") == "c, c"
    found = read(tmp_path / "d.parquet")
    assert [getattr(item, "text", "") for item in found] == ["p1", "p2"]
    assert getattr(found[0], "fields", {}) == {"day": "2020-01-01"}
    assert [reason(item) for item in read(tmp_path / "e.parquet")] == ["damaged"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b""), ("a.jsonl", b"\n \n"), ("a.json", b"[]"), ("a.csv", b""),
        ("a.tsv", b"text\n"),
    ],
)  # fmt: skip
def test_a_file_of_no_rows_is_empty(tmp_path: Path, name: str, data: bytes) -> None:
    assert reason(one(tmp_path / name, data)) == "empty"


def test_csv_that_ends_early_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\none\n"two"2\nthree\n')
    found = read(tmp_path / "a.csv")
    assert [reason(item) for item in found] == ["read", "damaged"]
    assert "the rest is not read" in getattr(found[1], "detail", "")


def test_a_line_of_csv_without_end_is_refused_without_being_read_into_memory(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text("text\n" + "x" * 4_000_000)
    tracemalloc.start()
    (found,) = read(tmp_path / "a.csv", max_bytes=10_000)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason(found) == "too_large"
    assert used < 2_000_000


def test_folders_deeper_than_a_path_may_be_long_are_named(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("f" * 200, dir_fd=folder)
        inner = os.open("f" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    (found,) = read(tmp_path)
    assert isinstance(found, Unread) and found.reason == "damaged" and "too long" in found.detail
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / ("f" * 300))


def test_folders_are_read_in_sorted_order_and_nothing_is_left_out_in_silence(
    tmp_path: Path,
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/z.txt").write_text("z")
    (tmp_path / "b/LICENSE").write_text("CC0 1.0 Universal\n\nthe text of it")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "c.exe").write_text("c")
    (tmp_path / "noend").write_text("c")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("never read")
    (tmp_path / "b/up").symlink_to("..")
    (tmp_path / "b/gone").symlink_to("nowhere")
    (tmp_path / "run").mkdir()
    for name in ("config.yaml", "journal.sqlite", "accepted.jsonl"):
        (tmp_path / "run" / name).write_text("{}")
    os.mkfifo(tmp_path / "pipe")
    found = read(tmp_path)
    assert names(found, tmp_path) == [
        ".git", "a.txt", "b/LICENSE", "b/gone", "b/up", "b/z.txt", "c.exe", "noend", "pipe", "run",
    ]  # fmt: skip
    assert [reason(item) for item in found] == [
        "unsupported", "read", "unsupported", "damaged", "unsupported", "read", "unsupported",
        "unsupported", "unsupported", "unsupported",
    ]  # fmt: skip
    licences = [item.licence for item in found if isinstance(item, Document)]
    assert licences == ["", "CC0-1.0"]
    assert read(tmp_path) == found


def test_a_licence_is_the_rows_then_the_users_then_the_folders(tmp_path: Path) -> None:
    (tmp_path / "licence").write_text("CC-BY-4.0\n")
    rows = [{"text": "a", "licence": "MIT"}, {"text": "b"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = tmp_path / "a.jsonl"
    assert [getattr(item, "licence", "") for item in read(path)] == ["MIT", "CC-BY-4.0"]
    (tmp_path / "licence").unlink()
    (tmp_path / "copyright").write_text("Format: x\n\nFiles: *\nLicense: GPL-2+ or MIT\n text\n")
    assert [getattr(item, "licence", "") for item in read(path)] == ["MIT", "GPL-2+ or MIT"]
    given = read(path, licence="own")
    assert [getattr(item, "licence", "") for item in given] == ["MIT", "own"]


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="no path"):
        read()


def test_a_config_knows_every_option_with_the_same_default() -> None:
    config = DocumentsConfig.model_validate("a.txt")
    assert config.paths == ("a.txt",)
    assert read_options(config) == ReadOptions()
