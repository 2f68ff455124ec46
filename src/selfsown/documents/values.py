"""Whatever a row of a file holds, as JSON that a run can keep."""

from __future__ import annotations

import math
from collections.abc import Mapping

from selfsown.core.request import JSON, clean_text

_DEEPEST = 32
"""Levels of lists and mappings that are kept; what is nested deeper becomes an ellipsis."""


def plain(value: object, depth: int = 0) -> JSON:
    """The value as JSON: dates, decimals and bytes as text, NaN and infinities as null."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (Mapping, list, tuple)) and depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {clean_text(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return clean_text(str(value))
