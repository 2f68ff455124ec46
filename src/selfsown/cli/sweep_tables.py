"""A sweep as aligned text."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from selfsown.cli.summary import aligned

if TYPE_CHECKING:
    from selfsown.mixing.sources import MixSource
    from selfsown.report.loop_numbers import Measure
    from selfsown.sweep.compare import Comparison, Row
    from selfsown.sweep.material import Design


def comparison_lines(found: Comparison) -> list[str]:
    """Losses and tasks of every arm, their differences from the reference, tokens to its loss."""
    seeds = f"{len(found.seeds)} seeds" if len(found.seeds) > 1 else "1 seed"
    sets = ", ".join(found.decided_by)
    lines = [
        f"{found.tokens:,} tokens a student, {seeds}; 95 % intervals over seeds and documents",
        f"real text: nats per token of {sets}; differences are from `{found.reference}`",
        "",
        *_main_table(found),
    ]
    if len(found.rows[0].losses) > 1:
        lines += ["", "loss less that of the reference, by held-out set"]
        lines += _by_name(found, lambda row: row.losses, lambda row: row.differences)
    lines += ["", "share of the tokens after which the reference's last loss was reached, by seed"]
    lines += _targets(found)
    return [*lines, "", *_verdict(found)]


def mix_command(found: Comparison, design: Design, sources: Sequence[MixSource]) -> str:
    """The command that makes the chosen mixture."""
    from selfsown.mixing.sources import MAX_EPOCHS

    shares = next(arm.shares for arm in design.arms if arm.name == found.chosen)
    words = ["selfsown", "mix"]
    for source in sources:
        if source.name in shares:
            flag = f"--{source.kind}" if source.kind else "--source"
            words += [flag, f"{source.name}={source.path}:{shares[source.name]:g}"]
            for field, values in source.only.items():
                for value in values:
                    words += ["--only", f"{source.name}:{field}={value}"]
            if source.max_epochs != MAX_EPOCHS:
                words += ["--epochs", f"{source.name}={source.max_epochs:g}"]
    return f"{shlex.join(words)} --tokens N -o mixture"


def _main_table(found: Comparison) -> list[str]:
    kinds = list(found.rows[0].tasks)
    head = ["arm", "human", "epochs", "real text", "difference", *kinds]
    rows = [
        [
            row.arm,
            f"{row.human_share:.0%}",
            " ".join(f"{epochs:.1f}" for epochs in row.epochs.values()),
            _loss(row.loss),
            _signed(row.difference),
            *(_points(row.tasks[kind], row.task_differences.get(kind)) for kind in kinds),
        ]
        for row in found.rows
    ]
    return aligned([head, *rows])


def _by_name(
    found: Comparison,
    of: Callable[[Row], Mapping[str, Measure]],
    less: Callable[[Row], Mapping[str, Measure]],
) -> list[str]:
    """One column per held-out set; the reference's row has its losses."""
    names = list(of(found.rows[0]))
    rows = [
        [
            row.arm,
            *(_signed(less(row)[name]) if less(row) else _loss(of(row)[name]) for name in names),
        ]
        for row in found.rows
    ]
    return aligned([["arm", *names], *rows])


def _targets(found: Comparison) -> list[str]:
    names = list(found.rows[0].tokens_to_target)
    rows = [
        [row.arm, *(_shares(row.tokens_to_target[name], found.tokens) for name in names)]
        for row in found.rows
    ]
    return aligned([["arm", *names], *rows])


def _shares(tokens: Sequence[float | None], whole: int) -> str:
    shown = " ".join("never" if one is None else f"{one / whole:.2f}" for one in tokens)
    reached = [one / whole for one in tokens if one is not None]
    if len(reached) == len(tokens) > 1:
        return f"{shown} (mean {statistics.fmean(reached):.2f})"
    return shown


def _verdict(found: Comparison) -> list[str]:
    names = ", ".join(f"`{name}`" for name in found.candidates)
    lines = [f"lowest loss on real text, or not shown to be above it: {names}"]
    chosen = next(row for row in found.rows if row.arm == found.chosen)
    human = f"people wrote {chosen.human_share:.0%} of it"
    return [*lines, f"chosen: `{found.chosen}` ({human})"]


def _loss(measure: Measure) -> str:
    return f"{measure.value:.3f} ({measure.low:.3f} to {measure.high:.3f})"


def _signed(measure: Measure | None) -> str:
    if measure is None:
        return ""
    return f"{measure.value:+.3f} ({measure.low:+.3f} to {measure.high:+.3f})"


def _points(share: Measure, less: Measure | None) -> str:
    """Per cent, with the difference behind it."""
    if less is None:
        return f"{100 * share.value:.1f}"
    low, high = 100 * less.low, 100 * less.high
    return f"{100 * share.value:.1f}, {100 * less.value:+.1f} ({low:+.1f} to {high:+.1f})"
