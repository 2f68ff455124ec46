"""`loop.html` and `loop.json`: a whole loop, or several beside each other, as one page and as data.

Everything that a model wrote passes `shown` and the template's escaping; only our own SVG is marked
as safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson
from markupsafe import Markup

from selfsown.core.rundir import whole_file
from selfsown.report.charts.line import Curve, draw_lines
from selfsown.report.loop_numbers import (
    LoopNumbers,
    Measure,
    PageNumbers,
    RoundNumbers,
    Score,
    Tails,
)
from selfsown.report.page_environment import page_environment
from selfsown.report.svg import CHART_CSS

DIVERSITY: Final[Mapping[str, str]] = {
    "distinct_2": "distinct word pairs",
    "vendi": "Vendi score",
    "entropy_2": "entropy of word pairs",
    "rare_word_recall": "rare words kept",
    "rare_ngram_recall": "rare word pairs kept",
    "rare_label_recall": "rare labels kept",
    "coverage": "coverage of human text",
    "topic_mass": "human topics kept",
    "compression_ratio": "compression (more is worse)",
}
"""Metrics that are drawn, in this order, with their names for people."""

_SERIES: Final = (0, 5, 2, 3, 1, 6)


def write_loop_page(numbers: PageNumbers, json_path: Path, page_path: Path) -> None:
    """Write both files, each as a whole or not at all.

    Raises:
        EnvironmentFailure: they cannot be written.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    data = orjson.dumps(numbers, option=options)
    for path, content in ((json_path, data), (page_path, render_loop_page(numbers).encode())):
        with whole_file(path) as file:
            file.write(content)


def render_loop_page(numbers: PageNumbers) -> str:
    """The page as text; the same numbers give the same text."""
    environment = page_environment()
    environment.filters["score"] = score_text
    environment.filters["change"] = change_text
    environment.filters["value"] = value_text
    environment.filters["by_round"] = seeds_text
    environment.filters["stops"] = stops_text
    return environment.get_template("loop.html.j2").render(
        n=numbers,
        metrics=DIVERSITY,
        quality=_quality_charts(numbers.loops),
        diversity=_diversity_charts(numbers.loops),
        chart_css=Markup(CHART_CSS),  # noqa: S704 a constant of ours
    )


def score_text(measure: Measure) -> str:
    """A share times 100 with its interval: `34.2 (29.1 to 39.3)`."""
    low, high = 100 * measure.low, 100 * measure.high
    return f"{100 * measure.value:.1f} ({low:.1f} to {high:.1f})"


def change_text(measure: Measure) -> str:
    """The same with signs."""
    low, high = 100 * measure.low, 100 * measure.high
    return f"{100 * measure.value:+.1f} ({low:+.1f} to {high:+.1f})"


def value_text(measure: Measure) -> str:
    """A metric of the guard with its interval: `0.412 (0.390 to 0.434)`."""
    return f"{measure.value:.3g} ({measure.low:.3g} to {measure.high:.3g})"


def seeds_text(tails: Tails) -> str:
    """A metric by round, mean over the seeds that got so far: `0.62 0.41 0.30`."""
    last = max(len(one) for one in tails.by_seed)
    columns = [[one[place] for one in tails.by_seed if place < len(one)] for place in range(last)]
    return " ".join(f"{sum(found) / len(found):.3f}" for found in columns)


def stops_text(tails: Tails) -> str:
    """The round, by seed, in which a rule on tails stopped: `2, 2, never`."""
    return ", ".join("never" if one is None else str(one) for one in tails.stops)


def _quality_charts(loops: Sequence[LoopNumbers]) -> list[tuple[str, Markup]]:
    """One chart per suite and metric: the base before round 0, then every tuned model."""
    charts = []
    for suite, metric in _measured(loops):
        curves = [
            _curve(loop, number, _quality(loop, suite, metric)) for number, loop in enumerate(loops)
        ]
        title = f"{metric} on {suite}"
        said = ", ".join(f"{100 * y:.1f}" for _, y in curves[0].points)
        charts.append((title, _chart(title, f"By round: {said}.", curves, "models tuned", True)))
    return charts


def _diversity_charts(loops: Sequence[LoopNumbers]) -> list[tuple[str, Markup]]:
    """One chart per metric of all candidates, by round, human text for comparison."""
    charts = []
    for name, title in DIVERSITY.items():
        curves = [
            _curve(loop, number, _diversity(loop.rounds, name)) for number, loop in enumerate(loops)
        ]
        curves = [curve for curve in curves if curve.points]
        if not curves:
            continue
        human = [
            (float(one.round), one.diversity[name].baseline or 0.0)
            for loop in loops
            for one in loop.rounds
            if name in one.diversity
        ]
        curves.append(Curve("human text", sorted(dict(human).items()), 7))
        said = ", ".join(f"{y:.3g}" for _, y in curves[0].points)
        charts.append((title, _chart(title, f"By round: {said}.", curves, "round", False)))
    return charts


def _chart(
    title: str, description: str, curves: Sequence[Curve], x_label: str, percent: bool
) -> Markup:
    drawn = draw_lines(
        title,
        description,
        curves,
        x_label=x_label,
        y_label="",
        x_max=max(1.0, *(x for curve in curves for x, _ in curve.points)),
        percent=percent,
        whole_x=True,
    )
    return Markup(drawn)  # noqa: S704 escaped by Svg


def _curve(loop: LoopNumbers, number: int, found: Mapping[float, Measure]) -> Curve:
    shift = 0.02 * number  # so that intervals of two loops do not hide each other
    return Curve(
        loop.name,
        [(x + shift, one.value) for x, one in found.items()],
        _SERIES[number % len(_SERIES)],
        spans=[(x + shift, one.low, one.high) for x, one in found.items()],
    )


def _quality(loop: LoopNumbers, suite: str, metric: str) -> dict[float, Measure]:
    found = {0.0: _score(loop.base_scores, suite, metric)}
    for one in loop.rounds:
        if one.scores:
            found[one.round + 1.0] = _score(one.scores, suite, metric)
    return found


def _score(scores: Sequence[Score], suite: str, metric: str) -> Measure:
    return next(one.measure for one in scores if (one.suite, one.metric) == (suite, metric))


def _diversity(rounds: Sequence[RoundNumbers], name: str) -> dict[float, Measure]:
    return {float(one.round): one.diversity[name] for one in rounds if name in one.diversity}


def _measured(loops: Sequence[LoopNumbers]) -> Iterator[tuple[str, str]]:
    if loops:
        yield from ((one.suite, one.metric) for one in loops[0].base_scores)
