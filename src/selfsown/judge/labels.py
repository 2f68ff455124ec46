"""Files of human labels, by which a judge is calibrated: pairs with the better one, or scores.

A pair is a row with `prompt`, `a`, `b` and `label`: `a`, `b` or `tie`. A score is a row with
`prompt`, `answer` and `label`, a number, more being better; or `rank` instead of it, 0 for the best
answer to its prompt. Optional: `id`, `group` (rows that are resampled together; the prompt where
absent), `category`, `reference`, `a_model` and `b_model`.

What a judge said may stand in the same row: for pairs `verdict` (asked with `a` shown first) and
`verdict_swapped` (with `b` first), each `a`, `b`, `tie`, null where it could not be read, or the
preference for `a` from 0 to 1; for scores `judged`, a number or null. `canary_of` names the row
that this one repeats with words to the judge put into the worse answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from selfsown.core.errors import InputError
from selfsown.core.inputs import read_rows
from selfsown.core.request import JSON
from selfsown.judge.base import Item

Kind = Literal["pairs", "scores"]
PREFERENCES: Final[Mapping[str, float]] = {"a": 1.0, "b": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One row: what is judged, what a person said, and what the judge said if it was asked."""

    id: str
    item: Item
    """For pairs the answer is `a` and the rival `b`."""
    human: float
    """For pairs the preference for `a`: 1.0, 0.0 or 0.5; for scores the number."""
    group: str
    category: str = ""
    models: tuple[str, str] = ("", "")
    """Who wrote `a` and `b`."""
    canary_of: str = ""
    asked: bool = False
    """Whether the judge was asked; then `said` is what could be read."""
    said: tuple[float | None, ...] = ()
    """For pairs the preference for `a` with `a` shown first, then with `b` shown first; for scores
    the number."""

    @property
    def kind(self) -> Kind:
        """Whether it is a pair or a score."""
        return "scores" if self.item.rival is None else "pairs"

    @property
    def missing(self) -> bool:
        """Whether the judge was asked and could not tell."""
        return self.asked and any(one is None for one in self.said)


def read_labels(path: Path) -> list[Label]:
    """The labels of a file, all of one kind.

    Raises:
        InputError: unreadable, a row is incomplete (with its number), or pairs and scores are
            mixed.
    """
    labels = [_label(row, number, path) for number, row in enumerate(read_rows(path), 1)]
    kinds = {label.kind for label in labels}
    if len(kinds) > 1:
        raise InputError(
            f"`{path}` holds pairs and scores",
            why="agreement on pairs and on scores are different numbers",
            fix="put rows with `a` and `b` into one file and rows with `answer` into another",
        )
    ids = Counter(label.id for label in labels)
    twice = [name for name, count in ids.items() if count > 1]
    if twice:
        raise InputError(
            f"`{path}`: {len(twice)} ids stand for several rows, the first is `{twice[0]}`",
            why="what a judge says of a row is found by its id",
            fix="give every row an `id` of its own, or none at all",
        )
    for label in labels:
        if label.canary_of and label.canary_of not in ids:
            raise InputError(
                f"`{path}`: row `{label.id}` says `canary_of: {label.canary_of}`, which is no row",
                why="what injected words change shows beside the same row without them",
                fix="keep the row that it was made from in the same file",
            )
    return labels


def judged_labels(path: Path) -> list[Label]:
    """The labels of a file in which every row says what the judge said.

    Raises:
        InputError: as `read_labels`, or a row has no verdict.
    """
    labels = read_labels(path)
    unasked = [label.id for label in labels if not label.asked]
    if unasked:
        raise InputError(
            f"`{path}`: row `{unasked[0]}` does not say what the judge said"
            + (f", nor do {len(unasked) - 1} more" if len(unasked) > 1 else ""),
            why="agreement is between labels of people and of a judge",
            fix="add `verdict` and `verdict_swapped` (pairs) or `judged` (scores), null where it"
            " could not be read",
        )
    return labels


