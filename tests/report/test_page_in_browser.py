"""In a real browser the page asks the network for nothing, runs nothing, and fits a phone."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfsown.report.page import write_report

RUNS = runpy.run_path(str(Path(__file__).with_name("run_fixture.py")))
HOSTILE = (
    "<img src=http://127.0.0.1:9/x onerror=alert(1)> " + "w" * 500,
    "<script>1</script> a b c",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run: Path = RUNS["write_self_instruct"](
        tmp_path_factory.mktemp("runs") / "small", answers=3, hostile=HOSTILE
    )
    write_report(run)
    text = (run / "report.html").read_text()
    (run / "report.html").write_text(text.replace("<details>", "<details open>"))
    return run / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 400, 768, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_is_quiet(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(247, 245, 241)" if scheme == "light" else "rgb(20, 19, 17)")
    assert asked == [page_file.as_uri()]
    assert said == []
    page.close()


def test_labels_do_not_leave_their_charts(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(page_file.as_uri())
    outside = page.evaluate(
        """[...document.querySelectorAll('svg.chart text')].filter(text => {
            const box = text.getBoundingClientRect();
            const frame = text.ownerSVGElement.getBoundingClientRect();
            return frame.width && (box.left < frame.left - 2 || box.right > frame.right + 2
                || box.top < frame.top - 3 || box.bottom > frame.bottom + 3);
        }).map(text => text.textContent)"""
    )
    assert outside == []
    page.close()
