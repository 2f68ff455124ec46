"""Pages and numbers of preference loops: one loop with its controls, or arms over seeds.

Everything that a model wrote passes `shown` and the template's escaping; only our own SVG is marked
as safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from markupsafe import Markup, escape

from selfsown.core.rundir import whole_file
from selfsown.report.charts.line import Curve, draw_lines
from selfsown.report.loop_numbers import Measure
from selfsown.report.page_environment import page_environment
from selfsown.report.preference_measures import (
    MEASURES,
    TABLE,
    interval_text,
    measured,
    number_text,
    title_text,
)
from selfsown.report.preference_numbers import ExperimentNumbers, PreferenceNumbers
from selfsown.report.shown import shown_line
from selfsown.report.svg import CHART_CSS

CHARTS: Final = (
    *("gold", "proxy", "second", "gap", "length", "kl_initial", "length_matched", "anchor"),
    *("pair_yield", "tie_rate"),
)
"""Measures that are drawn by round, in this order."""
_SERIES: Final = (0, 5, 2, 3, 1, 6, 4, 7)
_SHIFT: Final = 0.02
"""Between curves, in widths of the chart."""

Points = Sequence[tuple[int, Mapping[str, Measure]]]
"""Rounds behind a policy, and its measures."""


class Named(NamedTuple):
    """A curve in the page's legend."""

    name: str
    series: int


class Picture(NamedTuple):
    """A chart with its caption."""

    title: str
    note: str
    svg: Markup


def write_preference_page(
    numbers: PreferenceNumbers | ExperimentNumbers, json_path: Path, page_path: Path
) -> None:
    """Write numbers and page, each as a whole or not at all.

    Raises:
        EnvironmentFailure: they cannot be written.
    """
    if isinstance(numbers, PreferenceNumbers):
        page = render_preference_page(numbers)
    else:
        page = render_experiment_page(numbers)
    data = orjson.dumps(numbers, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    for path, content in ((json_path, data), (page_path, page.encode())):
        with whole_file(path) as file:
            file.write(content)


def render_preference_page(numbers: PreferenceNumbers) -> str:
    """The page of a loop as text; the same numbers give the same text."""
    start = (0, numbers.initial.measures)
    lines: dict[str, Points] = {}
    for line in numbers.lines:
        own = [(one.after, one.measures) for one in line.policies]
        lines[line.name] = [start, *own] if line.rounds else own
    policies = [numbers.initial, *(one for line in numbers.lines for one in line.policies)]
    columns = measured((one.measures for one in policies), TABLE)
    return _rendered("preference.html.j2", lines, n=numbers, columns=columns)


def render_experiment_page(numbers: ExperimentNumbers) -> str:
    """The page of arms over seeds as text; the same numbers give the same text."""
    lines: dict[str, Points] = {
        arm.name: [
            (one.after, one.measures)
            for one in numbers.policies
            if one.arm == arm.name and one.is_drawn
        ]
        for arm in numbers.arms
    }
    columns = measured((one.measures for one in numbers.policies), TABLE)
    compared = measured(numbers.differences.values(), TABLE)
    return _rendered(
        "preference_seeds.html.j2", lines, n=numbers, columns=columns, compared=compared
    )


def _rendered(template: str, lines: Mapping[str, Points], **given: object) -> str:
    environment = page_environment()
    environment.filters["number"] = number_text
    environment.filters["interval"] = interval_text
    environment.filters["signed"] = partial(number_text, signed=True)
    environment.filters["title"] = title_text
    environment.filters["told"] = _told
    return environment.get_template(template).render(
        legend=[Named(name, _series(place)) for place, name in enumerate(lines)],
        pictures=list(_pictures(lines)),
        about=MEASURES,
        chart_css=Markup(CHART_CSS),  # noqa: S704 a constant of ours
        **given,
    )


def _told(text: str) -> Markup:
    """A sentence of ours on one line, made harmless; what stands in backticks is code."""
    parts = escape(shown_line(text, 600)).split("`")
    if len(parts) % 2 == 0:  # an odd one is no quotation
        return Markup("`").join(parts)
    marked = (
        Markup("<code>{}</code>").format(one) if n % 2 else one for n, one in enumerate(parts)
    )
    return Markup("").join(marked)


def _pictures(lines: Mapping[str, Points]) -> Iterator[Picture]:
    """A chart of every measure that anything has."""
    last = max((float(x) for points in lines.values() for x, _ in points), default=1.0)
    for metric in CHARTS:
        curves = [
            _curve(name, points, metric, place, last)
            for place, (name, points) in enumerate(lines.items())
            if any(metric in measures for _, measures in points)
        ]
        if curves:
            about = MEASURES[metric]
            said = "; ".join(
                f"{curve.name}: {', '.join(f'{y:.3g}' for _, y in curve.points)}"
                for curve in curves
            )
            drawn = draw_lines(
                about.title,
                f"By rounds trained on: {said}.",
                curves,
                x_label="rounds trained on",
                y_label="",
                x_max=max(1.0, last) * (1 + _SHIFT * len(lines)),
                percent=about.is_share,
                whole_x=True,
                legend=False,
            )
            yield Picture(about.title, about.meaning, Markup(drawn))  # noqa: S704 escaped by Svg


def _curve(name: str, points: Points, metric: str, place: int, last: float) -> Curve:
    shift = _SHIFT * last * place  # so that intervals of two lines do not hide each other
    found = [(x + shift, measures[metric]) for x, measures in points if metric in measures]
    return Curve(
        name,
        [(x, one.value) for x, one in found],
        _series(place),
        spans=[(x, one.low, one.high) for x, one in found],
    )


def _series(place: int) -> int:
    return _SERIES[place % len(_SERIES)]
