"""`sharegpt`: conversations with `from` and `value`, as several fine-tuning tools read them."""

from __future__ import annotations

from selfsown.core.request import JSON
from selfsown.export.example import Example


def to_sharegpt(example: Example) -> dict[str, JSON]:
    """One column, `conversations`, whose turns are from `system`, `human` and `gpt`."""
    turns: list[JSON] = []
    if example.system:
        turns.append({"from": "system", "value": example.system})
    turns.append({"from": "human", "value": example.request})
    turns.append({"from": "gpt", "value": example.output})
    return {"conversations": turns}
