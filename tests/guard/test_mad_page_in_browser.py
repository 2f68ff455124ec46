"""In a real browser the page of `selfsown mad` asks for nothing, runs nothing, and fits a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfsown.guard.simulate.closed_forms import ClosedForm
from selfsown.guard.simulate.orderings import Ordering
from selfsown.guard.simulate.page import render_study
from selfsown.guard.simulate.phase import Worth
from selfsown.guard.simulate.power import Caught
from selfsown.guard.simulate.study import Study
from selfsown.guard.simulate.worlds import WORLDS
from selfsown.loop.lab_loops import LAB

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EVERY = {**WORLDS, "lab": LAB}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def small_study() -> Study:
    """Every world with two rounds of made-up numbers, and one row of everything else."""
    names = ["replace, lambda=1", "accumulate, lambda=1", "fresh 50 %, lambda=1"]
    wide = [f"first {n}, {bias}" for n in (100, 1000) for bias in ("lambda=1", "lambda=.8")]
    loops: dict[str, Any] = {
        "gaussian": {name: [{"w2": 0.0}, {"w2": 0.4}] for name in names},
        "wide": {name: [{"w2": 31.0}, {"w2": 12.2}] for name in wide},
    }
    for name, experiment in EVERY.items():
        rounds = [{plot.metric: value for plot in experiment.plots} for value in (0.9, 0.3)]
        loops[name] = {arm.name: rounds for arm in experiment.arms}
    return Study(
        seed=0,
        closed_forms=[ClosedForm("replace, maximum likelihood, n=100 t=50: E", 1.0, 1.01, 0.02)],
        phase=[Worth(0.7, 1000, n, ratio, 0.01, 66.7) for n, ratio in ((10, 1.1), (400, 0.5))],
        loops=loops,
        orderings=[
            Ordering("lab, rare pairs left, T=.8: fully synthetic < accumulate", True, (1,))
        ],
        worlds=EVERY,
        planted=[Caught("temperature decay", 9, 0.5, 1.0, 1.0, 0.9, (("rare_word_recall", 9),))],
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_and_is_quiet(browser: Any, tmp_path: Path, width: int) -> None:
    file = tmp_path / "mad.html"
    file.write_text(render_study(small_study()))
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelectorAll('svg.chart').length") == 4 + 2 * (2 + 3 + 4)
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert (asked, said) == ([file.as_uri()], [])
    page.close()
