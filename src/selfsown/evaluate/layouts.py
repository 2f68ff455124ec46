"""How an instance becomes a prompt: named pairs of patterns, with an input and without.

Sources: `published` is the string of all eight prediction files that Self-Instruct released
(arXiv:2212.10560; it is not among the paper's training templates), and by analogy that of its
zero-shot experiment on Super-NaturalInstructions, whose prompts were never released; `task` and
`plain` are two of its training templates, the formats of the lab.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from selfsown.core.errors import ConfigError

_INSTRUCTION: Final = "{instruction}"
_INPUT: Final = "{input}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A prompt with `{instruction}` and `{input}` where the two texts go."""

    with_input: str
    without_input: str

    def prompt(self, instruction: str, text: str) -> str:
        """The prompt of one instance. Braces in the texts mean nothing."""
        pattern = self.with_input if text else self.without_input
        pieces = pattern.split(_INSTRUCTION)
        return instruction.join(piece.replace(_INPUT, text) for piece in pieces)


LAYOUTS: Final = {
    "published": Layout("{instruction}\n\nInput: {input}\nOutput:", "{instruction}\nOutput:"),
    "task": Layout("Task: {instruction}\nInput: {input}\nOutput:", "Task: {instruction}\nOutput:"),
    "plain": Layout("{instruction}\n{input}\n\n", "{instruction}\n\n"),
    "bare": Layout("{instruction}\n\n{input}", "{instruction}"),
}
"""Layouts by name; `bare` is the user turn of chat exports."""


def layout_named(name: str) -> Layout:
    """The layout of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in LAYOUTS:
        raise ConfigError(
            f"there is no prompt layout `{name}`",
            why=f"known layouts are {', '.join(f'`{known}`' for known in LAYOUTS)}",
            fix="name one of them with --layout",
        )
    return LAYOUTS[name]
