"""How long the examples are, in words and in tokens.

The numbers decide a trainer's maximum length and its cost; how tokens are counted says
`core/token_counts.py`.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from selfsown.core.token_counts import Counter
from selfsown.export.example import Example


@dataclass(frozen=True, slots=True)
class Summary:
    """The distribution of one length."""

    name: str
    """What is measured, with its unit, for example `prompt words`."""
    mean: float
    p50: int
    p90: int
    p99: int
    longest: int
    total: int


class Lengths:
    """Collects the lengths of examples; 24 bytes of memory per example."""

    def __init__(self, count_tokens: Counter, token_unit: str) -> None:
        """Start empty.

        Args:
            count_tokens: tokens of a text.
            token_unit: how the numbers are labelled, for example `tokens (estimated)`.
        """
        self._count_tokens = count_tokens
        self._columns = {
            "prompt words": array("L"),
            "answer words": array("L"),
            f"{token_unit} in all": array("L"),
        }

    def add(self, example: Example) -> None:
        """Count one example."""
        asked = f"{example.system} {example.request}" if example.request else ""
        words, answer_words, tokens = self._columns.values()
        words.append(len(asked.split()))
        answer_words.append(len(example.output.split()))
        tokens.append(self._count_tokens(asked) + self._count_tokens(example.output))

    def table(self) -> tuple[Summary, ...]:
        """One line per length; empty if nothing was added."""
        return tuple(_summary(name, values) for name, values in self._columns.items() if values)


def format_table(table: tuple[Summary, ...]) -> str:
    """The table as aligned plain text, one line per length under a line of headings."""
    rows: list[tuple[str, ...]] = [("length", "mean", "median", "90 %", "99 %", "longest", "total")]
    for line in table:
        numbers = (line.p50, line.p90, line.p99, line.longest, line.total)
        rows.append((line.name, f"{line.mean:,.1f}", *(f"{value:,}" for value in numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _summary(name: str, values: array[int]) -> Summary:
    """Percentiles are nearest-rank: the smallest value that covers so much of all examples."""
    ordered = sorted(values)

    def percentile(percent: int) -> int:
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]

    return Summary(
        name=name,
        mean=sum(ordered) / len(ordered),
        p50=percentile(50),
        p90=percentile(90),
        p99=percentile(99),
        longest=ordered[-1],
        total=sum(ordered),
    )
