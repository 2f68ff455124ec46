"""`prompt-completion`: TRL's format whose loss is taken on the completion alone."""

from __future__ import annotations

from selfsown.core.request import JSON
from selfsown.export.example import Example


def to_prompt_completion(example: Example) -> dict[str, JSON]:
    """Two text columns, `prompt` and `completion`, meant to be joined as they are.

    The prompt ends with a blank line, so that a base model sees where the answer begins.
    """
    parts = [part for part in (example.system, example.request) if part]
    return {"prompt": "\n\n".join(parts) + "\n\n", "completion": example.output}


def to_conversational(example: Example) -> dict[str, JSON]:
    """Two columns of turns, `prompt` (system and user) and `completion` (assistant)."""
    turns: list[JSON] = []
    if example.system:
        turns.append({"role": "system", "content": example.system})
    turns.append({"role": "user", "content": example.request})
    return {
        "prompt": turns,
        "completion": [{"role": "assistant", "content": example.output}],
    }
