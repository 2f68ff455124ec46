"""Claim: HTML and PDF give their content or a reason, and a hostile file ends only itself."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.documents.pdf_bytes import pdf_bytes

from selfsown.documents.apart import answered
from selfsown.documents.document import Document, Unread
from selfsown.documents.options import ReadOptions
from selfsown.documents.reading import read_documents

pytest.importorskip("trafilatura")
pytest.importorskip("pypdf")

MAIN = (
    "<h1>Tides</h1><p>The sea rises and falls twice a day, since the moon draws the water on the"
    " side that is nearer to it more than the earth.</p><ul><li>spring tide</li><li>neap tide</li>"
    "</ul><p>Harbours keep tables of the times at which the water is high.</p>"
    "<pre><code>height = mean + range * cos(t)</code></pre>"
    "<table><tr><th>port</th><th>range</th></tr><tr><td>Brest</td><td>6 m</td></tr></table>"
)
PAGE = (
    "<html><head><title>Of tides</title>{head}</head><body><nav><a href=/>Home</a> <a href=/x>Shop"
    "</a></nav><article>{main}</article><footer>Cookies are used here.</footer></body></html>"
)


def parsed(path: Path, data: bytes, form: str, **options: Any) -> dict[str, Any]:
    """What the process would answer, asked in this one."""
    path.write_bytes(data)
    question = {
        "path": os.fsencode(path).hex(), "format": form, "options": asdict(ReadOptions(**options)),
    }  # fmt: skip
    answer = answered(question)
    known: dict[str, Any] = answer.get("known", answer)
    return known


def test_a_page_gives_its_main_content_with_its_structure(tmp_path: Path) -> None:
    licence = "<link rel=license href='https://creativecommons.org/licenses/by/4.0/'>"
    data = PAGE.format(head=licence, main=MAIN).encode()
    known = parsed(tmp_path / "a.html", data, "html")
    assert known["title"] == "Of tides"
    assert known["licence"] == "CC-BY-4.0"
    for part in ("# Tides", "The sea rises", "- spring tide", "height = mean", "| Brest | 6 m |"):
        assert part in known["text"]
    assert "Cookies" not in known["text"] and "Shop" not in known["text"]
    marred = data.replace(b"The sea", b"The\x0b \x1asea")
    assert "The sea rises" in parsed(tmp_path / "b.html", marred, "html")["text"]
    whole = parsed(tmp_path / "a.html", data, "html", html="whole")
    for part in (
        "Home Shop",
        "# Tides",
        "- spring tide\n- neap",
        "```\nheight",
        "Cookies are used",
    ):
        assert part in whole["text"]
    assert "| Brest | 6 m |" in whole["text"] and "Of tides" not in whole["text"]


@pytest.mark.parametrize(
    ("head", "codec", "guess"),
    [
        ("<meta charset=iso-8859-1>", "cp1252", None),
        ("<meta http-equiv=x content='text/html; charset=windows-1251'>", "cp1251", None),
        ("<meta charset=utf-8>", "cp1252", "cp1252, a guess"),
        ("<meta charset=no-such-thing>", "utf-8", None),
        ("", "utf-16", None),
    ],
)  # fmt: skip
def test_the_encoding_that_a_page_declares_is_used_if_it_can_be(
    tmp_path: Path, head: str, codec: str, guess: str | None
) -> None:
    words = "Это русский текст. " if codec == "cp1251" else "Süße Grüße für dich. "
    page = PAGE.format(head=head, main=f"<p>{words * 12}</p>")
    known = parsed(tmp_path / "a.html", page.encode(codec), "html")
    assert words.strip() in known["text"]
    assert str(known.get("encoding", "")).startswith(guess or "")
    assert ("encoding" in known) == (guess is not None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"<!-- a comment --> <!-- without an end", "empty"),
        (b"<html><body></body></html>", "empty"),
        (b"\0\1\2", "binary"),
        (b"<div>" * 30_000 + b"deep", "damaged"),
    ],
)
def test_a_page_without_content_is_said(tmp_path: Path, data: bytes, why: str) -> None:
    assert parsed(tmp_path / "a.html", data, "html")["refused"][0] == why


def test_a_pdf_gives_its_pages(tmp_path: Path) -> None:
    data = pdf_bytes(["First page.", "", "Third page."], "The title")
    known = parsed(tmp_path / "a.pdf", data, "pdf")
    assert known == {"text": "First page.\n\nThird page.", "pages": 3, "title": "The title"}


def test_pdfs_that_give_no_text_say_why(tmp_path: Path) -> None:
    import pypdf

    data = pdf_bytes(["text"])
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(_stored(tmp_path / "b.pdf", data)))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "c.pdf")
    encrypted = (tmp_path / "c.pdf").read_bytes()
    looped = data.replace(b"/Kids [6 0 R]", b"/Kids [2 0 R]")
    cases = {
        "encrypted": [encrypted],
        "empty": [pdf_bytes(["", ""])],
        "damaged": [b"", b"%PDF-1.4\nnothing", data[: len(data) // 2], b"no pdf" * 99, looped],
        "too_large": [pdf_bytes(["x" * 60_000])],
    }
    for why, files in cases.items():
        for one in files:
            answer = parsed(tmp_path / "a.pdf", one, "pdf", max_bytes=50_000)
            assert answer.get("refused", ["read"])[0] in (why, "empty"), answer


@pytest.mark.parametrize("form", ["html", "pdf"])
def test_a_parser_that_is_not_installed_is_an_error_of_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setitem(sys.modules, {"html": "trafilatura", "pdf": "pypdf"}[form], None)
    what, _, fix = parsed(tmp_path / f"a.{form}", b"<p>text", form)["missing"]
    assert "not installed" in what and "selfsown[documents]" in fix


def test_a_parser_that_dies_or_takes_too_long_costs_its_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.html").write_text(PAGE.format(head="", main=MAIN))
    (tmp_path / "b.pdf").write_bytes(pdf_bytes(["Read after it."]))
    asked = []

    def dying(self: Any, path: Path, format: str) -> dict[str, Any]:
        if not asked:
            asked.append(path)
            process = self._process = apart._started()
            process.send_signal(signal.SIGKILL)
            process.wait()
        return read(self, path, format)

    from selfsown.documents import apart

    read = apart.Apart.read
    monkeypatch.setattr(apart.Apart, "read", dying)
    first, second = read_documents([tmp_path], processes=1)
    assert first == Unread(str(tmp_path / "a.html"), "damaged", "its parser was ended by signal 9")
    assert isinstance(second, Document) and second.text == "Read after it."
    slow = ReadOptions(timeout_s=0.02)
    (found,) = read_documents([tmp_path / "a.html"], slow)
    assert isinstance(found, Unread) and found.reason == "too_large"


def _stored(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_how_many_processes_parse_changes_nothing_and_none_is_left(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.html").write_text(
            PAGE.format(head="", main=f"<p>{number}</p>{MAIN}")
        )
        (tmp_path / f"{number}.pdf").write_bytes(pdf_bytes([f"Page {number}."]))
        (tmp_path / f"{number}.txt").write_text(f"Text {number}.")
    alone = list(read_documents([tmp_path], processes=1))
    assert alone == list(read_documents([tmp_path], processes=3))
    assert [Path(one.source).stem for one in alone] == [str(n) for n in range(7) for _ in range(3)]
    reading = read_documents([tmp_path], processes=2)
    assert next(reading) == alone[0]
    begun = threading.active_count()
    reading.close()  # type: ignore[attr-defined]  # it is a generator
    assert threading.active_count() < begun


def test_a_text_too_large_to_be_sent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfsown.documents import apart

    class Short:
        @staticmethod
        def dumps(value: dict[str, Any]) -> str:
            if "known" in value:
                raise MemoryError
            return json.dumps(value)

    monkeypatch.setattr(apart, "json", Short)
    path = _stored(tmp_path / "a.html", PAGE.format(head="", main=MAIN).encode())
    options = asdict(ReadOptions())
    question = {"path": os.fsencode(path).hex(), "format": "html", "options": options}
    assert json.loads(apart._encoded(question))["refused"][0] == "too_large"
