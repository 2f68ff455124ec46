"""A sunburst of verbs (inner ring) and their objects (outer ring): Self-Instruct's figure 2."""

from __future__ import annotations

import math

from selfsown.report.svg import PALETTE, Point, Svg, fit, num
from selfsown.report.text_numbers import Verb, VerbNouns

SIZE = 440.0
_CENTER = SIZE / 2
_HOLE, _MIDDLE, _RIM = 42.0, 122.0, 214.0
_FONT = 11.0


def draw_sunburst(pairs: VerbNouns) -> str:
    """Both rings; angles are proportional to the number of instructions, clockwise from the top."""
    shown = sum(verb.count for verb in pairs.verbs)
    svg = Svg("Verbs and their objects", _describe(pairs, shown), SIZE, SIZE)
    angle = 0.0
    for number, verb in enumerate(pairs.verbs):
        span = math.tau * verb.count / shown
        _draw_verb(svg, verb, angle, span, number)
        angle += span
    svg.text(_CENTER, _CENTER + 1, f"{pairs.parsed_count:,}", "strong", anchor="middle")
    svg.text(_CENTER, _CENTER + 15, "tasks", "quiet", anchor="middle")
    return svg.render()


def _draw_verb(svg: Svg, verb: Verb, angle: float, span: float, number: int) -> None:
    style = f"s{number % PALETTE} edge"
    tip = f"{verb.verb}: {verb.count:,}"
    svg.path(_ring(_HOLE, _MIDDLE, angle, span), style, tip=tip)
    _label(svg, verb.verb, (_HOLE, _MIDDLE), angle, span, _ink(number))
    inner = angle
    for noun, count in verb.nouns:
        part = span * count / verb.count
        tip = f"{verb.verb} {noun}: {count:,}"
        svg.path(_ring(_MIDDLE, _RIM, inner, part), style, tip=tip, opacity=0.45)
        _label(svg, noun, (_MIDDLE, _RIM), inner, part, "")
        inner += part


def _label(
    svg: Svg, text: str, ring: tuple[float, float], angle: float, span: float, style: str
) -> None:
    """Write along the radius where the arc is wide enough, always readable from left to right."""
    low, high = ring
    if span * low < _FONT * 0.8:
        return
    middle = angle + span / 2
    x, y = _at((low + high) / 2, middle)
    degrees = math.degrees(middle) - 90
    if middle > math.pi:
        degrees -= 180
    radians = math.radians(degrees)
    drop = _FONT * 0.34
    svg.text(
        x - drop * math.sin(radians),
        y + drop * math.cos(radians),
        fit(text, high - low - 8, _FONT),
        style,
        anchor="middle",
        rotate=degrees,
    )


def _ring(inner: float, outer: float, angle: float, span: float) -> str:
    """A sector of a ring; a full circle is drawn a hair short, or SVG would draw nothing."""
    end = angle + min(span, math.tau - 1e-3)
    large = 1 if end - angle > math.pi else 0
    a, b, c, d = _at(outer, angle), _at(outer, end), _at(inner, end), _at(inner, angle)
    return (
        f"M{_pair(a)}A{num(outer)} {num(outer)} 0 {large} 1 {_pair(b)}"
        f"L{_pair(c)}A{num(inner)} {num(inner)} 0 {large} 0 {_pair(d)}Z"
    )


def _at(radius: float, angle: float) -> Point:
    return (_CENTER + radius * math.sin(angle), _CENTER - radius * math.cos(angle))


def _pair(point: Point) -> str:
    return f"{num(point[0])} {num(point[1])}"


def _ink(number: int) -> str:
    """Dark text on the light colours of the palette, white on the dark ones."""
    return "on" if number % PALETTE in (0, 2, 5, 6) else "on-light"


def _describe(pairs: VerbNouns, shown: int) -> str:
    named = ", ".join(f"{verb.verb} {verb.count:,}" for verb in pairs.verbs[:6])
    return (
        f"{shown:,} of {pairs.instruction_count:,} instructions: the {len(pairs.verbs)} most"
        f" frequent verbs that have an object, and up to four objects each. Most frequent: {named}."
    )
