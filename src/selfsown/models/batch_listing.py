"""Lists of batches as providers page them, and how far back they are searched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from selfsown.core.request import JSON

SLACK_S: Final = 86_400.0
"""How much the provider's clock may be behind ours."""


def listed(page: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    """The objects of a page."""
    data = page.get("data")
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def stamp_seconds(stamp: str) -> float:
    """Seconds since 1970 of an RFC 3339 stamp; 0.0 if it is none."""
    try:
        return dt.datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0
