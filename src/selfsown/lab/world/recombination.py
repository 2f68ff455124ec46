"""Phrasings that no document uses but anyone would understand: known parts, newly arranged.

A model that has seen "Give the capital of the country.", "What is the capital of the country?" and
"Give the sound that the animal makes." may well ask "What is the sound that the animal makes?". The
oracle reads such sentences too, and counts them as compositions that pretraining never saw.
"""

from __future__ import annotations

from collections.abc import Sequence

_COMMAND, _QUESTION = "{v} the ", "What is the "


def recombined(
    phrasings: Sequence[str], synonyms: Sequence[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """All arrangements that follow from the given ones, without those, in a fixed order.

    Args:
        phrasings: templates that are sampled.
        synonyms: pairs of phrases of which each may stand for the other.
    """
    known = list(phrasings)
    for template in known:  # grows while it is walked through
        for found in (_other_mood(template), *_swapped(template, synonyms)):
            if found not in known:
                known.append(found)
    return tuple(known[len(phrasings) :])


def _other_mood(template: str) -> str:
    """A command as a question, a question as a command; other templates unchanged."""
    if template.startswith(_COMMAND) and template.endswith("."):
        return f"{_QUESTION}{template[len(_COMMAND) : -1]}?"
    if template.startswith(_QUESTION) and template.endswith("?"):
        return f"{_COMMAND}{template[len(_QUESTION) : -1]}."
    return template


def _swapped(template: str, synonyms: Sequence[tuple[str, str]]) -> list[str]:
    """The template with one phrase replaced by its synonym."""
    return [
        template.replace(old, new)
        for pair in synonyms
        for old, new in (pair, pair[::-1])
        if old in template and new not in template
    ]