def _label(row: Mapping[str, JSON], number: int, path: Path) -> Label:
    place = f"`{path}` row {number}"
    is_pair = "a" in row or "b" in row
    prompt = _text(row, "prompt", place)
    reference = row.get("reference")
    if is_pair:
        answer, rival = _text(row, "a", place), _text(row, "b", place)
        human = _preference(row.get("label"), "label", place)
        verdicts = [name for name in ("verdict", "verdict_swapped") if name in row]
        said = tuple(_preference(row[name], name, place, missing=True) for name in verdicts)
    else:
        answer, rival = _text(row, "answer", place), None
        human = _worth(row, place)
        said = (_number(row["judged"], "judged", place, missing=True),) if "judged" in row else ()
    assert human is not None
    if is_pair and len(said) == 1:
        raise _wrong(place, "only one of `verdict` and `verdict_swapped`", "both orders are judged")
    return Label(
        id=str(row.get("id", number)),
        item=Item(
            prompt=prompt,
            answer=answer,
            rival=rival,
            reference=reference if isinstance(reference, str) else None,
            metadata={name: value for name, value in row.items() if name not in _OURS},
        ),
        human=human,
        group=str(row.get("group", prompt)),
        category=str(row.get("category", "")),
        models=(str(row.get("a_model", "")), str(row.get("b_model", ""))),
        canary_of=str(row.get("canary_of", "")),
        asked=bool(said),
        said=said,
    )


_OURS: Final[Sequence[str]] = (
    *("id", "prompt", "a", "b", "answer", "reference", "label", "rank", "group", "category"),
    *("a_model", "b_model", "canary_of", "verdict", "verdict_swapped", "judged"),
)


def label_row(label: Label) -> dict[str, JSON]:
    """A label as a row of a file; what the judge said is left out."""
    item, row = label.item, {**label.item.metadata, "id": label.id, "prompt": label.item.prompt}
    if item.rival is None:
        row |= {"answer": item.answer, "label": label.human}
    else:
        words = {human: word for word, human in PREFERENCES.items()}
        row |= {"a": item.answer, "b": item.rival, "label": words[label.human]}
    named = {
        "reference": item.reference,
        "group": label.group if label.group != item.prompt else None,
        "category": label.category,
        "a_model": label.models[0],
        "b_model": label.models[1],
        "canary_of": label.canary_of,
    }
    return row | {name: value for name, value in named.items() if value}


def _worth(row: Mapping[str, JSON], place: str) -> float | None:
    """What people said of a single answer; a rank counts down."""
    if "rank" not in row or row.get("label") not in (None, ""):
        return _number(row.get("label"), "label", place)
    rank = _number(row["rank"], "rank", place)
    return None if rank is None else -rank


def _text(row: Mapping[str, JSON], name: str, place: str) -> str:
    value = row.get(name)
    if isinstance(value, str):
        return value
    raise _wrong(
        place,
        f"no text in `{name}`",
        "pairs have `prompt`, `a`, `b`, `label`; scores `prompt`, `answer`, `label`",
    )


def _preference(value: JSON, name: str, place: str, *, missing: bool = False) -> float | None:
    if isinstance(value, str) and value.strip().lower() in PREFERENCES:
        return PREFERENCES[value.strip().lower()]
    if missing and value in (None, ""):
        return None
    found = _finite(value)
    if missing and found is not None and 0 <= found <= 1:
        return found
    raise _wrong(place, f"`{name}` is {value!r}", "it is `a`, `b` or `tie`")


def _number(value: JSON, name: str, place: str, *, missing: bool = False) -> float | None:
    if missing and value in (None, ""):
        return None
    found = _finite(value)
    if found is not None:
        return found
    raise _wrong(place, f"`{name}` is {value!r}", "it is a number")


def _finite(value: JSON) -> float | None:
    """A number, also one that a CSV file has as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _wrong(place: str, what: str, why: str) -> InputError:
    return InputError(f"{place}: {what}", why=why, fix="correct or remove that row")
