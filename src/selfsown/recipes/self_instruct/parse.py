"""What a model's answers say: anchored, tolerant readings of lists, yes or no, and instances.

Every piece of an answer ends as an item or as a `Loss` with a reason; no text makes a reader raise.
The released code's readings are in `published.py`.

Differs from the paper (numbers: the original's defects, see `presets.py`): a cut-off answer loses
its last item only (3); text is not rewritten (4); marks count only at line starts and in several
spellings (6, 15); the first word of a yes-no answer decides (12); several turns of input and output
are several instances (16); text without an output is rejected instead of becoming one (15).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from selfsown.core.request import JSON
from selfsown.curate.instances import Instance

T = TypeVar("T")

# Possessive quantifiers (`*+`) keep every pattern linear, also on a megabyte of spaces.
_MARK: Final = re.compile(
    r"[ \t]{0,3}[*_#>]{0,4}[ \t]?(?:Task[ \t]{0,2})?#?\(?"
    r"(?P<number>\d{1,3})[ \t]?[*_]{0,2}[.):][*_]{0,2}(?=\s|$)",
    re.IGNORECASE,
)
_BULLET: Final = re.compile(r"[ \t]{0,3}[-*\u2022\u2013][ \t]+")
_EXAMPLE: Final = re.compile(
    r"[ \t]*+[*_#>\-]{0,4}[ \t]*+Example[ \t]?\d++[ \t]*+"
    r"(?:[*_]{0,2}[.:)][*_]{0,2}|[*_]{0,2}[ \t]*+$)",
    re.IGNORECASE,
)
_FIELD: Final = re.compile(
    r"[ \t]*+[*_#>\-]{0,4}[ \t]*+(?P<name>Input|Output|Class label|Task)"
    r"[ \t]?\d{0,2}[*_]{0,2}[ \t]?:[*_]{0,2}",
    re.IGNORECASE,
)
_FIRST_WORD: Final = re.compile(r"[^\W\d_]+")
_YES_NO: Final[Mapping[str, bool]] = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Loss:
    """A piece of an answer that is no item."""

    text: str
    reason: str
    """Stable lower-case word that reports count by."""


def read_list(text: str, *, cut_off: bool, open_item: bool) -> tuple[str | Loss, ...]:
    """Instructions of a list, one-line each, and the pieces that are none.

    Args:
        text: the answer.
        cut_off: it ended at the length limit, so its last piece is incomplete.
        open_item: the prompt ended with an item's mark, so the text starts inside that item.
            Without it, text before the first mark is a preamble.
    """
    lines = text.split("\n")
    bulleted = not open_item and not any(_MARK.match(line) for line in lines)
    mark = _BULLET if bulleted else _MARK
    pieces = [(kind, _squeezed(part)) for kind, part in _list_pieces(lines, mark, open_item)]
    pieces = [(kind, piece) for kind, piece in pieces if piece or kind == "item"]
    if len(pieces) > 1 and not pieces[0][1]:
        del pieces[0]  # the model repeated the open mark
    found: list[str | Loss] = []
    for kind, piece in pieces:
        if kind != "item":
            found.append(Loss(piece, kind))
        else:
            found.append(piece if piece else Loss("", "empty_item"))
    return without_cut_off(found) if cut_off else tuple(found)


def read_list_json(value: JSON, *, cut_off: bool) -> tuple[str | Loss, ...]:
    """The same for a parsed answer `{"tasks": [...]}`; anything else is one loss."""
    items = _member(value, "tasks")
    if items is None:
        return (Loss(_shown(value), "not_a_list"),)
    found: list[str | Loss] = []
    for item in items:
        text = " ".join(item.split()) if isinstance(item, str) else ""
        found.append(text or Loss(_shown(item), "empty_item"))
    return without_cut_off(found) if cut_off else tuple(found)


def read_yes_no(text: str) -> bool | None:
    """Whether the first word says yes (or true) or no (or false); None if it says neither."""
    word = _FIRST_WORD.search(text)
    return _YES_NO.get(word.group().casefold()) if word else None


def read_yes_no_json(value: JSON) -> bool | None:
    """The same for a parsed answer `{"is_classification": true}`."""
    answer = value.get("is_classification") if isinstance(value, Mapping) else None
    return answer if isinstance(answer, bool) else None


def read_instances(text: str, *, cut_off: bool) -> tuple[Instance | Loss, ...]:
    """Input-first instances: `Example k` pieces of `Input:` and `Output:` fields at line starts.

    Fields may span lines; other field names stay in the input. A new `Input:` after an output
    begins another instance. Text from a line `Task:` on belongs to another task and is lost.
    """
    own, rest = _own_part(text)
    found: list[Instance | Loss] = []
    for piece in _split_at(_EXAMPLE, own):
        found += _turns(piece)
    return _finished(found, rest, cut_off)


def read_labelled(text: str, *, cut_off: bool) -> tuple[Instance | Loss, ...]:
    """Output-first instances: a `Class label:` line, then its input up to the next label."""
    own, rest = _own_part(text)
    found: list[Instance | Loss] = []
    before = True
    for name, body in _fields(own, ("class label",)):
        if name == "class label":
            before = False
            found.append(_labelled(body))
        elif before and body.strip():
            found.append(Loss(body.strip(), "no_label"))
    return _finished(found, rest, cut_off)


def read_pairs_json(
    value: JSON, *, label_first: bool, cut_off: bool
) -> tuple[Instance | Loss, ...]:
    """Instances of a parsed answer.

    Its form is `{"instances": [{"input", "output"}]}`, or `{"examples": [{"label", "input"}]}` with
    `label_first`.
    """
    items = _member(value, "examples" if label_first else "instances")
    if items is None:
        return (Loss(_shown(value), "not_a_list"),)
    output_name = "label" if label_first else "output"
    found: list[Instance | Loss] = []
    for item in items:
        pair = item if isinstance(item, Mapping) else {}
        given, output = pair.get("input", ""), pair.get(output_name)
        if isinstance(given, str) and isinstance(output, str):
            found.append(Instance(given.strip(), output.strip()))
        else:
            found.append(Loss(_shown(item), "no_output"))
    return without_cut_off(found) if cut_off else tuple(found)


def read_output(text: str) -> str | None:
    """The output in an answer that begins after `Output:`, or repeats it; None if it is empty.

    Read as instances are, so that what stands for one output in an instance does so here.
    """
    field = _FIELD.match(text)
    is_named = field is not None and field["name"].casefold() == "output"
    pieces = read_instances(text if is_named else f"Output: {text}", cut_off=False)
    return next((piece.output for piece in pieces if isinstance(piece, Instance)), "") or None


def read_output_json(value: JSON) -> str | None:
    """The same for a parsed answer `{"output": "..."}`."""
    output = value.get("output") if isinstance(value, Mapping) else None
    return output.strip() or None if isinstance(output, str) else None


def without_cut_off(found: Sequence[T | Loss]) -> tuple[T | Loss, ...]:
    """The pieces with the last one, which a length limit cut, turned into a loss."""
    if not found:
        return ()
    last = found[-1]
    text = last.text if isinstance(last, Loss) else _piece_text(last)
    return (*found[:-1], Loss(text, "cut_off"))


def _list_pieces(
    lines: Sequence[str], mark: re.Pattern[str], open_item: bool
) -> Iterator[tuple[str, list[str]]]:
    """(kind, lines) of each piece; a numbered list after a colon stays in its item."""
    kind, part = ("item", list[str]()) if open_item else ("preamble", list[str]())
    nested = 0
    for line in lines:
        found = mark.match(line)
        if found is None:
            if line.strip():
                part.append(line)
            elif kind == "item" and part:
                yield kind, part
                kind, part = "stray_text", []
            continue
        number = int(found.groupdict().get("number", -1))
        announced = number == 1 and bool(part) and part[-1].rstrip().endswith(":")
        if kind == "item" and (announced or number == nested):
            nested = number + 1
            part.append(line)
            continue
        yield kind, part
        rest = line[found.end() :]
        kind, part, nested = "item", [rest] if rest.strip() else [], 0
    yield kind, part


def _squeezed(part: Sequence[str]) -> str:
    return " ".join(" ".join(part).split())


def _own_part(text: str) -> tuple[str, str]:
    """The text before the first line that begins another task, and the rest."""
    position = 0
    for line in text.split("\n"):
        field = _FIELD.match(line)
        if field and field["name"].casefold() == "task":
            return text[:position], text[position:]
        position += len(line) + 1
    return text, ""


def _split_at(mark: re.Pattern[str], text: str) -> Iterator[str]:
    """The pieces between lines that begin with `mark`, blank ones left out."""
    part: list[str] = []
    for line in text.split("\n"):
        found = mark.match(line)
        if found:
            yield from _non_blank(part)
            part = [line[found.end() :]]
        else:
            part.append(line)
    yield from _non_blank(part)


def _non_blank(part: Sequence[str]) -> Iterator[str]:
    text = "\n".join(part).strip()
    if text:
        yield text


def _fields(text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, body) of fields that begin at line starts; the text before them has the name ""."""
    name, part = "", list[str]()
    for line in text.split("\n"):
        field = _FIELD.match(line)
        if field and field["name"].casefold() in names:
            yield name, "\n".join(part)
            name, part = field["name"].casefold(), [line[field.end() :]]
        else:
            part.append(line)
    yield name, "\n".join(part)


