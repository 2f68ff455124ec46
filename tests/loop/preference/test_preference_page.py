"""Claim: pages of preference loops show every number, escape what models wrote, load nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.loop.preference.page_numbers import (
    HOSTILE,
    experiment_numbers,
    loop_numbers,
    measure,
    without,
)

from selfsown.cli.preference_tables import experiment_lines, policy_lines
from selfsown.report.loop_numbers import Measure
from selfsown.report.preference_measures import (
    MEASURES,
    change_text,
    interval_text,
    measure_text,
    title_text,
)
from selfsown.report.preference_page import (
    ARM_CHARTS,
    CHARTS,
    render_experiment_page,
    render_preference_page,
    write_preference_page,
)


class Balanced(HTMLParser):
    """Refuses tags that do not close in the order in which they opened."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module", params=["loop", "experiment"])
def page(request: pytest.FixtureRequest) -> str:
    if request.param == "loop":
        return render_preference_page(loop_numbers())
    return render_experiment_page(experiment_numbers())


def test_pages_are_well_formed_and_hold_nothing_that_runs_or_loads(page: str) -> None:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not {"script", "img", "link", "iframe"} & parser.seen
    assert HOSTILE not in page and "\u202e" not in page and "\x1b" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; ⟨U+202E⟩" in page
    assert not re.search(r"(?:https?:)?//(?!www\.w3)", page)


def test_every_measure_is_drawn_and_the_gains_of_every_line_of_rounds() -> None:
    loop = render_preference_page(loop_numbers())
    experiment = render_experiment_page(experiment_numbers())
    for page, charts in ((loop, CHARTS), (experiment, ARM_CHARTS)):
        for name in charts:
            assert f"<h3>{MEASURES[name].title}</h3>" in page
        assert page.count("<svg") == len(charts) + 2  # two lines of rounds, and two arms
        assert page.count(">gains: ") == 2
        ids = re.findall(r'id="([^"]+)"', page)
        assert len(ids) == len(set(ids))


def test_a_loops_page_says_each_number_with_its_interval_and_what_became_of_rounds() -> None:
    numbers = loop_numbers()
    page = " ".join(render_preference_page(numbers).split())
    for policy in (numbers.initial, *(one for line in numbers.lines for one in line.policies)):
        for name in ("gold", "proxy", "gap", "length", "kl_initial", "anchor"):
            interval = interval_text(policy.measures[name], name)
            assert not interval or f'<span class="between">{interval}</span>' in page
    assert "Round 2: rolled back" in page
    assert "equal_rewards 130, blank_text 10" in page
    assert "Warning: 61 % of 500 prompts are ties" in page
    assert "scored by <code>reward</code>" in page
    assert page.count('<span class="tag">best</span>') == 1
    for name in ("gap", "kl_initial"):
        assert MEASURES[name].meaning in page.replace("&#39;", "'")


def test_what_was_not_measured_is_no_column_and_no_chart() -> None:
    page = render_preference_page(without(loop_numbers(), "anchor", "second", "tie_rate"))
    for name in ("anchor", "second", "tie_rate"):
        assert f"<h3>{MEASURES[name].title}</h3>" not in page
    for name in ("anchor", "second"):
        assert f'<th class="n">{MEASURES[name].title}' not in page
    assert page.count("<svg") == len(CHARTS) - 3 + 2


def test_an_experiments_page_leads_to_every_loop_and_shows_differences_by_seed() -> None:
    page = render_experiment_page(experiment_numbers())
    for seed in range(3):
        assert f'href="seed-{seed}/0/loop.html"' in page
    shown = '+0.17<br><span class="between">-0.23 to +0.57</span>'
    assert f'<td class="n" title="+0.10, +0.20, +0.21">{shown}</td>' in page
    assert '<td class="n" title="+10.0, +20.0, +21.0">' in page


def test_numbers_and_page_are_written_and_the_same_every_time(tmp_path: Path) -> None:
    for numbers in (loop_numbers(), experiment_numbers()):
        paths = tmp_path / "loop.json", tmp_path / "loop.html"
        write_preference_page(numbers, *paths)
        first = [path.read_bytes() for path in paths]
        write_preference_page(numbers, *paths)
        assert [path.read_bytes() for path in paths] == first
        assert json.loads(first[0])["version"] == 1
    write_preference_page(loop_numbers(), *paths)
    assert json.loads(paths[0].read_bytes())["best"] == {
        "name": "round 1",
        "folder": "loops/x/rounds/1/model",
        "by": "gold",
    }


def test_tables_of_the_command_line_say_the_same_and_what_it_means() -> None:
    for lines in (policy_lines(loop_numbers()), experiment_lines(experiment_numbers())):
        text = "\n".join(lines)
        assert "+0.16 (+0.04 to +0.28)" in text
        assert HOSTILE not in text and "\x1b" not in text
        said = " ".join(text.split())
        for name in ("gold", "gap", "length_matched"):
            assert f"{title_text(name)}: {MEASURES[name].meaning}" in said
    loop, _ = policy_lines(loop_numbers())[:2]
    assert loop.startswith("policy ")
    assert any(line.startswith("round 1 (best)") for line in policy_lines(loop_numbers()))
    assert any("refused by a gate" in line for line in experiment_lines(experiment_numbers()))


def test_measures_are_written_with_sign_unit_and_interval() -> None:
    assert measure_text(measure(0.61, 0.06), "gold") == "0.61 (0.55 to 0.67)"
    assert measure_text(measure(0.54, 0.06), "win_rate") == "54.0 (48.0 to 60.0)"
    assert measure_text(measure(-0.31, 0.1), "gap") == "-0.31 (-0.41 to -0.21)"
    assert measure_text(Measure(1234.5, 1234.5, 1234.5), "length") == "1,234"
    assert change_text(measure(12.34, 1.0), "length") == "+12.3 (+11.3 to +13.3)"
    assert measure_text(measure(0.00071, 0.0002), "kl_initial") == "0.00071 (0.00051 to 0.00091)"
    assert measure_text(Measure(0.0, 0.0, 0.0), "gap") == "0.00"
    assert measure_text(Measure(-0.001, -0.4, 0.0), "gap") == "0.00 (-0.40 to 0.00)"
