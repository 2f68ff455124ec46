"""Claim: a page is the same whether its templates were compiled before or are compiled now."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from selfsown.report import compiled
from selfsown.report.compiled import Compiled

TEXT = "{% for word in words %}{{ word | upper }} {% endfor %}"


@pytest.fixture(autouse=True)
def writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_TEMPLATES", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


def page(text: str = TEXT, options: str = "page") -> str:
    environment = Environment(
        loader=DictLoader({"a": text}),
        bytecode_cache=Compiled(options),
        optimized=False,
        autoescape=True,
    )
    return environment.get_template("a").render(words=["x", "<y>"])


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pyc"))


def test_a_kept_template_is_taken_and_a_changed_one_is_not(tmp_path: Path) -> None:
    assert page() == "X &lt;Y&gt; "
    (file,) = kept(tmp_path)
    before = file.read_bytes()
    assert page() == "X &lt;Y&gt; "
    assert file.read_bytes() == before
    assert page(TEXT + "!") == "X &lt;Y&gt; !"
    assert file.read_bytes() != before


def test_other_options_have_files_of_their_own(tmp_path: Path) -> None:
    page(options="page")
    page(options="card")
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("damage", [b"", b"not bytecode", None])
def test_a_damaged_file_counts_as_none(tmp_path: Path, damage: bytes | None) -> None:
    page()
    (file,) = kept(tmp_path)
    file.write_bytes(file.read_bytes()[:60] if damage is None else damage)
    assert page() == "X &lt;Y&gt; "


def test_where_nothing_may_be_written_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "__pycache__").write_text("a file where the folder would be", encoding="utf-8")
    assert page() == "X &lt;Y&gt; "
    (tmp_path / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert page() == "X &lt;Y&gt; "
    assert kept(tmp_path) == []
