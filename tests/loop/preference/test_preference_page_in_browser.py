"""Claim: in a real browser the pages ask the network for nothing, run nothing, and fit a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.loop.preference.page_numbers import experiment_numbers, loop_numbers

from selfsown.report.preference_page import render_experiment_page, render_preference_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OUTSIDE = """[...document.querySelectorAll('svg.chart text')].filter(text => {
    const box = text.getBoundingClientRect();
    const frame = text.ownerSVGElement.getBoundingClientRect();
    return frame.width && (box.left < frame.left - 2 || box.right > frame.right + 2
        || box.top < frame.top - 3 || box.bottom > frame.bottom + 3);
}).map(text => text.textContent)"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    home: Path = tmp_path_factory.mktemp("pages")
    loop, experiment = home / "loop.html", home / "experiment.html"
    loop.write_text(render_preference_page(loop_numbers()), encoding="utf-8")
    experiment.write_text(render_experiment_page(experiment_numbers()), encoding="utf-8")
    return loop, experiment


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_pages_fit_and_are_quiet(browser: Any, pages: tuple[Path, ...], width: int) -> None:
    for file in pages:
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("dialog", lambda dialog, said=said: said.append(dialog.message))
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.scripts.length + document.images.length") == 0
        assert (asked, said) == ([file.as_uri()], [])
        assert page.evaluate(OUTSIDE) == []
        page.close()
