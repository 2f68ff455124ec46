"""The funnel: one bar per stage, split into how its candidates ended, joined to the next stage."""

from __future__ import annotations

from selfsown.report.funnel import Funnel, StageNumbers
from selfsown.report.svg import Svg, fit

_BAR = 34.0
_HEAD = 46.0
_JOINT = 20.0
_LEGEND = 26.0


def draw_funnel(funnel: Funnel, width: float) -> str:
    """The funnel at a width, in the units of the drawing: 360 for a phone, 1,000 for a desk."""
    stages = funnel.stages
    svg = Svg(
        "Funnel of candidates", _describe(funnel), width, _LEGEND + (_HEAD + _BAR) * len(stages) + 6
    )
    _draw_legend(svg)
    scale = width / max(1, max(stage.entered for stage in stages))
    for number, stage in enumerate(stages):
        top = _LEGEND + number * (_HEAD + _BAR) + _HEAD
        if number:
            _draw_joint(svg, stages[number - 1], stage, top, scale)
        _draw_stage(svg, stage, top, scale, width)
    return svg.render()


def _draw_stage(svg: Svg, stage: StageNumbers, top: float, scale: float, width: float) -> None:
    svg.text(0, top - 9, stage.stage, "strong")
    numbers = f"{stage.entered:,} in, {stage.accepted:,} {'accepted' if stage.output else 'kept'}"
    svg.text(width, top - 9, numbers, "quiet", anchor="end")
    svg.rect(0, top, max(2.0, stage.entered * scale), _BAR, "track")
    x = 0.0
    for count, name, style in _parts(stage):
        part = count * scale
        tip = f"{stage.stage}: {name} {count:,} of {stage.entered:,} ({count / stage.entered:.1%})"
        svg.rect(x, top, part, _BAR, f"{style} edge", tip=tip)
        label = f"{count:,}" if part < 120 else f"{name} {count:,}"
        if part > 10 + 7 * len(label):
            ink = "on-light" if style == "s1" else "on"
            svg.text(x + 8, top + 22, fit(label, part - 8), ink)
        x += part


def _parts(stage: StageNumbers) -> list[tuple[int, str, str]]:
    """How the candidates ended as (count, name, colour); each reason of rejection is one part."""
    parts = [(stage.accepted, "accepted" if stage.output else "kept", "s0")]
    parts += [(count, reason, "s1") for reason, count in stage.rejected.items()]
    parts += [(count, f"failed: {kind}", "s5") for kind, count in stage.failed.items()]
    return [part for part in parts if part[0]]


def _draw_joint(
    svg: Svg, above: StageNumbers, below: StageNumbers, top: float, scale: float
) -> None:
    """A tinted band from what one stage kept to what the next one got."""
    start, end = top - _HEAD, top - _HEAD + _JOINT
    svg.polygon(
        (
            (0, start),
            (above.accepted * scale, start),
            (max(2.0, below.entered * scale), end),
            (0, end),
        ),
        "tint",
    )


def _draw_legend(svg: Svg) -> None:
    x = 0.0
    for name, style in (("kept", "s0"), ("rejected", "s1"), ("failed", "s5")):
        svg.rect(x, 2, 10, 10, style, round_=2)
        svg.text(x + 15, 11, name, "quiet")
        x += 34 + 6.4 * len(name)


def _describe(funnel: Funnel) -> str:
    return " ".join(
        f"{stage.stage}: {stage.entered:,} in, {stage.accepted:,} kept,"
        f" {stage.rejected_count:,} rejected, {stage.failed_count:,} failed."
        for stage in funnel.stages
    )
