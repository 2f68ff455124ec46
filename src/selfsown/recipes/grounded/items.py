"""What a generator writes about a passage: questions or tasks, each with the words it rests on.

Answers come as JSON that meets a schema, as JSON in a text, or as labelled lines. Whatever is in
none of the items is named (`Loss`), so nothing that was written disappears.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.request import JSON, Completion
from selfsown.models.structured import read_loosely

Kind = Literal["question", "task"]

NOTHING: Final = "nothing_to_ask"
"""Reason of an answer that says that there is nothing to ask."""

_FIELDS: Final[Mapping[Kind, Mapping[str, str]]] = {
    "question": {"quote": "evidence", "question": "instruction", "answer": "output"},
    "task": {
        "quote": "evidence",
        "instruction": "instruction",
        "input": "input",
        "response": "output",
    },
}
"""Kind → name in the prompt → field of the record."""
_OTHER_KIND: Final[Mapping[Kind, Mapping[str, str]]] = {
    "question": {"instruction": "question", "response": "answer"},
    "task": {"question": "instruction", "answer": "response"},
}
"""What an answer may call its fields that has no field of the name that was asked for."""
_OTHER_NAMES: Final = {
    "q": "question",
    "a": "answer",
    "evidence": "quote",
    "quotation": "quote",
    "task": "instruction",
    "output": "response",
}
_LABEL: Final = re.compile(
    r"^[ \t]*(?:[-*#>]+[ \t]*)?(?:\d{1,3}[.)][ \t]*)?[*_]{0,2}"
    r"(quote|quotation|evidence|question|q|answer|a|instruction|task|input|response|output)"
    r"(?:[ \t]*#?\d{1,3})?[*_]{0,2}[ \t]*:[*_]{0,2}[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_NONE: Final = re.compile(r"\W*(?:none|nothing(?: to ask)?|n/?a)\W*", re.IGNORECASE)
_HEADING: Final = re.compile(r"(?:item|pair|question|task|example)?\s*#?\d{0,3}\s*[.):]?", re.I)


@dataclass(frozen=True, slots=True)
class Item:
    """One question or task, stripped; `instruction` and `output` are not empty."""

    instruction: str
    input: str
    output: str
    evidence: str
    """As quoted by the model."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of an answer that is no item."""

    reason: str
    text: str


def schema(kind: Kind) -> Mapping[str, JSON]:
    """The JSON schema of an answer; that it has too many items costs those alone."""
    names = list(_FIELDS[kind])
    properties: dict[str, JSON] = {name: {"type": "string"} for name in names}
    item: dict[str, JSON] = {
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": item}},
        "required": ["items"],
        "additionalProperties": False,
    }


def items_in(completion: Completion, kind: Kind, *, opening: str = "") -> tuple[Item | Loss, ...]:
    """The items of an answer in order, with what was lost in between.

    Args:
        completion: the answer; where its schema was met, that form is read.
        kind: what was asked for.
        opening: the label with which the prompt ended (completion layout), for example `Quote:`.
    """
    cut_off = completion.finish_reason == "length"
    if completion.parsed is not None:
        return _of_json(completion.parsed, kind, cut_off=cut_off)
    text = completion.text.strip()
    if not opening and _NONE.fullmatch(text):
        return (Loss(NOTHING, text),)
    found = _json_of(text) if not opening else None
    if found is not None:
        return _of_json(found, kind, cut_off=cut_off)
    return _of_lines(f"{opening} {text}" if opening else text, kind, cut_off=cut_off)


def _json_of(text: str) -> JSON:
    """The JSON object or array that a text is, perhaps in a fence; None if it is none."""
    bare = text
    if text.startswith("```"):
        bare = text[3:].removeprefix("json").removesuffix("```").strip()
    return read_loosely(bare) if bare.startswith(("{", "[")) else None


def _of_json(value: JSON, kind: Kind, *, cut_off: bool) -> tuple[Item | Loss, ...]:
    if isinstance(value, Mapping) and isinstance(value.get("items"), Sequence):
        value = value["items"]
    elif isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (Loss("unread", str(value)),)
    pieces = [
        _item(dict(zip(_names([*map(_name, row)], kind), row.values(), strict=True)), kind)
        if isinstance(row, Mapping)
        else Loss("unread", str(row))
        for row in value
    ]
    if not pieces:
        return (Loss(NOTHING, ""),)
    return _without_cut_off(pieces, cut_off=cut_off)


def _of_lines(text: str, kind: Kind, *, cut_off: bool) -> tuple[Item | Loss, ...]:
    """Labelled fields; a field that the item already has begins the next one."""
    found = list(_LABEL.finditer(text))
    names = _names([_name(label[1]) for label in found], kind)
    labels = [
        (label, name) for label, name in zip(found, names, strict=True) if name in _FIELDS[kind]
    ]
    if not labels:
        return (Loss("unread", text),) if text else ()
    pieces: list[Item | Loss] = []
    before = text[: labels[0][0].start()].strip()
    if before and not _HEADING.fullmatch(before):
        pieces.append(Loss("stray_text", before))
    current: dict[str, JSON] = {}
    ends = [*(label.start() for label, _ in labels[1:]), len(text)]
    for (label, name), end in zip(labels, ends, strict=True):
        if name in current:
            pieces.append(_item(current, kind))
            current = {}
        current[name] = text[label.end() : end]
    pieces.append(_item(current, kind))
    return _without_cut_off(pieces, cut_off=cut_off)


def _names(names: Sequence[str], kind: Kind) -> list[str]:
    """The names as this kind has them, where those of the other kind stand in their place."""
    other = _OTHER_KIND[kind]
    if set(other.values()) & set(names):
        return list(names)
    return [other.get(name, name) for name in names]


def _name(label: JSON) -> str:
    lower = str(label).lower()
    return _OTHER_NAMES.get(lower, lower)


def _item(fields: Mapping[str, JSON], kind: Kind) -> Item | Loss:
    found = {ours: _text(fields.get(name)) for name, ours in _FIELDS[kind].items()}
    whole = "\n".join(f"{name}: {_text(value)}" for name, value in fields.items())
    if not found["instruction"]:
        return Loss("no_question", whole)
    if not found["output"]:
        return Loss("no_answer", whole)
    if not found["evidence"]:
        return Loss("no_evidence", whole)
    given = found.get("input", "")
    if _NONE.fullmatch(given):
        given = ""
    return Item(found["instruction"], given, found["output"], found["evidence"])


def _text(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(_text(one) for one in value)
    return str(value).strip()


def _without_cut_off(pieces: Sequence[Item | Loss], *, cut_off: bool) -> tuple[Item | Loss, ...]:
    """The pieces; of an answer that was cut off the last one is not whole."""
    if not cut_off or not pieces:
        return tuple(pieces)
    last = pieces[-1]
    text = last.text if isinstance(last, Loss) else f"{last.instruction}\n{last.output}"
    return (*pieces[:-1], Loss("cut_off", text))
