"""The study as one page without network: what happens to models that feed on themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from selfsown.guard.simulate.loops import Rounds
from selfsown.guard.simulate.study import PHASE_REAL, Study
from selfsown.guard.simulate.worlds import Experiment
from selfsown.report.charts.line import Curve, draw_lines
from selfsown.report.svg import CHART_CSS

LOOPS = (("fully synthetic", "replace"), ("augmentation", "accumulate"))
"""Name on the page → arm; the arm of the loop with fresh data depends on the world."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart with a caption."""

    title: str
    caption: str
    svg: Markup


def render_study(study: Study) -> str:
    """The page as text; the same study gives the same text."""
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("selfsown.guard.simulate"), PackageLoader("selfsown.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mad.html.j2").render(
        study=study,
        pictures=draw_study(study),
        chart_css=Markup(CHART_CSS),  # noqa: S704 a constant of ours
    )


def draw_study(study: Study) -> list[Picture]:
    """The charts of the three loops, unbiased and sharpened, and of the phase transition."""
    gaussian = study.loops["gaussian"]
    pictures = [
        _loops(
            "Gaussian, unbiased sampling",
            "Distance of the fitted model to the human one; fresh data are half of each round.",
            gaussian,
            {**_named("lambda=1"), "fresh data": "fresh 50 %, lambda=1"},
            "w2",
            "W2²",
        ),
        _phase(study),
        *map(partial(_wide, study.loops["wide"]), ("lambda=1", "lambda=.8")),
    ]
    for name, experiment in study.worlds.items():
        pictures += _of_world(name, experiment, study.loops[name])
    return pictures


def _of_world(name: str, experiment: Experiment, loops: Mapping[str, Rounds]) -> Iterator[Picture]:
    share = next(arm.fresh_share for arm in experiment.arms if experiment.fresh in arm.name)
    for plot in experiment.plots:
        for temperature, how in (("T=1", "unbiased"), ("T=.8", "temperature 0.8")):
            arms = {**_named(temperature), "fresh data": f"{experiment.fresh}, {temperature}"}
            title = f"{name.capitalize()}, {plot.name}, {how}"
            caption = f"{plot.caption} Fresh data are {100 * share:.0f} % of each round."
            yield _loops(title, caption, loops, arms, plot.metric, plot.axis)


def _wide(loops: Mapping[str, Rounds], bias: str) -> Picture:
    caption = (
        "Fresh data, 100 human and 900 synthetic rows a round: what the first model was trained on"
        " is forgotten."
    )
    arms = {f"{first:,} first rows": f"first {first}, {bias}" for first in (100, 1000)}
    title = f"Gaussian in 100 dimensions, {bias.replace('lambda=', 'λ = ').replace('= .', '= 0.')}"
    return _loops(title, caption, loops, arms, "w2", "W2²")


def _named(suffix: str) -> dict[str, str]:
    return {name: f"{arm}, {suffix}" for name, arm in LOOPS}


def _loops(
    title: str,
    caption: str,
    found: Mapping[str, Rounds],
    arms: Mapping[str, str],
    metric: str,
    label: str,
) -> Picture:
    there = {name: found[arm] for name, arm in arms.items() if arm in found}
    curves = [
        Curve(name, [(float(round_), row[metric]) for round_, row in enumerate(rounds)], series)
        for series, (name, rounds) in enumerate(there.items())
    ]
    return _picture(title, caption, curves, "round", label)


def _phase(study: Study) -> Picture:
    biases = sorted({one.bias for one in study.phase})
    curves = [
        Curve(
            f"λ = {bias:g}",
            [(float(one.n_synthetic), one.ratio) for one in study.phase if one.bias == bias],
            series,
        )
        for series, bias in enumerate(biases)
    ]
    caption = (
        f"What a loop with {PHASE_REAL:,} fresh human rows is worth, in human rows. Above 1 the"
        " synthetic rows help; with biased sampling they hurt beyond about 6/(1-λ)²."
    )
    return _picture("Phase transition", caption, curves, "synthetic rows a round", "n_e / n_r")


def _picture(
    title: str, caption: str, curves: Sequence[Curve], x_label: str, y_label: str
) -> Picture:
    ends = "; ".join(
        f"{curve.name} from {curve.points[0][1]:.3g} to {curve.points[-1][1]:.3g}"
        for curve in curves
    )
    svg = draw_lines(title, f"{caption} {ends}.", curves, x_label=x_label, y_label=y_label)
    return Picture(title, caption, Markup(svg))  # noqa: S704 drawn and escaped by us
