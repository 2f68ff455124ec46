"""Numbers as people read them; the template's filters."""

from __future__ import annotations

import math
from typing import Final

NOTHING: Final = "\N{EN DASH}"
"""What stands where there is no number."""


def count(value: float) -> str:
    """A whole number with thousands separators."""
    return f"{value:,.0f}"


def rate(value: float | None) -> str:
    """A part in [0, 1] as per cent; an en dash for None."""
    return NOTHING if value is None else f"{value:.1%}"


def decimal(value: float | None) -> str:
    """Three significant digits below 1,000, whole above; an en dash for None."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def usd(value: float | None) -> str:
    """Dollars: cents from one dollar up, two significant digits below; an en dash for None."""
    if value is None:
        return NOTHING
    if value >= 1 or value == 0:
        return f"${value:,.2f}"
    return f"${value:.{1 - math.floor(math.log10(value))}f}"


def duration(seconds: float) -> str:
    """The two largest units: `3 h 20 min`, `4 min 5 s`, `12 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def plural(number: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def amount_of_bytes(value: float) -> str:
    """Bytes, in thousands or millions of them where there are many."""
    if value < 1000:
        return f"{value:.0f} bytes"
    return f"{value / 1e3:,.0f} kB" if value < 1e6 else f"{value / 1e6:,.1f} MB"
