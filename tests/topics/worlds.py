"""Synthetic topics: texts of a topic share words, and all share the small words of English."""

from __future__ import annotations

import random

SYLLABLES = ("ba", "co", "di", "fu", "ge", "ha", "jo", "ki", "lu", "me", "no", "pa", "ru", "si")
SMALL = ("the", "of", "and", "a", "to", "in", "is", "that", "it", "for", "as", "with", "on", "by")
NAMES = ("birds", "engines", "cooking", "planets", "music", "rivers", "bridges", "bread")


def vocabulary(name: str, size: int = 60) -> list[str]:
    """Words that only one topic has."""
    rng = random.Random(name)
    return ["".join(rng.choices(SYLLABLES, k=3)) + name[:2] for _ in range(size)]


def text_of(name: str, rng: random.Random, words: int = 60) -> str:
    """A text about a topic: its own words, one of another topic, and small ones."""
    own, other = vocabulary(name), vocabulary(rng.choice(NAMES))
    chosen = []
    for _ in range(words):
        source = own if rng.random() < 0.9 else other
        chosen.append(rng.choice(SMALL if rng.random() < 0.4 else source))
    return f"{' '.join(chosen).capitalize()}."


def topics(count: int, each: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """Texts in mixed order, and the topic of each."""
    rng = random.Random(seed)
    pairs = [(text_of(name, rng), name) for name in NAMES[:count] for _ in range(each)]
    rng.shuffle(pairs)
    return [text for text, _ in pairs], [name for _, name in pairs]
