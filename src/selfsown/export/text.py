"""`text`: one piece of text, for training without a chat template."""

from __future__ import annotations

from selfsown.core.request import JSON
from selfsown.export.example import Example
from selfsown.export.prompt_completion import to_prompt_completion


def to_text(example: Example) -> dict[str, JSON]:
    """One column, `text`: exactly prompt and completion of `prompt-completion`, joined.

    A text that answers nothing stands as it is.
    """
    if not example.request:
        return {"text": example.output}
    pair = to_prompt_completion(example)
    return {"text": f"{pair['prompt']}{pair['completion']}"}
