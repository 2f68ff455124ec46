"""What an accepted record is to a trainer: one request of a user and the answer to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selfsown.core.errors import InputError
from selfsown.core.request import JSON


@dataclass(frozen=True, slots=True)
class Example:
    """One training example, before any format."""

    instruction: str
    """What is asked; never blank."""
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
    """Which fields of a record hold what; an empty `input` or `system` stands for none."""

    instruction: str = "instruction"
    input: str = "input"
    output: str = "output"
    system: str = ""


def fields_for(
    row: Mapping[str, JSON],
    *,
    prompt: str | None,
    completion: str | None,
    system: str | None,
) -> Fields:
    """Where the examples are in rows like this one.

    Named fields win. Otherwise a row with `instruction` and `output` is read as such, and one with
    `prompt` and `completion` as a row of `complete`.

    Args:
        row: the first accepted record.
        prompt: field with the whole user turn, or None to look for it.
        completion: field with the answer, or None to look for it.
        system: field with the system text, or None for no system text.

    Raises:
        InputError: the row has no such field, or none can be guessed.
    """
    answer = completion or next((name for name in ("output", "completion") if name in row), None)
    if prompt is not None or "instruction" not in row:
        asked, extra = prompt or "prompt", ""
    else:
        asked, extra = "instruction", "input" if "input" in row else ""
    if answer is None:
        raise _unknown_fields(row, "the answer", "--completion-field")
    for name, meaning, option in (
        (asked, "the prompt", "--prompt-field"),
        (answer, "the answer", "--completion-field"),
        (system or asked, "the system text", "--system-field"),
    ):
        if name not in row:
            raise _unknown_fields(row, meaning, option, name)
    return Fields(asked, extra, answer, system or "")


def read_example(row: Mapping[str, JSON], fields: Fields, place: str) -> Example:
    """The example in a record.

    Args:
        row: an accepted record.
        fields: where to look.
        place: file and line, for the error.

    Raises:
        InputError: a field is missing or not text, or request or answer are blank.
    """
    instruction = _text(row, fields.instruction, place)
    output = _text(row, fields.output, place)
    for name, value in ((fields.instruction, instruction), (fields.output, output)):
        if not value.strip():
            raise InputError(
                f"{place}: field `{name}` is blank",
                why="a trainer needs a request and an answer in every line",
                fix="name other fields with --prompt-field and --completion-field",
            )
    return Example(
        instruction,
        _text(row, fields.input, place) if fields.input else "",
        output,
        _text(row, fields.system, place) if fields.system else "",
    )


def _text(row: Mapping[str, JSON], name: str, place: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        found = "missing" if value is None else f"{type(value).__name__}, not text"
        raise InputError(
            f"{place}: field `{name}` is {found}",
            why="exports are made of text fields that every record has",
            fix="name the fields with --prompt-field and --completion-field",
        )
    return value


def _unknown_fields(
    row: Mapping[str, JSON], meaning: str, option: str, name: str = ""
) -> InputError:
    there = ", ".join(f"`{key}`" for key in row)
    what = f"the records have no field `{name}`" if name else f"no field holds {meaning}"
    return InputError(
        f"{what}; they have {there}",
        why=f"an export needs to know which field holds {meaning}",
        fix=f"name it with {option} NAME",
    )
