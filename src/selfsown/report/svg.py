"""Pictures as text: the few SVG elements our charts are made of, escaped, the same every time.

A drawing has a title and a description for screen readers, and takes its colours from classes
(`CHART_CSS`), so the page decides between light and dark. Numbers are rounded to a hundredth of a
unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final, Literal

from selfsown.report.shown import shown_line

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

PALETTE: Final = 8
"""Series colours `s0` to `s7`."""

CHART_CSS: Final = """
.chart{display:block;width:100%;height:auto;font:12px
var(--sans,system-ui,sans-serif);overflow:visible} .chart text{fill:var(--ink,#1c1b19)}
.chart .quiet{fill:var(--muted,#66635c)}
.chart .strong{font-weight:600}
.chart .on{fill:#fff}
.chart .on-light{fill:#1c1b19}
.chart .grid{stroke:var(--line,#e4e1db);stroke-width:1}
.chart .axis{stroke:var(--muted,#66635c);stroke-width:1}
.chart .mark{stroke:var(--ink,#1c1b19);stroke-width:1.5;stroke-dasharray:3 3}
.chart .edge{stroke:var(--card,#fff);stroke-width:1}
.chart .track{fill:var(--line,#e4e1db)}
.chart .curve{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.chart .tint{fill:var(--s0,#0072b2);fill-opacity:.13}
.chart .area{fill-opacity:.13;stroke:none}
""" + "".join(
    f".chart .s{n}{{fill:var(--s{n})}}.chart .curve.s{n}{{fill:none;stroke:var(--s{n})}}\n"
    for n in range(PALETTE)
)

_NOT_ID: Final = re.compile(r"[^a-z0-9]+")


class Svg:
    """A drawing that is built from top to bottom; `render` gives its text."""

    def __init__(self, title: str, description: str, width: float, height: float) -> None:
        """Start a drawing.

        Args:
            title: what it shows, a few words; also makes its element ids, so it is unique in a
                page.
            description: what it says, one or two sentences with the numbers that matter.
            width: of the drawing's own coordinates; it scales with the page.
            height: likewise.
        """
        self._name = _NOT_ID.sub("-", f"{title} {width:g}".casefold()).strip("-")
        self._title, self._description = title, description
        self._size = (width, height)
        self._parts: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        style: str,
        *,
        tip: str = "",
        round_: float = 0,
    ) -> None:
        """A rectangle; `tip` is shown when the pointer rests on it."""
        corner = f' rx="{num(round_)}"' if round_ else ""
        self._shape(
            f'rect x="{num(x)}" y="{num(y)}" width="{num(max(0.0, width))}"'
            f' height="{num(max(0.0, height))}"{corner}',
            style,
            tip,
        )

    def line(self, start: Point, end: Point, style: str) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self._shape(f'line x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}"', style, "")

    def polyline(self, points: Iterable[Point], style: str) -> None:
        """Connected lines, not closed."""
        self._shape(f'polyline points="{_points(points)}"', style, "")

    def polygon(self, points: Iterable[Point], style: str) -> None:
        """A filled area."""
        self._shape(f'polygon points="{_points(points)}"', style, "")

    def circle(self, center: Point, radius: float, style: str, *, tip: str = "") -> None:
        """A disc."""
        x, y = center
        self._shape(f'circle cx="{num(x)}" cy="{num(y)}" r="{num(radius)}"', style, tip)

    def path(self, commands: str, style: str, *, tip: str = "", opacity: float = 1.0) -> None:
        """Any outline in SVG path commands, which are ours, never a user's."""
        faint = f' fill-opacity="{num(opacity)}"' if opacity < 1 else ""
        self._shape(f'path d="{commands}"{faint}', style, tip)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        style: str = "",
        *,
        anchor: Anchor = "start",
        rotate: float = 0,
    ) -> None:
        """One line of text with its baseline at `y`, optionally turned around its own point."""
        turned = f' transform="rotate({num(rotate)} {num(x)} {num(y)})"' if rotate else ""
        placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
        styled = f' class="{style}"' if style else ""
        self._parts.append(
            f'<text x="{num(x)}" y="{num(y)}"{placed}{turned}{styled}>{_escape(text)}</text>'
        )

    def render(self) -> str:
        """The whole drawing as one `svg` element for an HTML page."""
        width, height = (num(side) for side in self._size)
        name = self._name
        return "\n".join(
            (
                f'<svg class="chart" viewBox="0 0 {width} {height}" role="img"'
                f' aria-labelledby="{name}-t {name}-d">',
                f'<title id="{name}-t">{_escape(self._title)}</title>',
                f'<desc id="{name}-d">{_escape(self._description)}</desc>',
                *self._parts,
                "</svg>",
            )
        )

    def _shape(self, start: str, style: str, tip: str) -> None:
        tag = start.split(" ", 1)[0]
        inner = f"<title>{_escape(tip)}</title></{tag}>" if tip else ""
        self._parts.append(f'<{start} class="{style}"' + (f">{inner}" if inner else "/>"))


def num(value: float) -> str:
    """A coordinate: at most two decimals, no trailing zeros, never `-0`."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def fit(text: str, width: float, size: float = 12) -> str:
    """The text, cut with an ellipsis so that it is about `width` wide at this font size."""
    room = max(1, int(width / (size * 0.56)))
    return text if len(text) <= room else text[: max(1, room - 1)] + "…"


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{num(x)},{num(y)}" for x, y in points)


def _escape(text: str) -> str:
    return escape(shown_line(text, 300))
