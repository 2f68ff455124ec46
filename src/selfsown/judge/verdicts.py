"""From labels to the rows that a judge is asked, and from its judgements to what it said.

A judge of pairs gets both answers as one row. Any other judge gets each answer of a pair alone; the
better value is its preference, which no order of showing can change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from selfsown.core.request import JSON
from selfsown.judge.base import Item, Judge, Judgement
from selfsown.judge.labels import Label
from selfsown.judge.stored import item_row


def compares(judge: Judge) -> bool:
    """Whether a judge takes both answers of a pair; such judges say `compares = True`."""
    return bool(getattr(judge, "compares", False))


def label_rows(labels: Sequence[Label], judge: Judge) -> Iterator[dict[str, JSON]]:
    """What to ask a judge about labels, each row with an id of its own."""
    for label in labels:
        for identity, item in _asked(label, judge):
            yield item_row(identity, item)


def with_verdicts(
    labels: Sequence[Label], judge: Judge, judgements: Mapping[str, Judgement]
) -> list[Label]:
    """The labels with what the judge said.

    Args:
        labels: those that were asked.
        judge: the judge.
        judgements: id of a row -> its judgement; one that is not there counts as missing.
    """
    return [
        replace(
            label,
            asked=True,
            said=_said(label, [judgements.get(identity) for identity, _ in _asked(label, judge)]),
        )
        for label in labels
    ]


def _asked(label: Label, judge: Judge) -> list[tuple[str, Item]]:
    if label.item.rival is None or compares(judge):
        return [(label.id, label.item)]
    alone = replace(label.item, rival=None)
    return [
        (f"{label.id}#a", alone),
        (f"{label.id}#b", replace(alone, answer=label.item.rival)),
    ]


def _said(label: Label, found: Sequence[Judgement | None]) -> tuple[float | None, ...]:
    values = [None if one is None else one.value for one in found]
    if label.kind == "scores":
        return tuple(values)
    if len(found) == 1:
        parts = () if found[0] is None else found[0].parts
        return tuple(part.value for part in parts) if len(parts) == 2 else (values[0], values[0])
    first, second = values
    if first is None or second is None:
        return None, None
    preference = 0.5 if abs(first - second) < 1e-9 else float(first > second)
    return preference, preference
