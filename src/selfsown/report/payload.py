"""A record's fields in a form that a page can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from selfsown.core.request import JSON, canonical_json, clean_text
from selfsown.report.shown import shown, shown_line

_TELLING: Final = ("instruction", "completion", "text", "output", "prompt")
"""Fields that say most about a record, in order of preference."""
_OF_PAIRS: Final = frozenset(
    {"prompt", "input", "system", "chosen", "rejected", "reward_chosen", "reward_rejected"}
    | {"margin", "judge"}
)
_OURS: Final = frozenset({"id", "record_id"})


def payload_text(payload: Mapping[str, JSON], limit: int = 200) -> str:
    """One line that stands for a record; of a worked example, its input and output too."""
    instruction, output = payload.get("instruction"), payload.get("output")
    if isinstance(instruction, str) and isinstance(output, str):
        given = payload.get("input")
        parts = [instruction, *([given] if isinstance(given, str) and given.strip() else [])]
        texts = [shown_line(part, limit) or "(blank)" for part in (*parts, output)]
        return " \N{RIGHTWARDS ARROW} ".join(texts)
    for name in _TELLING:
        if isinstance(text := payload.get(name), str) and text.strip():
            return shown_line(text, limit)
    return shown_line(value_text(dict(payload)), limit)


def payload_fields(payload: Mapping[str, JSON], limit: int = 600) -> dict[str, str]:
    """Every field as text to show, in the record's order, without our ids.

    Of a preference pair only what people read: its provenance has the rest.
    """
    is_pair = "chosen" in payload and "rejected" in payload
    return {
        shown_line(name, 60): shown(value_text(value), limit)
        for name, value in payload.items()
        if name not in _OURS and not (is_pair and (name not in _OF_PAIRS or value in ("", None)))
    }


def value_text(value: JSON) -> str:
    """A JSON value as text: strings as they are, anything else as JSON."""
    if isinstance(value, str):
        return clean_text(value)
    try:
        return canonical_json(value).decode()
    except (TypeError, ValueError):  # a date of a hand-written config, or NaN
        return str(value)
