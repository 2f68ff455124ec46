"""Phrases that models fall back on, in our own selection, by which a corpus shows its maker.

Openings that Cosmopedia reports in its stories, posts and textbooks ("once upon a time", "the sun
hung low", "have you ever", "a few years back") are among them. A text counts once per phrase,
wherever it stands, after case folding and without punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.curate.tokens import tokenize_unicode

CLICHES: Final = tuple(
    phrase.strip()
    for phrase in """
    once upon a time
    in a land far far away
    the sun hung low
    as the sun dipped below the horizon
    in a small village nestled
    in the heart of the bustling
    nestled between rolling hills
    little did she know
    little did he know
    little did they know
    and they lived happily ever after
    have you ever wondered
    have you ever found yourself
    a few years back i
    let me tell you a story
    buckle up
    picture this
    imagine a world where
    in today s fast paced world
    in today s digital age
    in the ever evolving landscape
    in the realm of
    since the dawn of time
    throughout human history
    welcome to this chapter
    in this chapter we will explore
    in this section we will explore
    in this unit we will
    in this comprehensive guide
    in this blog post we
    let s dive in
    let us dive in
    let s delve into
    let us delve into
    delve into the fascinating world
    embark on a journey
    a rich tapestry of
    a testament to the
    a delicate balance between
    plays a crucial role in
    it is important to note that
    it s worth noting that
    it is worth noting that
    unlock the full potential
    unlock the secrets of
    the possibilities are endless
    a beacon of hope
    sent shivers down
    took a deep breath and
    a sense of wonder and
    with a newfound sense of
    with a twinkle in
    in conclusion
    to sum up
    all in all
    at the end of the day
    the moral of the story
    only time will tell
    i hope this helps
    so the next time you
    the future looks bright
    and that s not all
    """.strip().splitlines()
)


class Cliches:
    """Finds the phrases of a list in tokenised texts."""

    def __init__(self, phrases: Iterable[str] = CLICHES) -> None:
        """Take a list of phrases.

        Raises:
            ConfigError: a phrase has no word, or begins like another one and would hide it.
        """
        joined = sorted({" ".join(tokenize_unicode(phrase)) for phrase in phrases})
        for before, after in pairwise([*joined, "\uffff"]):
            if not before or f"{after} ".startswith(f"{before} "):
                raise ConfigError(
                    f"cliche `{before}` has no word, or others of the list begin with it",
                    why="where two begin at once, only one is counted",
                    fix="leave it out",
                )
        self.phrases = tuple(joined)
        """As they are compared."""
        listed = "|".join(map(re.escape, joined))
        self._pattern = re.compile(f"(?= ({listed}) )") if joined else None

    def found(self, joined: str) -> list[str]:
        """The phrases in a text, each once, sorted.

        Args:
            joined: the text's tokens with a space between them and at both ends.
        """
        return sorted(set(self._pattern.findall(joined))) if self._pattern else []
