"""What an accepted record is to a trainer: one request of a user and the answer to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.request import JSON


@dataclass(frozen=True, slots=True)
class Example:
    """One training example, before any format."""

    instruction: str
    """What is asked; blank only of a text that is learned as a whole, which is `output`."""
    input: str
    """What the instruction is applied to; empty when it needs nothing else."""
    output: str
    """The answer to learn; never blank."""
    system: str = ""
    """System text; empty for none."""

    @property
    def request(self) -> str:
        """Instruction and input as one user turn, a blank line between them."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields of a record hold what."""

    instruction: str
    """Empty: the request is what the journal says was sent."""
    input: str
    """Empty: there is no such field."""
    output: str
    system: str = ""
    """Empty: there is no such field."""
    is_text: bool = False
    """Records are texts that are learned as a whole: `output` names their only field."""


_EXAMPLE: Final = frozenset({"instruction", "completion", "output"})
"""Fields of requests and answers; a `text` beside them is what was asked about."""


def is_text(row: Mapping[str, JSON]) -> bool:
    """Whether a record is a text to learn as a whole, and no answer to a request."""
    return isinstance(row.get("text"), str) and not row.keys() & _EXAMPLE


def fields_for(
    row: Mapping[str, JSON],
    *,
    prompt: str | None,
    completion: str | None,
    system: str | None,
) -> Fields:
    """Where the examples are in rows like this one: texts, unless fields are named or found.

    In preference pairs `prompt` is what others call the instruction: `input` and `system` go with
    it.

    Args:
        row: the first accepted record.
        prompt: field with the whole user turn; None for `instruction` (and `input`), or, without
            such a field, what was sent to the model.
        completion: field with the answer; None for `output`, else `completion`.
        system: field with the system text, or None for no such field.

    Raises:
        InputError: the row has no such field.
    """
    if prompt is None and completion is None and system is None and is_text(row):
        return Fields("", "", "text", is_text=True)
    answer = completion or ("output" if "output" in row else "completion")
    asked = prompt or ("instruction" if "instruction" in row else "")
    for name, meaning, option in (
        (asked, "the request", "--prompt-field"),
        (answer, "the answer", "--completion-field"),
        (system, "the system text", "--system-field"),
    ):
        if name and name not in row:
            raise InputError(
                f"the records have no field `{name}`; they have "
                + ", ".join(f"`{key}`" for key in row),
                why=f"an export needs to know which field holds {meaning}",
                fix=f"name it with {option} NAME",
            )
    is_pair = asked == "prompt" and "chosen" in row and "rejected" in row
    is_split = is_pair or (asked == "instruction" and prompt is None)
    extra = "input" if is_split and "input" in row else ""
    return Fields(asked, extra, answer, system or ("system" if is_pair and "system" in row else ""))


def read_example(row: Mapping[str, JSON], fields: Fields, place: str) -> Example:
    """The example in a record.

    Args:
        row: an accepted record.
        fields: where to look.
        place: file and line, for the error.

    Raises:
        InputError: a field is missing or not text, or request or answer are blank.
    """
    return Example(
        text_field(row, fields.instruction, place),
        text_field(row, fields.input, place, blank=True) if fields.input else "",
        text_field(row, fields.output, place),
        text_field(row, fields.system, place, blank=True) if fields.system else "",
    )


def text_field(row: Mapping[str, JSON], name: str, place: str, *, blank: bool = False) -> str:
    """The text in a field.

    Raises:
        InputError: it is missing or not text, or blank where `blank` is off.
    """
    value = row.get(name)
    if isinstance(value, str) and (blank or value.strip()):
        return value
    if isinstance(value, str):
        found = "blank"
    else:
        found = "missing" if value is None else f"{type(value).__name__}, not text"
    raise InputError(
        f"{place}: field `{name}` is {found}",
        why="a trainer needs a request and an answer, both text, in every line",
        fix="name the right fields with --prompt-field, --completion-field and --system-field",
    )
