"""Pages and numbers of preference loops: one loop with its controls, or arms over seeds.

Everything that a model wrote passes `shown` and the template's escaping; only our own SVG is marked
as safe.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import orjson
from markupsafe import Markup, escape

from selfsown.core.rundir import whole_file
from selfsown.report.page_environment import page_environment
from selfsown.report.preference_charts import Points, draw_gains, draw_measures, legend
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
"""Measures of a loop's policies that are drawn by round, in this order."""
ARM_CHARTS: Final = (
    *("gold", "gap", "length", "kl_initial", "length_matched", "anchor", "pair_yield", "tie_rate"),
)
"""Those of arms beside each other, whose scorers have scales of their own."""


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
    gains = [draw_gains(line.name, lines[line.name]) for line in numbers.lines if line.rounds]
    return _rendered(
        "preference.html.j2",
        n=numbers,
        columns=measured((one.measures for one in policies), TABLE),
        legend=legend(lines),
        gains=[one for one in gains if one],
        pictures=list(draw_measures(lines, CHARTS)),
    )


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
    gains = [draw_gains(name, points) for name, points in lines.items()]
    return _rendered(
        "preference_seeds.html.j2",
        n=numbers,
        columns=measured((one.measures for one in numbers.policies), TABLE),
        compared=measured(numbers.differences.values(), TABLE),
        legend=legend(lines),
        gains=[one for one in gains if one],
        pictures=list(draw_measures(lines, ARM_CHARTS)),
    )


def _rendered(template: str, **given: object) -> str:
    environment = page_environment()
    environment.filters["number"] = number_text
    environment.filters["interval"] = interval_text
    environment.filters["signed"] = partial(number_text, signed=True)
    environment.filters["title"] = title_text
    environment.filters["told"] = _told
    return environment.get_template(template).render(
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
