"""Lines of an instruction list that are no tasks of the world, for filters to find.

*Noisy* lines break a rule that Self-Instruct checks (too short, asks for a picture or a program,
starts with a sign or a foreign letter). *Sloppy* lines look right but are cut off or make no
sense; only an oracle sees that, so they are kept to a few untidy documents.
"""

from __future__ import annotations

import random

from selfsown.lab.world import lexicon as lex
from selfsown.lab.world import sample_instruction

_THINGS = (*lex.ANIMALS, *lex.OBJECTS, *lex.PLANTS)
_BROKEN = (
    "Draw a picture of {a}.",
    "Draw {a} and {b} on paper.",
    "Plot a graph of the numbers.",
    "Open the file about {a}.",
    "Write a program that counts the {w}s.",
    "Write a program that sorts the list.",
    "Go to the shop and buy {a}.",
    "Sort it.",
    "Another one.",
    "More tasks here.",
    "And so on.",
    "...",
    "(same as before)",
    "- see the list above",
    '"{w}" and "{v}"',
    "\u00c9crivez le mot {w}.",
    "\u00bfQu\u00e9 es {a}?",
)


def noisy_line(rng: random.Random) -> str:
    """A line that some rule filter rejects."""
    word, other = rng.sample(_THINGS, 2)
    return rng.choice(_BROKEN).format(w=word, v=other, a=_named(word), b=_named(other))


def sloppy_line(rng: random.Random) -> str:
    """An instruction that is cut off, or whose words stand in the wrong order."""
    words = sample_instruction(rng).text.split(" ")
    if rng.random() < 0.5:
        return " ".join(words[: rng.randint(3, max(3, len(words) - 2))])
    i, j = rng.randrange(len(words)), rng.randrange(len(words))
    words[i], words[j] = words[j], words[i]
    return " ".join(words)


def _named(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word
