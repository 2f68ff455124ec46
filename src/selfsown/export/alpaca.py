"""`alpaca`: the three text columns that instruction tuning began with."""

from __future__ import annotations

from selfsown.core.request import JSON
from selfsown.export.example import Example


def to_alpaca(example: Example) -> dict[str, JSON]:
    """Text columns `instruction`, `input` and `output`, and `system` for records that have one."""
    columns: dict[str, JSON] = {
        "instruction": example.instruction,
        "input": example.input,
        "output": example.output,
    }
    return columns | {"system": example.system} if example.system else columns