def _turns(piece: str) -> Iterator[Instance | Loss]:
    """The input-output turns of one example."""
    given: list[str] = []
    answered = False
    for name, body in _fields(piece, ("input", "output")):
        body = body.strip()
        if name == "output" and answered and not given:
            yield Loss(body, "second_output")
        elif name == "output":
            yield Instance("\n".join(given), body)
            given, answered = [], True
        elif body:
            given.append(body)
    if given:
        yield Loss("\n".join(given), "no_output")


def _labelled(body: str) -> Instance | Loss:
    """One label with its input; the label may stand on the line after its name."""
    label, _, rest = body.strip().partition("\n")
    if _is_input(label):
        label, rest = "", body
    rest = rest.strip()
    field = _FIELD.match(rest)
    if field and _is_input(rest):
        rest = rest[field.end() :].strip()
    return Instance(rest, label.strip()) if label.strip() else Loss(rest, "empty_label")


def _is_input(line: str) -> bool:
    field = _FIELD.match(line)
    return field is not None and field["name"].casefold() == "input"


def _finished(
    found: list[Instance | Loss], rest: str, cut_off: bool
) -> tuple[Instance | Loss, ...]:
    """Add what ran on into another task; else the length limit cut the last piece."""
    if rest.strip():
        return (*found, Loss(rest.strip(), "ran_on"))
    return without_cut_off(found) if cut_off else tuple(found)


def _piece_text(piece: object) -> str:
    if isinstance(piece, Instance):
        return f"{piece.input}\n{piece.output}".strip()
    return str(piece)


def _member(value: JSON, name: str) -> Sequence[JSON] | None:
    items = value.get(name) if isinstance(value, Mapping) else None
    return items if isinstance(items, Sequence) and not isinstance(items, str) else None


def _shown(value: JSON) -> str:
    return value if isinstance(value, str) else str(value)
