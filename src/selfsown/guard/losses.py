"""What was lost: topics, word pairs and labels of human text that a sample hardly has.

Something counts as lost if human text would give at least three of it in a sample of this size (one
for a label) and there is at most a quarter of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.guard import topics as topic_functions
from selfsown.guard.ngrams import ngrams_of
from selfsown.guard.reference import Reference, Rows
from selfsown.guard.sample import TextRow

LossKind = Literal["topic", "ngram", "label"]

LISTED: Final = 40
"""Losses of each kind that a record keeps, the largest first."""
EXPECTED: Final[Mapping[LossKind, float]] = {"topic": 3.0, "ngram": 3.0, "label": 1.0}
REMAINING: Final = 0.25


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that human text has and the sample hardly has."""

    kind: LossKind
    name: str
    """The topic's marking words, the word pair, or the label."""
    expected: float
    """How many an equally large human sample would have."""
    count: int
    """How many the sample has."""
    example: str
    """A human text that has it."""


@dataclass(frozen=True, slots=True)
class TopicRejection:
    """What the filters did to one topic."""

    name: str
    candidates: int
    rejection_rate: float


def losses_of(rows: Rows, reference: Reference) -> tuple[Loss, ...]:
    """Topics, word pairs and labels that the rows have lost, each kind by size of the loss.

    Empty where the reference is too small.
    """
    found: list[Loss] = []
    if reference.is_small:
        return ()
    for finder in (_topics, _ngrams, _labels):
        lost = [loss for loss in finder(rows, reference) if _is_lost(loss)]
        lost.sort(key=lambda loss: (loss.count - loss.expected, loss.name))
        found += lost[:LISTED]
    return tuple(found)


def rejections_by_topic(
    kept: Sequence[TextRow], rejected: Sequence[TextRow], reference: Reference
) -> tuple[TopicRejection, ...]:
    """Rejection rate of each topic that has candidates, highest first: where filters cut deepest.

    Empty where the reference is too small for topics.
    """
    if reference.is_small or not (kept or rejected):
        return ()
    counts = [
        _count(reference, Rows(side)) if side else [0] * len(reference.topics.shares)
        for side in (kept, rejected)
    ]
    rates = [
        TopicRejection(_name(reference, topic), good + bad, bad / (good + bad))
        for topic, (good, bad) in enumerate(zip(*counts, strict=True))
        if good + bad
    ]
    return tuple(sorted(rates, key=lambda rate: (-rate.rejection_rate, rate.name)))


def _is_lost(loss: Loss) -> bool:
    return loss.expected >= EXPECTED[loss.kind] and loss.count <= REMAINING * loss.expected


def _topics(rows: Rows, reference: Reference) -> Iterator[Loss]:
    counts = _count(reference, rows)
    for topic, share in enumerate(reference.topics.shares):
        expected = float(share) * len(rows)
        if expected >= EXPECTED["topic"]:
            inside = _members(reference, topic)
            example = reference.against.rows[inside[0]].text
            yield Loss("topic", _name(reference, topic), expected, counts[topic], example)


def _ngrams(rows: Rows, reference: Reference) -> Iterator[Loss]:
    human = reference.ngrams
    have: dict[tuple[str, ...], int] = {}
    total = 0
    for tokens in rows.tokens:
        for gram in ngrams_of(tokens, human.n):
            have[gram] = have.get(gram, 0) + 1
            total += 1
    for gram, count in human.counts.items():
        expected = total * count / human.total
        if expected >= EXPECTED["ngram"]:
            name = " ".join(gram)
            yield Loss("ngram", name, expected, have.get(gram, 0), _example(reference, gram))


def _labels(rows: Rows, reference: Reference) -> Iterator[Loss]:
    human = reference.labels
    labels = rows.labels
    if len(human.counts) < 2 or 2 * sum(map(bool, labels)) < len(rows):
        return
    for label, count in human.counts.items():
        expected = len(rows) * count / human.total
        example = next(row.text for row in reference.against.rows if row.label == label)
        yield Loss("label", label, expected, labels.count(label), example)


def _example(reference: Reference, gram: tuple[str, ...]) -> str:
    return next(
        row.text
        for row, tokens in zip(reference.against.rows, reference.against.tokens, strict=True)
        if gram in ngrams_of(tokens, len(gram))
    )


def _count(reference: Reference, rows: Rows) -> list[int]:
    import numpy as np

    members = reference.topics.of(reference.lsa.place(rows.tokens))
    counts: list[int] = np.bincount(members, minlength=len(reference.topics.shares)).tolist()
    return counts


def _members(reference: Reference, topic: int) -> list[int]:
    return [number for number, own in enumerate(reference.topics.human) if own == topic]


def _name(reference: Reference, topic: int) -> str:
    inside = [reference.against.tokens[number] for number in _members(reference, topic)]
    if not inside:
        return f"topic {topic}"
    return topic_functions.topic_name(inside, reference.word_rows, len(reference.against))
