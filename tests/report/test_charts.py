"""Charts are well-formed, escaped, described in words, and the same every time."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.report.charts.axes import frame, ticks
from selfsown.report.charts.bars import Bar, draw_bars
from selfsown.report.charts.funnel import draw_funnel
from selfsown.report.charts.histogram import draw_histogram
from selfsown.report.charts.line import Curve, draw_lines
from selfsown.report.charts.sunburst import draw_sunburst
from selfsown.report.funnel import Funnel, StageNumbers
from selfsown.report.histogram import whole_numbers
from selfsown.report.svg import Svg, num
from selfsown.report.text_numbers import Verb, VerbNouns

EVIL = "<script>alert('x')</script> & \"quoted\" \x1b[31m\0 \u202e"


def _funnel(name: str = "instructions") -> str:
    stages = (
        StageNumbers("completions", "completion", False, 40, 38, {}, {"content_filter": 2}),
        StageNumbers(name, "instruction", False, 200, 120, {name: 70, "too_short": 10}, {}),
        StageNumbers("instances", "instance", True, 0, 0, {}, {}),
    )
    return draw_funnel(Funnel(stages, 0), 360)


def _histogram(name: str = "Lengths") -> str:
    return draw_histogram(name, whole_numbers(Counter([1, 2, 2, 3, 90])), unit=name, of="records")


def _lines(name: str = "one") -> str:
    curves = [Curve(name, [(1, 0.5), (2, 0.25)], 0, True), Curve("two", [(1, 0.1)], 1)]
    return draw_lines("Curves", name, curves, x_label=name, y_label="rate", percent=True)


def _bars(name: str = "write a") -> str:
    bars = [Bar(name, 0.25, "25 %", 0.1), Bar("list the", 0.0, "0 %", None)]
    return draw_bars("Openings", name, bars, other_name="seeds")


def _sunburst(name: str = "write") -> str:
    verbs = (Verb(name, 30, (("story", 20), (name, 5))), Verb("list", 1, (("idea", 1),)))
    return draw_sunburst(VerbNouns(40, 31, 3, verbs))


CHARTS = [_funnel, _histogram, _lines, _bars, _sunburst]


@pytest.mark.parametrize("draw", CHARTS)
def test_charts_are_well_formed_and_described(draw: Callable[..., str]) -> None:
    root = ElementTree.fromstring(draw())  # noqa: S314 our own output
    assert root.attrib["role"] == "img"
    title, description = root.find("title"), root.find("desc")
    assert title is not None
    assert title.text
    assert description is not None
    assert description.text
    named = root.attrib["aria-labelledby"].split()
    assert named == [title.attrib["id"], description.attrib["id"]]
    assert len(root.findall("text")) >= 1


@pytest.mark.parametrize("draw", CHARTS)
def test_hostile_names_stay_text(draw: Callable[..., str]) -> None:
    svg = draw(EVIL)
    root = ElementTree.fromstring(svg)  # noqa: S314 our own output
    assert {element.tag for element in root.iter()} <= {
        *("svg", "title", "desc", "text", "rect", "line", "polyline", "polygon", "path", "circle"),
    }
    assert not re.search("[\0-\x08\x0b-\x1f\u202e]", svg)
    for element in root.iter():
        assert not any(name.startswith("on") or name == "href" for name in element.attrib)


@pytest.mark.parametrize("draw", CHARTS)
def test_equal_input_gives_equal_bytes(draw: Callable[..., str]) -> None:
    assert draw() == draw()


def test_a_full_circle_is_drawn() -> None:
    whole = draw_sunburst(VerbNouns(5, 5, 1, (Verb("write", 5, (("poem", 5),)),)))
    path = next(part for part in whole.splitlines() if part.startswith("<path"))
    start, end = re.findall(r"[ML]?(-?[\d.]+ -?[\d.]+)", path)[:2]
    assert start != end


@given(st.floats(-1e6, -1e-6), st.floats(-1e6, 1e6))
def test_an_axis_that_goes_below_zero_holds_zero_and_everything(low: float, top: float) -> None:
    top = max(low, top)
    area = frame(400, 210, 1, top, y_low=low)
    assert 0.0 in area.y_ticks
    assert 2 <= len(area.y_ticks) <= 9
    room = 0.01 * (area.bottom - area.top)
    assert area.top - room <= area.y(top) <= area.y(low) <= area.bottom + room
    assert area.y(area.y_ticks[-1]) == pytest.approx(area.top)


@given(st.floats(0.0001, 1e7), st.integers(2, 8))
def test_ticks_rise_evenly_from_zero_to_at_least_the_top(top: float, count: int) -> None:
    marks = ticks(top, count)
    assert marks[0] == 0
    assert marks[-1] >= top * 0.999
    assert len(marks) <= 2 * count + 2
    steps = [high - low for low, high in itertools.pairwise(marks)]
    assert max(steps) - min(steps) <= max(steps) * 1e-6 + 1e-9


@given(st.floats(-1e6, 1e6))
def test_coordinates_are_short_and_close(value: float) -> None:
    assert abs(float(num(value)) - value) <= 0.0051
    assert num(value) != "-0"


def test_a_tip_is_part_of_its_shape() -> None:
    svg = Svg("t", "d", 10, 10)
    svg.rect(0, 0, 1, 1, "s0", tip="a < b")
    assert '<rect x="0" y="0" width="1" height="1" class="s0"><title>a &lt; b</title></rect>' in (
        svg.render()
    )


@given(st.integers(1, 100_000))
def test_counts_have_no_fractions_on_their_axis(top: int) -> None:
    assert all(mark == int(mark) for mark in ticks(top, whole=True))
