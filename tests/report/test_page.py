"""The page is one file that loads nothing, shows hostile text harmlessly, appears as a whole."""

from __future__ import annotations

import re
import runpy
import stat
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from selfsown.core.errors import EnvironmentFailure
from selfsown.report.numbers import read_numbers, report_numbers
from selfsown.report.page import render_page, write_report

RUNS = runpy.run_path(str(Path(__file__).with_name("run_fixture.py")))
HOSTILE = (
    "<script>alert(1)</script> is an instruction with markup",
    "</pre></main><img src=x onerror=alert(1)> and some more words",
    "{{ 7 * 7 }} {% include '/etc/passwd' %} is a template for you",
    "Write \x1b[2J\x1b[31mred\x1b[0m text with \x9b31m escapes",
    "Describe \u202egnp.exe\u202c and \u2066the rest\u2069 of it",
    "Name a thing with a \0 byte and a \x07 bell in it",
    "List a " + "very " * 200_000 + "long line",
)
VOID = {"meta", "br", "img", "hr", "link", "input"}


class _Page(HTMLParser):
    """Collects tags and attributes, and checks that elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small")
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Few ordinary records, so that hostile ones are among the samples.
    path: Path = RUNS["write_self_instruct"](
        tmp_path_factory.mktemp("runs") / "<b>evil</b>", answers=2, hostile=HOSTILE
    )
    return path


def test_the_page_loads_nothing_and_runs_nothing(run: Path) -> None:
    page = _Page(render_page(read_numbers(run)))
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in ("src", "href", "action", "srcset")
        assert not name.startswith("on")
        assert "url(" not in value
    assert any("default-src 'none'" in value for _, value in page.attributes)


def test_hostile_text_is_shown_and_does_nothing(hostile: Path) -> None:
    text = render_page(read_numbers(hostile))
    page = _Page(text)
    assert not {"script", "img", "b>evil</b"} & set(page.tags)
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "{{ 7 * 7 }}" in "".join(page.words)
    assert "␛[31mred" in text
    assert "⟨U+202E⟩gnp.exe" in text
    assert "␀ byte" in text
    assert len(text) < 300_000


def test_hostile_text_is_harmless_in_the_json_too(hostile: Path) -> None:
    write_report(hostile)
    text = (hostile / "report.json").read_text()
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert len(text) < 300_000


def test_page_and_json_show_the_same_numbers(run: Path) -> None:
    write_report(run)
    numbers = orjson.loads((run / "report.json").read_bytes())
    assert numbers == report_numbers(run)
    words = " ".join(_Page((run / "report.html").read_text()).words)
    assert f"{numbers['funnel']['accepted']:,} records from 5 seeds" in words
    for stage in numbers["funnel"]["stages"]:
        assert f"{stage['entered']:,}" in words
    assert f"{numbers['spending']['calls']:,}" in words


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    write_report(run)
    first = (run / "report.html").read_bytes(), (run / "report.json").read_bytes()
    write_report(run)
    assert first == ((run / "report.html").read_bytes(), (run / "report.json").read_bytes())


def test_every_element_id_is_unique(run: Path) -> None:
    page = _Page(render_page(read_numbers(run)))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 10


@pytest.mark.parametrize("answers", [0, 1, 2])
@pytest.mark.parametrize("data_files", [True, False])
def test_tiny_and_unfinished_runs_have_a_page(
    tmp_path: Path, answers: int, data_files: bool
) -> None:
    run = RUNS["write_self_instruct"](
        tmp_path / "run", answers=answers, status="suspended", stop="", data_files=data_files
    )
    page = _Page(render_page(read_numbers(run)))
    words = " ".join(page.words)
    assert ("suspended" if data_files else "not ended") in words
    assert (
        "selfsown run self-instruct -o runs/small -n 200"
        if data_files
        else "selfsown run run/config.yaml"
    ) in words


def test_a_recipe_over_rows_has_a_page_that_says_what_is_left_out(tmp_path: Path) -> None:
    words = " ".join(
        _Page(render_page(read_numbers(RUNS["write_complete"](tmp_path / "rows")))).words
    )
    assert "8 records" in words
    assert "rows of this recipe are independent" in words
    assert "no field `instruction`" in words


def test_a_run_with_only_a_config_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: self-instruct\n")
    words = " ".join(_Page(render_page(read_numbers(tmp_path))).words)
    assert "A run that has not ended" in words
    assert "the directory has no journal" in words


def test_nothing_is_left_beside_the_report_and_a_full_disk_is_explained(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(run)
    before = (run / "report.html").read_bytes()
    assert not [path for path in run.iterdir() if path.name.endswith(".tmp")]

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        write_report(run)
    assert (run / "report.html").read_bytes() == before
    assert not [path for path in run.iterdir() if path.name.endswith(".tmp")]


def test_reading_leaves_the_journal_untouched(run: Path) -> None:
    journal = run / "journal.sqlite"
    before = journal.read_bytes(), stat.S_IMODE(journal.stat().st_mode)
    write_report(run)
    assert before == (journal.read_bytes(), stat.S_IMODE(journal.stat().st_mode))


def test_odd_values_in_a_config_do_not_stop_the_report(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        f"recipe: x\nseed: {2**80}\noptions: {{day: 2026-01-02, rate: .nan, deep: [{2**70}]}}\n"
    )
    write_report(tmp_path)
    assert report_numbers(tmp_path)["run"]["seed"] == 2**80
    assert "2026-01-02" in (tmp_path / "report.html").read_text()
