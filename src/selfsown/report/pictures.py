"""Which charts a run can have, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from selfsown.report.absent import Absent
from selfsown.report.activity import Activity
from selfsown.report.charts.bars import Bar, draw_bars
from selfsown.report.charts.funnel import draw_funnel
from selfsown.report.charts.histogram import draw_histogram
from selfsown.report.charts.line import Curve, draw_lines
from selfsown.report.charts.sunburst import draw_sunburst
from selfsown.report.funnel import Funnel
from selfsown.report.judgements import Judgements
from selfsown.report.numbers import Numbers
from selfsown.report.saturation import Saturation
from selfsown.report.text_numbers import Openings, Texts

WIDE, NARROW = 1000.0, 360.0
LEAST_MOMENTS: Final = 4
"""Bins of time below which a curve would say nothing."""
_SERIES: Final = {
    **{"instruction": 0, "input": 4, "output": 2, "completion": 2, "text": 2},
    **{"prompt": 0, "chosen": 2, "rejected": 1},
}

_NAMES: Final = {"chosen": "chosen answers", "rejected": "rejected answers"}
"""What is counted, where the field with an s is no word."""


def draw_charts(numbers: Numbers) -> Mapping[str, Markup]:
    """Every picture that this run can have, by name."""
    drawn: dict[str, str] = {}
    if isinstance(numbers.funnel, Funnel):
        drawn["funnel_wide"] = draw_funnel(numbers.funnel, WIDE)
        drawn["funnel_narrow"] = draw_funnel(numbers.funnel, NARROW)
    if isinstance(numbers.saturation, Saturation):
        drawn["saturation"] = _draw_saturation(numbers.saturation)
    if isinstance(numbers.activity, Activity) and len(numbers.activity.moments) >= LEAST_MOMENTS:
        drawn |= _draw_activity(numbers.activity)
    if isinstance(numbers.judgements, Judgements) and numbers.judgements.scores:
        drawn["scores"] = _draw_scores(numbers.judgements)
    drawn |= _draw_texts(numbers.texts)
    return {name: Markup(text) for name, text in drawn.items()}  # noqa: S704 escaped by Svg


def _draw_scores(judgements: Judgements) -> str:
    most = max(judgements.scores, key=lambda one: one.count)
    return draw_bars(
        "Scores",
        f"Most common: {most.name}, {most.count} of {judgements.parsed} that could be read.",
        [Bar(one.name, one.count, f"{one.count:,}") for one in judgements.scores],
    )


def _draw_saturation(saturation: Saturation) -> str:
    first, last = saturation.eighths[0], saturation.eighths[-1]
    return draw_lines(
        "Saturation",
        f"{saturation.unit} kept per answer: {first:.2f} in the first eighth of the run,"
        f" {last:.2f} in the last.",
        [
            Curve(
                saturation.unit,
                [(p.answer, p.accepted_per_answer) for p in saturation.curve],
                0,
                True,
            )
        ],
        x_label="answers delivered",
        y_label=f"new {saturation.unit}s per answer",
        x_max=saturation.answers,
    )


def _draw_activity(activity: Activity) -> dict[str, str]:
    minutes = activity.working_s >= 300
    scale = 60.0 if minutes else 1.0
    label = "minutes of work" if minutes else "seconds of work"
    moments = activity.moments

    def curve(name: str, title: str, series: int, description: str) -> str:
        points = [(m.time_s / scale, getattr(m, name)) for m in moments]
        return draw_lines(
            title,
            description,
            [Curve(title, points, series, True)],
            x_label=label,
            y_label=title.lower(),
            x_max=activity.working_s / scale,
        )

    return {
        "throughput": curve(
            "answers_per_s",
            "Answers per second",
            0,
            f"Mean {activity.answers_per_s:.3g} per second.",
        ),
        "in_flight": curve(
            "in_flight",
            "Calls in flight",
            2,
            f"Mean {activity.mean_in_flight:.3g}, highest {activity.peak_in_flight:.3g}.",
        ),
    }


def _draw_texts(texts: Texts) -> dict[str, str]:
    drawn: dict[str, str] = {}
    if not isinstance(texts.verb_nouns, Absent):
        drawn["sunburst"] = draw_sunburst(texts.verb_nouns)
    if not isinstance(texts.novelty, Absent) and texts.novelty.count:
        drawn["novelty"] = draw_histogram(
            "Likeness to the seeds",
            texts.novelty,
            unit="highest ROUGE-L to any seed",
            of="instructions",
        )
    if not isinstance(texts.openings, Absent):
        drawn |= _draw_openings(texts.openings)
    if not isinstance(texts.lengths, Absent):
        for name, values in texts.lengths.fields.items():
            if values.count:
                drawn[f"length_{name}"] = draw_histogram(
                    f"Length of {name}",
                    values,
                    unit="words",
                    of=_NAMES.get(name, f"{name}s"),
                    series=_SERIES[name],
                )
    return drawn


def _draw_openings(openings: Openings) -> dict[str, str]:
    has_seeds = bool(openings.seed_top)
    bars = [Bar(o.words, o.rate, f"{o.rate:.1%}", o.seed_rate) for o in openings.top]
    top = openings.top[0]
    eighths = len(openings.drift)
    points = [((part + 0.5) / eighths, share) for part, share in enumerate(openings.drift)]
    return {
        "openings": draw_bars(
            "Opening phrases",
            f"Most common: {top.words}, {top.rate:.1%} of the instructions.",
            bars,
            other_name="seeds" if has_seeds else "",
        ),
        "drift": draw_lines(
            "Drift of the most common opening",
            f"Share of instructions that begin with {top.words}, by eighth of the run.",
            [Curve(top.words, points, 0, True)],
            x_label="part of the run",
            y_label=f"begin with “{top.words}”",
            x_max=1.0,
            percent=True,
        ),
    }
