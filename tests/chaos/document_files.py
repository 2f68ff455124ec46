"""Documents that nobody meant: files of every form, cut, doubled and mixed with each other."""

from __future__ import annotations

import gzip
import os
from dataclasses import asdict
from pathlib import Path
from typing import Final

import charset_normalizer  # noqa: F401 loaded here, since cases are timed
import pypdf  # noqa: F401 as above
import trafilatura  # noqa: F401 as above
from hypothesis import strategies as st
from tests.documents.pdf_bytes import pdf_bytes

from selfsown.core.inputs import row_line
from selfsown.documents.apart import answered
from selfsown.documents.chunk import chunk
from selfsown.documents.document import Document, document_rows
from selfsown.documents.options import ReadOptions
from selfsown.documents.reading import FORMATS, read_documents

_OPTIONS: Final = ReadOptions(max_bytes=20_000)
_PARTS: Final = (
    b'{"text": "a document", "id": 1, "license": ["MIT"]}\n', b'[{"text": "x"}, ', b'{"text": ',
    b'"\\ud800"}', b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff\0a", b"\0", b"\xe4\xf6",
    "Grüße, 世界. ".encode(), b"text,id\n", b'"quoted, ""cell"""', b",1\n", b"# Title\n\n",
    b"- a\n", b"| a | b |\n|---|---|\n", b"    code\n", b"```\n",
    b"<html><head><meta charset=utf-16>", b"<p>Words of a page. ", b"<table><tr><td>", b"</p>",
    b"<!--", b"<pre>\n", b"<script>", b"&#0;", b"<?xml version='1.0' encoding='cp037'?>",
    b"[" * 50, b"x" * 3000, b"word " * 500, b"NaN", b"1e999", b"9" * 400,
)  # fmt: skip
_PDF: Final = pdf_bytes(["A page.", "Another page."], "Title")
PIECES: Final = st.lists(st.sampled_from(_PARTS) | st.binary(max_size=12), max_size=12).map(
    b"".join
)
FILES: Final = st.tuples(PIECES, st.sampled_from([s for s in FORMATS if s != ".parquet"]))
PDFS: Final = st.tuples(
    st.integers(0, len(_PDF)), st.integers(0, 60),
    st.binary(max_size=8) | st.sampled_from((b"2 0 R", b"/Kids", b"<<", b"/Encrypt 3 0 R", b"-1")),
)  # fmt: skip


def files(home: Path, case: tuple[bytes, str]) -> None:
    """A file of any form but Parquet; HTML and PDF are parsed in this process."""
    data, suffix = case
    if FORMATS[suffix] in ("html", "pdf"):
        apart(home / f"file{suffix}", data, FORMATS[suffix])
        return
    packed = len(data) % 2
    path = home / f"file{suffix}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    found = list(read_documents([path], _OPTIONS))
    assert found, "neither text nor a reason"
    assert list(document_rows(one.row() for one in found)) == found, "a row that is another"
    for number, one in enumerate(found):
        row_line(number, one.row())
        if isinstance(one, Document):
            assert one.text.strip()
            pieces = [one.text[part.start : part.end] for part in chunk(one.text, 20)]
            assert "".join(pieces) == one.text, "chunks lose text"


def pdfs(home: Path, case: tuple[int, int, bytes]) -> None:
    """A PDF of two pages in which one place holds something else."""
    at, size, piece = case
    apart(home / "file.pdf", _PDF[:at] + piece + _PDF[at + size :], "pdf")


def apart(path: Path, data: bytes, form: str) -> None:
    """A file as the process for HTML and PDF reads it."""
    path.write_bytes(data)
    options = asdict(_OPTIONS) | {"html": "whole" if len(data) % 2 else "main"}
    answer = answered({"path": os.fsencode(path).hex(), "format": form, "options": options})
    assert answer.keys() in ({"known"}, {"refused"}), answer
    if "known" in answer:
        row_line(0, answer["known"])
        assert answer["known"]["text"].strip()
