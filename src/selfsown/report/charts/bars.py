"""Horizontal bars with names, and a second value per row as a tick: shares of named things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfsown.report.svg import Svg, fit

WIDTH = 400.0
_ROW = 25.0
_NAMES = 128.0
_NUMBERS = 52.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One row."""

    name: str
    value: float
    label: str
    """The value in words, at the end of the bar."""
    other: float | None = None
    """A second value to compare with; None for none."""


def draw_bars(title: str, description: str, bars: Sequence[Bar], *, other_name: str = "") -> str:
    """Rows of bars from the top, on a common scale from 0.

    Args:
        title: what is shown.
        description: what it says.
        bars: at least one.
        other_name: what the ticks are, for the legend; empty if there are none.
    """
    head = 24.0 if other_name else 4.0
    svg = Svg(title, description, WIDTH, head + _ROW * len(bars))
    top = max((max(bar.value, bar.other or 0.0) for bar in bars), default=0.0) or 1.0
    scale = (WIDTH - _NAMES - _NUMBERS) / top
    if other_name:
        _draw_legend(svg, other_name)
    for number, bar in enumerate(bars):
        _draw_bar(svg, bar, head + number * _ROW, scale, other_name)
    return svg.render()


def _draw_bar(svg: Svg, bar: Bar, y: float, scale: float, other_name: str) -> None:
    tip = f"{bar.name}: {bar.label}"
    if bar.other is not None:
        tip += f", {other_name} {bar.other:.1%}"
    svg.text(_NAMES - 8, y + 16, fit(bar.name, _NAMES - 10), anchor="end")
    svg.rect(_NAMES, y + 4, WIDTH - _NAMES - _NUMBERS, 16, "track", round_=2)
    svg.rect(_NAMES, y + 4, bar.value * scale, 16, "s0", tip=tip, round_=2)
    if bar.other is not None:
        svg.rect(_NAMES + bar.other * scale - 1.5, y + 1, 3, 22, "s1", tip=tip)
    svg.text(WIDTH, y + 16, bar.label, "quiet", anchor="end")


def _draw_legend(svg: Svg, other_name: str) -> None:
    svg.rect(_NAMES, 3, 10, 10, "s0", round_=2)
    svg.text(_NAMES + 15, 12, "machine", "quiet")
    svg.rect(_NAMES + 76, 1, 3, 14, "s1")
    svg.text(_NAMES + 84, 12, other_name, "quiet")
