"""Filters of recipes over independent rows: those that judge a text by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfsown.core.errors import ConfigError
from selfsown.curate.steps import InstructionFilter, filter_named


def independent_filters(
    given: Mapping[str, Mapping[str, Any]], what: str
) -> list[InstructionFilter]:
    """Filters by name with their options.

    Args:
        given: of a config.
        what: they judge, in the plural, for example "prompts".

    Raises:
        ConfigError: one is unknown, or remembers earlier texts.
    """
    filters = [filter_named(name, **options) for name, options in given.items()]
    for one in filters:
        if one.remembers:
            raise ConfigError(
                f"filter `{one.name}` cannot judge {what}",
                why="it compares with earlier ones, and rows are asked independently of each other",
                fix="selfsown dedup ROWS -o CLEAN --field NAME  removes such rows, before the run"
                " or after it",
            )
    return filters
