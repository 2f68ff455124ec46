"""Curves over a common axis, named at their ends or in a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfsown.report.charts.axes import draw_x_label, draw_x_ticks, draw_y_axis, frame
from selfsown.report.svg import Point, Svg

WIDTH, HEIGHT = 400.0, 210.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve; x rises."""

    name: str
    points: Sequence[Point]
    series: int = 0
    """Number of the colour."""
    filled: bool = False
    """Whether the area under it is tinted."""
    spans: Sequence[tuple[float, float, float]] = ()
    """Intervals as (x, low, high), drawn as bars behind the curve."""


def draw_lines(
    title: str,
    description: str,
    curves: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    x_max: float = 0.0,
    percent: bool = False,
    whole_x: bool = False,
    legend: bool = True,
) -> str:
    """Curves from 0 on both axes; the vertical one goes below where values do.

    Args:
        title: what is shown.
        description: what it says, for readers who cannot see it.
        curves: at least one, each with at least one point.
        x_label: under the horizontal axis.
        y_label: above the vertical axis.
        x_max: end of the horizontal axis; the last point's x if 0.
        percent: whether the vertical axis shows parts in [0, 1] as per cent.
        whole_x: whether the horizontal axis counts things.
        legend: whether several curves are named in the drawing; else the page names them.
    """
    svg = Svg(title, description, WIDTH, HEIGHT)
    end = x_max or max(curve.points[-1][0] for curve in curves)
    top = max((y for curve in curves for _, y in curve.points), default=0.0)
    top = max([top, *(high for curve in curves for _, _, high in curve.spans)])
    low = min((y for curve in curves for _, y in curve.points), default=0.0)
    low = min([low, *(span[1] for curve in curves for span in curve.spans)])
    area = frame(WIDTH, HEIGHT, end, top, y_low=low)
    draw_y_axis(svg, area, y_label, percent)
    draw_x_ticks(svg, area, whole=whole_x)
    draw_x_label(svg, area, x_label)
    for curve in curves:
        places = [(area.x(x), area.y(y)) for x, y in curve.points]
        if curve.filled:
            base = [(places[-1][0], area.bottom), (places[0][0], area.bottom)]
            svg.polygon([*places, *base], f"area s{curve.series}")
        for x, low, high in curve.spans:
            svg.polyline(
                [(area.x(x), area.y(low)), (area.x(x), area.y(high))], f"curve s{curve.series}"
            )
        if len(places) == 1:
            svg.circle(places[0], 3, f"s{curve.series}")
        svg.polyline(places, f"curve s{curve.series}")
    if legend and len(curves) > 1:
        _draw_legend(svg, curves, area.right)
    return svg.render()


def _draw_legend(svg: Svg, curves: Sequence[Curve], right: float) -> None:
    x = right
    for curve in reversed(curves):
        x -= 6.4 * len(curve.name)
        svg.text(x, 10, curve.name, "quiet")
        svg.rect(x - 14, 2, 9, 9, f"s{curve.series}", round_=2)
        x -= 26
