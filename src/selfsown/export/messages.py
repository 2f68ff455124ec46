"""`messages`: the conversational format of TRL and of most chat fine-tuning services."""

from __future__ import annotations

from selfsown.core.request import JSON
from selfsown.export.example import Example


def to_messages(example: Example) -> dict[str, JSON]:
    """One column, `messages`: turns of `role` and `content`, ending with the assistant's."""
    turns: list[JSON] = []
    if example.system:
        turns.append({"role": "system", "content": example.system})
    turns.append({"role": "user", "content": example.request})
    turns.append({"role": "assistant", "content": example.output})
    return {"messages": turns}
