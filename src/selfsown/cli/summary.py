"""What a run came to, as a few lines: one per stage, then time, calls, tokens and cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from selfsown.report.shown import shown_line
from selfsown.report.words import count, duration, plural, usd

_REASONS_SHOWN: Final = 8
_STOPS: Final = {
    "rows": "every row is done",
    "target": "the target is reached",
    "saturated": "saturated, since hardly anything new was found any more",
    "max_requests": "`max_requests` is reached",
}
"""Stop reasons of our recipes in words; others are shown as they are."""


def stage_lines(stages: Sequence[Mapping[str, Any]]) -> list[str]:
    """One aligned line per stage: name, in, kept, rejected by reason, failed by kind.

    Args:
        stages: as the manifest's `data.stages` has them.
    """
    rows = [
        [
            stage["stage"],
            f"{count(stage['in'])} in",
            f"{count(stage['accepted'])} kept",
            _by_reason("rejected", stage["rejected"]),
            _by_reason("failed", stage["failed"]),
        ]
        for stage in stages
    ]
    return aligned(rows, right=(1, 2))


def spending_line(run: Mapping[str, Any]) -> str:
    """Calls, tokens and cost of a run directory's whole life, and this session's time.

    Args:
        run: the manifest's `run` part.
    """
    tokens = f"{count(run['input_tokens'])} + {count(run['output_tokens'])} tokens"
    calls = plural(run["calls"], "call")
    if run["attempts"] != run["calls"]:
        calls += f" in {plural(run['attempts'], 'attempt')}"
    return ", ".join([duration(run["wall_s"]), calls, tokens, usd(run["cost_usd"])])


def ending_lines(directory: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Stages, spending, why it ended, where the output lies."""
    data, run = manifest["data"], manifest["run"]
    rows = data["files"]["accepted.jsonl"]["rows"]
    return [
        *stage_lines(data["stages"]),
        f"{run['status']}: {ending_words(manifest)}; {spending_line(run)}",
        f"wrote `{directory / 'accepted.jsonl'}` ({plural(rows, 'record')})",
    ]


def ending_words(manifest: Mapping[str, Any]) -> str:
    """Why a run ended or was suspended, on one line."""
    if manifest["run"]["status"] == "suspended":
        return shown_line(str(manifest["run"]["reason"]))
    stop = str(manifest["data"]["stop"])
    return _STOPS.get(stop) or shown_line(stop) or "the recipe ended"


def extend_command(program: str, directory: Path, target: int) -> str:
    """The command that makes a finished run grow to twice its target."""
    config = shlex.quote(str(directory / "config.yaml"))
    return f"{program} run {config} -n {2 * target}"


def aligned(rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows of cells as lines with aligned columns, two spaces apart.

    Args:
        rows: cells; rows may be of unequal length.
        right: numbers of the columns to align on the right.
    """
    table = [list(row) for row in rows]
    widths: dict[int, int] = {}
    for row in table:
        for column, cell in enumerate(row):
            widths[column] = max(widths.get(column, 0), len(cell))
    return [
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
            if widths[column]
        ).rstrip()
        for row in table
    ]


def _by_reason(word: str, counts: Mapping[str, int]) -> str:
    """`12 rejected: too_similar 8, too_short 4`; empty for none."""
    if not counts:
        return ""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{shown_line(reason, 40)} {count(n)}" for reason, n in most[:_REASONS_SHOWN]]
    if len(most) > _REASONS_SHOWN:
        named.append(f"{len(most) - _REASONS_SHOWN} more reasons")
    return f"{count(sum(counts.values()))} {word}: {', '.join(named)}"
