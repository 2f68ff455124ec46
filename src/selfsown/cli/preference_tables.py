"""What preference loops came to, as tables of the command line, with what the columns mean."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.report.loop_numbers import Measure
    from selfsown.report.preference_numbers import ExperimentNumbers, PreferenceNumbers

Row = tuple[str, "Mapping[str, Measure]"]
"""A policy's name and its measures."""

_WIDTH = 100


def policy_lines(numbers: PreferenceNumbers) -> list[str]:
    """A row per policy, those of controls last; 95 % intervals over prompts."""
    best = numbers.best.name if numbers.best else ""
    policies = [numbers.initial, *(one for line in numbers.lines for one in line.policies)]
    rows = [
        (f"{one.name} (best)" if one.name == best else one.name, one.measures) for one in policies
    ]
    return [*_table(rows), "", *_meanings(rows)]


def experiment_lines(numbers: ExperimentNumbers) -> list[str]:
    """A table per arm, and the differences; means over seeds with 95 % intervals."""
    from selfsown.cli.summary import aligned
    from selfsown.report.preference_measures import TABLE, change_text, measured, title_text

    lines: list[str] = []
    for arm in numbers.arms:
        own = [(one.name, one.measures) for one in numbers.policies if one.arm == arm.name]
        lines += [shown(f"{arm.name}: {arm.about}"), *_table(own), ""]
    compared = measured(numbers.differences.values(), TABLE)
    lines += aligned(
        [
            ["policy", "less", *map(title_text, compared)],
            *(
                [shown(second), shown(first)]
                + [change_text(own[one].measure, one) if one in own else "-" for one in compared]
                for (first, second), own in numbers.differences.items()
            ),
        ]
    )
    lines += [shown(f"refused by a gate: {who}: {why}") for who, why in numbers.refused.items()]
    return [*lines, "", *_meanings([(one.name, one.measures) for one in numbers.policies])]


def _table(rows: Sequence[Row]) -> list[str]:
    from selfsown.cli.summary import aligned
    from selfsown.report.preference_measures import measure_text, title_text

    columns = _columns(rows)
    cells = [
        [
            shown(name),
            *(measure_text(own[one], one) if one in own else "-" for one in columns),
        ]
        for name, own in rows
    ]
    return aligned([["policy", *map(title_text, columns)], *cells])


def _meanings(rows: Sequence[Row]) -> Iterator[str]:
    """What each column is, in words that define it."""
    from selfsown.report.preference_measures import MEASURES, title_text

    for name in _columns(rows):
        text = f"{title_text(name)}: {MEASURES[name].meaning}"
        yield from textwrap.wrap(text, _WIDTH, subsequent_indent="  ")


def _columns(rows: Sequence[Row]) -> list[str]:
    from selfsown.report.preference_measures import TABLE, measured

    return measured((own for _, own in rows), TABLE)
