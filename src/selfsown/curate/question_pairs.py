"""Question and answer pairs out of a model's text, each pair or the reason why it is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Lost = Literal[
    "unpaired_question",
    "unpaired_answer",
    "empty_question",
    "empty_answer",
    "ungrounded",
    "duplicate",
    "stray_text",
]

LEAST_GROUNDED: Final = 0.5
"""Least share of an answer's content words that stand in the source."""

_LABEL = re.compile(
    r"(?:^|\n)[ \t]*[*#>\-\d.) ]{0,8}(?P<kind>question|answer|q|a)"
    r"[ \t]*\d{0,3}[ \t]*[:.)]\**[ \t]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer, both stripped and not empty."""

    question: str
    """With its options, if it has some."""
    answer: str
    """As written."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A part of the text that is in no pair."""

    reason: Lost
    """Why."""
    text: str
    """The part, as written, stripped."""


@dataclass(frozen=True, slots=True)
class QA:
    """All of a text, in pairs and in parts that are none."""

    pairs: tuple[Pair, ...]
    """In the order of the text."""
    dropped: tuple[Dropped, ...]
    """In the order of the text."""


def qa_pairs(text: str, source: str | None = None) -> QA:
    """The pairs of a text; with a `source`, those whose answers it does not hold are dropped."""
    pairs: list[Pair] = []
    dropped: list[Dropped] = []
    question: str | None = None
    labels = list(_LABEL.finditer(text))
    ends = [*(label.start() for label in labels[1:]), len(text)][: len(labels)]
    for label, end in zip(labels, ends, strict=True):
        body = text[label.end() : end].strip()
        if label["kind"].lower().startswith("q"):
            if question is not None:
                dropped.append(Dropped("unpaired_question", question))
            question = body
        elif question is None:
            dropped.append(Dropped("unpaired_answer", body))
        else:
            if question and body:
                pairs.append(Pair(question, body))
            else:
                dropped.append(
                    Dropped("empty_answer" if question else "empty_question", question or body)
                )
            question = None
    if question is not None:
        dropped.append(Dropped("unpaired_question", question))
    return QA(tuple(pairs), tuple(dropped))
