"""Charts of preference loops, by round: a measure of several lines, or the gains of one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from selfsown.report.charts.line import Curve, draw_lines
from selfsown.report.loop_numbers import Measure
from selfsown.report.preference_measures import MEASURES

GAINS: Final[Mapping[str, str]] = {
    "gold_gain": "gold",
    "proxy_gain": "proxy",
    "second_gain": "second scorer",
}
"""Standardised gains, which share a scale, and who says so."""
_SERIES: Final = (0, 5, 2, 3, 1, 6, 4, 7)
_SHIFT: Final = 0.02
"""Between curves, in widths of the chart."""
_MOST_WITH_SPANS: Final = 5
"""Lines whose intervals can be told apart."""

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


def legend(lines: Mapping[str, Points]) -> list[Named]:
    """The colour of every line, the same in all charts of them."""
    return [Named(name, _series(place)) for place, name in enumerate(lines)]


def draw_measures(lines: Mapping[str, Points], measures: Sequence[str]) -> Iterator[Picture]:
    """A chart of each of these measures that any line has.

    Intervals are left out where there are too many lines to tell them apart.
    """
    for metric in measures:
        curves = [
            _curve(name, points, metric, place, has_spans=len(lines) <= _MOST_WITH_SPANS)
            for place, (name, points) in enumerate(lines.items())
            if any(metric in own for _, own in points)
        ]
        if curves:
            about = MEASURES[metric]
            drawn = _drawn(about.title, curves, percent=about.is_share, names=False)
            yield Picture(about.title, about.meaning, drawn)


def draw_gains(name: str, points: Points) -> Picture | None:
    """What one line gained, and what its scorers believe; None if no gain was measured."""
    title = f"gains: {name}"
    curves = [
        _curve(said, points, metric, place, has_spans=True)
        for place, (metric, said) in enumerate(GAINS.items())
        if any(metric in own for _, own in points)
    ]
    return Picture(name, "", _drawn(title, curves, percent=False, names=True)) if curves else None


def _drawn(title: str, curves: Sequence[Curve], *, percent: bool, names: bool) -> Markup:
    said = "; ".join(
        f"{curve.name}: {', '.join(f'{y:.3g}' for _, y in curve.points)}" for curve in curves
    )
    drawn = draw_lines(
        title,
        f"By rounds trained on: {said}.",
        curves,
        x_label="rounds trained on",
        y_label="",
        x_max=max(1.0, *(x for curve in curves for x, _ in curve.points)) + _SHIFT,
        percent=percent,
        whole_x=True,
        legend=names,
    )
    return Markup(drawn)  # noqa: S704 escaped by Svg


def _curve(name: str, points: Points, metric: str, place: int, *, has_spans: bool) -> Curve:
    last = max((float(x) for x, _ in points), default=1.0)
    shift = _SHIFT * last * place  # so that intervals of two lines do not hide each other
    found = [(x + shift, measures[metric]) for x, measures in points if metric in measures]
    return Curve(
        name,
        [(x, one.value) for x, one in found],
        _series(place),
        spans=[(x, one.low, one.high) for x, one in found] if has_spans else (),
    )


def _series(place: int) -> int:
    return _SERIES[place % len(_SERIES)]
