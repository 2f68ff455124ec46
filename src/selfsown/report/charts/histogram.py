"""A histogram with its median marked."""

from __future__ import annotations

from selfsown.report.charts.axes import (
    Frame,
    draw_x_label,
    draw_x_ticks,
    draw_y_axis,
    frame,
    short,
)
from selfsown.report.histogram import Histogram
from selfsown.report.svg import Svg

WIDTH, HEIGHT = 400.0, 210.0


def draw_histogram(title: str, values: Histogram, *, unit: str, of: str, series: int = 0) -> str:
    """Bars over value bins.

    Args:
        title: what is distributed.
        values: the distribution; at least one value.
        unit: of the values, under the horizontal axis.
        of: what is counted, above the vertical axis.
        series: number of the colour.
    """
    svg = Svg(
        title,
        f"{values.count:,} {of}; median {values.median:g}, mean {values.mean:g}, "
        f"90 % at most {values.p90:g}, highest {values.longest:g} {unit}.",
        WIDTH,
        HEIGHT,
    )
    area = frame(
        WIDTH, HEIGHT, len(values.bins) * values.width, max(values.bins, default=0), whole=True
    )
    draw_y_axis(svg, area, of)
    for number, count in enumerate(values.bins):
        if count:
            _draw_bin(svg, area, values, number, count, series)
    draw_x_ticks(svg, area)
    draw_x_label(svg, area, f"{unit} (last bar: and more)" if values.open_ended else unit)
    _draw_median(svg, area, values)
    return svg.render()


def _draw_bin(
    svg: Svg, area: Frame, values: Histogram, number: int, count: int, series: int
) -> None:
    low, high = number * values.width, (number + 1) * values.width
    last = values.open_ended and number == len(values.bins) - 1
    single = values.width == 1
    span = f"{low:g}" if single else f"{round(low, 4):g} to below {round(high, 4):g}"
    svg.rect(
        area.x(low) + 0.75,
        area.y(count),
        area.x(high) - area.x(low) - 1.5,
        area.bottom - area.y(count),
        f"s{series}",
        tip=f"{low:g} and more: {count:,}" if last else f"{span}: {count:,}",
    )


def _draw_median(svg: Svg, area: Frame, values: Histogram) -> None:
    center = values.median + (0.5 if values.width >= 1 and values.width == 1 else 0)
    x = area.x(min(center, area.x_max))
    svg.line((x, area.top - 6), (x, area.bottom), "mark")
    near_end = x > (area.left + area.right) / 2
    svg.text(
        x + (-5 if near_end else 5),
        area.top + 2,
        f"median {short(values.median)}",
        "strong",
        anchor="end" if near_end else "start",
    )
