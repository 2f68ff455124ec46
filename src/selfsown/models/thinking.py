"""Reasoning that a model writes into its answer, in `<think>` tags, is kept apart from the text."""

from __future__ import annotations

_OPEN = "<think>"
_CLOSE = "</think>"


def split_thinking(text: str, *, opened_by_template: bool) -> tuple[str, str]:
    """The answer and its reasoning: `(text, reasoning)`.

    Only a part at the very start counts: a tag further on is what the answer is about. A part that
    never ends (the answer was cut off) leaves no text. The part's surrounding white space goes with
    it.

    Args:
        text: the answer as received.
        opened_by_template: some chat templates end the prompt with `<think>`, so that the answer
            begins inside of it; then a closing tag without an opening one also ends the reasoning.
    """
    if "think>" not in text:
        return text, ""
    start = text.lstrip()
    if start.startswith(_OPEN):
        inside, _, after = start[len(_OPEN) :].partition(_CLOSE)
        return after.lstrip(), inside.strip()
    before, close, after = text.partition(_CLOSE)
    if opened_by_template and close and _OPEN not in before:
        return after.lstrip(), before.strip()
    return text, ""
