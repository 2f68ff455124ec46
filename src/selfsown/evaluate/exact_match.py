"""Exact match as Super-NaturalInstructions scores its classification-like tasks.

Source: arXiv:2204.07705 and its released scorer: lower case, the 32 ASCII punctuation characters
removed, white space squeezed; articles stay, unlike in SQuAD's.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def normalized_answer(text: str) -> str:
    """The text as it is compared. A text of punctuation only becomes empty."""
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1.0 if the answer equals a reference after normalising, else 0.0."""
    given = normalized_answer(answer)
    return float(any(given == normalized_answer(one) for one in references))
