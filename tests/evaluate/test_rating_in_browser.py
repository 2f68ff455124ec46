"""Claim: the rating page works in a real browser by keyboard, keeps ratings, and asks nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfsown.evaluate.predictions import read_predictions
from selfsown.evaluate.rating.reading import read_ratings
from selfsown.evaluate.rating.sheet import make_sheet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<img src=http://127.0.0.1:9/x onerror=alert(1)></script><script>alert(2)</script>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    row = {"prompt": "p", "instruction": HOSTILE, "input": "w" * 400, "target": "t"}
    for name in ("one", "two"):
        lines = (json.dumps({**row, "response": f"{name} {n} {HOSTILE}"}) for n in range(2))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    given = {name: read_predictions(tmp_path / f"{name}.jsonl") for name in ("one", "two")}
    return make_sheet(given, tmp_path / "sheet").directory


@pytest.fixture
def page() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started.new_page(viewport={"width": 360, "height": 800})
        started.close()


def test_ratings_by_keyboard_survive_a_reload_and_are_read_back(
    page: Any, sheet: Path, tmp_path: Path
) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    address = (sheet / "rate.html").as_uri()
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.inner_text("#instruction") == HOSTILE
    assert not page.is_visible("#target")
    for key in ("a", "4", "ArrowRight", "C", "r"):
        page.keyboard.press(key)
    assert page.is_visible("#target")
    page.fill("#note", 'says "abcd", 1')
    page.reload()
    assert "3 of 4, 3 rated" in page.inner_text("#place")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "ann.csv")
    (rater,) = read_ratings(sheet, [tmp_path / "ann.csv"]).raters
    counts = {level: sum(one.counts[level] for one in rater.models) for level in "ABCD"}
    assert counts == {"A": 1, "B": 0, "C": 1, "D": 1}
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
