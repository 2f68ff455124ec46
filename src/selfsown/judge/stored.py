"""Items and judgements as JSON: the rows that a judging run reads, and what it keeps of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from selfsown.core.request import JSON
from selfsown.judge.base import Item, Judgement, Scale, Source


@dataclass(frozen=True, slots=True)
class Sent:
    """What a judge asked a model about one item, as the run's journal and provenance have it."""

    request: Mapping[str, JSON]
    provenance: Mapping[str, JSON]
    """The line of the judgement's record."""


def item_row(identity: str, item: Item) -> dict[str, JSON]:
    """An item as an input row; its metadata stay apart, so that no name can clash."""
    row: dict[str, JSON] = {"id": identity, "prompt": item.prompt, "answer": item.answer}
    if item.reference is not None:
        row["reference"] = item.reference
    if item.rival is not None:
        row["rival"] = item.rival
    if item.metadata:
        row["metadata"] = dict(item.metadata)
    return row


def item_of(row: Mapping[str, JSON]) -> Item:
    """The item of a row as `item_row` writes it."""
    metadata = row.get("metadata")
    reference, rival = row.get("reference"), row.get("rival")
    return Item(
        prompt=str(row["prompt"]),
        answer=str(row["answer"]),
        reference=None if reference is None else str(reference),
        rival=None if rival is None else str(rival),
        metadata=metadata if isinstance(metadata, Mapping) else {},
    )


def judgement_form(judgement: Judgement) -> dict[str, JSON]:
    """A judgement as JSON, what is empty left out."""
    form: dict[str, JSON] = {
        "value": judgement.value,
        "source": judgement.source,
        "scale": [judgement.scale.low, judgement.scale.high],
    }
    if judgement.raw:
        form["raw"] = judgement.raw
    if judgement.reason:
        form["reason"] = judgement.reason
    if judgement.parts:
        form["parts"] = [judgement_form(part) for part in judgement.parts]
    return form


def judgement_of(form: Mapping[str, JSON]) -> Judgement:
    """The judgement of a form as `judgement_form` writes it."""
    value, scale, parts = form["value"], form["scale"], form.get("parts", [])
    assert isinstance(scale, list)
    assert isinstance(parts, list)
    low, high = scale
    return Judgement(
        value=None if value is None else float(cast("float", value)),
        source=cast("Source", form["source"]),
        scale=Scale(float(cast("float", low)), float(cast("float", high))),
        raw=str(form.get("raw", "")),
        reason=str(form.get("reason", "")),
        parts=tuple(judgement_of(cast("Mapping[str, JSON]", part)) for part in parts),
    )
