"""The human reference, split once: a part to compare with, and a control to show what is normal.

The control is a human sample of the same size as the machine's; measured against the rest in the
same way, it says what "no collapse" looks like at that size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import InputError
from selfsown.curate.tokens import tokenize_unicode
from selfsown.guard.embedding import Lsa
from selfsown.guard.labels import HumanLabels
from selfsown.guard.ngrams import HumanNgrams
from selfsown.guard.sample import Settings, TextRow, check_numpy, drawn, rows_hash
from selfsown.guard.topics import Topics

if TYPE_CHECKING:
    from selfsown.guard.embedding import Points

ROWS_PER_TOPIC: Final = 8
LEAST_CONTROL: Final = 50
"""Rows of the control below which nothing is compared with human text."""
AGAINST_PER_M: Final = 2
"""Rows of the part to compare with, per row of a sample, at most."""


class Rows:
    """Rows with their tokens, made once."""

    def __init__(self, rows: Sequence[TextRow]) -> None:
        """Tokenise."""
        self.rows = tuple(rows)
        self.tokens = [tokenize_unicode(row.text) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> Rows:
        """The first `count` rows."""
        part = Rows(())
        part.rows, part.tokens = self.rows[:count], self.tokens[:count]
        return part

    @property
    def labels(self) -> list[str]:
        """The label of each row."""
        return [row.label for row in self.rows]


class Reference:
    """A human reference prepared for measurements; reuse it, since its parts cost seconds."""

    def __init__(self, rows: Sequence[TextRow], settings: Settings) -> None:
        """Split the reference.

        Raises:
            InputError: fewer than two rows that hold text.
            MissingExtra: numpy is not installed.
        """
        check_numpy()
        given = [row for row in rows if row.text.strip()]
        if len(given) < 2:
            raise InputError(
                f"the human reference has {len(given)} rows with text",
                why="half of it is compared with, the other half shows what is normal",
                fix="give a file of human-written rows, two for each row of the sample",
            )
        self.settings = settings
        self.hash = rows_hash(given)
        self.size = len(given)
        shuffled = drawn(given, len(given), settings.seed, "guard-reference")
        split = min(settings.m, len(given) // 2)
        self.control = Rows(shuffled[:split])
        self.against = Rows(shuffled[split : split + AGAINST_PER_M * settings.m])

    @property
    def is_small(self) -> bool:
        """Whether it is too small to show what is normal: samples are then measured alone."""
        return len(self.control) < LEAST_CONTROL

    @cached_property
    def lsa(self) -> Lsa:
        """Directions of the part to compare with."""
        return Lsa(self.against.tokens)

    @cached_property
    def points(self) -> Points:
        """(rows, directions) the part to compare with."""
        return self.lsa.place(self.against.tokens)

    @cached_property
    def topics(self) -> Topics:
        """Its clusters."""
        count = min(self.settings.topics, max(2, len(self.against) // ROWS_PER_TOPIC))
        return Topics(self.points, count, self.settings.seed)

    @cached_property
    def ngrams(self) -> HumanNgrams:
        """Its word pairs."""
        return HumanNgrams(self.against.tokens, 2)

    @cached_property
    def words(self) -> HumanNgrams:
        """Its words."""
        return HumanNgrams(self.against.tokens, 1)

    @cached_property
    def labels(self) -> HumanLabels:
        """Its labels."""
        return HumanLabels(self.against.labels)

    @cached_property
    def word_rows(self) -> Counter[str]:
        """In how many rows of the part to compare with a word occurs."""
        return Counter(word for row in self.against.tokens for word in set(row))
