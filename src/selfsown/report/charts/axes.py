"""Scales, ticks and the frame that charts with two axes share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from selfsown.report.svg import Svg


@dataclass(frozen=True, slots=True)
class Frame:
    """The plotting area inside a drawing and its scales; the horizontal axis starts at 0."""

    left: float
    top: float
    right: float
    bottom: float
    x_max: float
    y_ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """Horizontal position of a value."""
        return self.left + (self.right - self.left) * value / self.x_max

    def y(self, value: float) -> float:
        """Vertical position of a value."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)


def frame(
    width: float,
    height: float,
    x_max: float,
    y_top: float,
    *,
    y_low: float = 0.0,
    whole: bool = False,
) -> Frame:
    """A frame with room for labels; the y axis ends at the first round tick at or above `y_top`.

    It starts at 0, or at the first round tick at or below `y_low` where that is negative. With
    `whole`, the y axis counts things.
    """
    y_ticks = tuple(ticks(y_top, whole=whole) if y_low >= 0 else _ticks_around_0(y_low, y_top))
    return Frame(44, 22, width - 10, height - 38, x_max or 1.0, y_ticks)


def draw_y_axis(svg: Svg, area: Frame, label: str, percent: bool = False) -> None:
    """Grid lines with numbers, and the axis' label above them."""
    for value in area.y_ticks:
        y = area.y(value)
        svg.line((area.left, y), (area.right, y), "axis" if value == 0 else "grid")
        svg.text(
            area.left - 6, y + 4, f"{value:.0%}" if percent else short(value), "quiet", anchor="end"
        )
    svg.text(0, 10, label, "quiet")


def draw_x_label(svg: Svg, area: Frame, label: str) -> None:
    """What the horizontal axis measures, below it."""
    svg.text((area.left + area.right) / 2, area.bottom + 33, label, "quiet", anchor="middle")


def draw_x_ticks(svg: Svg, area: Frame, count: int = 5, *, whole: bool = False) -> None:
    """Round numbers along the horizontal axis; with `whole`, no step is below 1."""
    top = float(math.floor(area.x_max)) if whole else area.x_max
    for value in ticks(top, count, whole=whole):
        if value <= area.x_max * 1.0001:
            svg.text(area.x(value), area.bottom + 17, short(value), "quiet", anchor="middle")


def ticks(top: float, count: int = 4, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to at least `top` in about `count` steps of 1, 2 or 5 times 10^n.

    With `whole`, no step is below 1.
    """
    if top <= 0:
        return [0.0, 1.0]
    if whole:
        count = max(1, min(count, int(top)))
    rough = top / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    steps = math.ceil(top / step - 1e-9)
    return [round(step * number, 10) for number in range(steps + 1)]


def _ticks_around_0(low: float, top: float) -> list[float]:
    """Round numbers, 0 among them, from at most `low`, which is negative, to at least `top`."""
    step = ticks(max(top, 0.0) - low)[1]
    first, last = math.floor(low / step + 1e-9), max(0, math.ceil(top / step - 1e-9))
    return [round(step * number, 10) for number in range(first, last + 1)]


def short(value: float) -> str:
    """A number for an axis: 0.05, 12, 3,400, 52k, 1.2M."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    if value >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:,.0f}" if value >= 1000 else f"{round(value, 4):g}"
