"""From an input row to what is asked and what judges are shown.

A row has `instruction` or `prompt`, perhaps `input` and `system`, and an `id`; without one, its id
is a hash of those texts. `output` is a human answer, which no judge is shown. Everything else is
for judges: `reference`, `references`, `checks`, `sources`, ...

A prompt that was there before, but for white space, is not asked again: equal requests are one
call, so it would give the same pair twice, and count twice in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.request import JSON, short_id
from selfsown.judge.base import Item
from selfsown.preference.records import Prompt, plain_text

_OURS: Final = frozenset(
    {"id", "instruction", "prompt", "input", "system", "output", "reference", "references"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One prompt of the input."""

    number: int
    """Among the rows, from 0."""
    prompt: Prompt
    human: str | None
    """The row's own answer; blank ones are none."""
    reference: str | None
    shown: Mapping[str, JSON]
    """What else judges see."""
    is_repeated: bool
    """An earlier row asks the same."""

    def item(self, answer: str) -> Item:
        """An answer to it, as judges take it; the prompt is all that the policy was told."""
        whole = "\n\n".join(filter(None, (self.prompt.system, self.prompt.request)))
        return Item(prompt=whole, answer=answer, reference=self.reference, metadata=self.shown)


def prompts_of(rows: Iterable[Mapping[str, JSON]], *, need_human: bool) -> Iterator[Row]:
    """The prompts of the input, lazily, in its order.

    Args:
        rows: of the input.
        need_human: every row has to have an answer of its own.

    Raises:
        InputError: a row is no prompt, or two prompts have one id; names the row.
    """
    texts: set[str] = set()
    ids: dict[str, str] = {}
    for number, row in enumerate(rows):
        found = _row(number, row, texts, need_human)
        text = _text_of(found.prompt)
        if ids.setdefault(found.prompt.id, text) != text:
            raise InputError(
                f"row {number}: the id `{found.prompt.id}` is that of another prompt, too",
                why="answers are compared with answers to the same prompt alone",
                fix="give every prompt an id of its own, or none at all",
            )
        texts.add(text)
        yield found


def _row(number: int, row: Mapping[str, JSON], seen: set[str], need_human: bool) -> Row:
    asked = [name for name in ("instruction", "prompt") if row.get(name) is not None]
    if len(asked) != 1:
        raise _no_prompt(number, "it has `instruction` and `prompt`" if asked else "it has no text")
    text = _text(number, row, asked[0])
    if not text.strip():
        raise _no_prompt(number, f"`{asked[0]}` is blank")
    given, system = _text(number, row, "input"), _text(number, row, "system")
    prompt = Prompt(
        id=_id(number, row) or short_id([text, given, system], prefix="p-"),
        text=text,
        input=given,
        system=system,
    )
    human = _text(number, row, "output")
    if need_human and not human.strip():
        raise InputError(
            f"row {number}: prompt `{prompt.id}` has no `output`",
            why="option `human` makes the row's own answer a candidate or the chosen one",
            fix="give every row an `output`, or leave `human` at `none`",
        )
    reference, others = _references(number, row)
    shown = {key: value for key, value in row.items() if key not in _OURS}
    return Row(
        number=number,
        prompt=prompt,
        human=human if human.strip() else None,
        reference=reference,
        shown=shown | {"instruction": text, "input": given, "system": system, "references": others},
        is_repeated=_text_of(prompt) in seen,
    )


def _references(number: int, row: Mapping[str, JSON]) -> tuple[str | None, list[str]]:
    """The right answer, and further ones."""
    given = row.get("references") or []
    if not isinstance(given, list):
        raise _no_prompt(number, "`references` is no list")
    others = [one for one in given if isinstance(one, str)]
    if len(others) < len(given):
        raise _no_prompt(number, "one of its `references` is no text")
    first = _text(number, row, "reference")
    if not first and others:
        first, *others = others
    return first or None, others


def _id(number: int, row: Mapping[str, JSON]) -> str:
    value = row.get("id")
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return "" if value is None else str(value)
    raise _no_prompt(number, f"its `id` is {type(value).__name__}, not text or a whole number")


def _text(number: int, row: Mapping[str, JSON], name: str) -> str:
    """A field that may be missing."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise _no_prompt(number, f"`{name}` is {type(value).__name__}, not text")


def _text_of(prompt: Prompt) -> str:
    """Equal for prompts that ask the same."""
    return short_id([plain_text(prompt.request), plain_text(prompt.system)])


def _no_prompt(number: int, what: str) -> InputError:
    return InputError(
        f"row {number} is no prompt: {what}",
        why="every row is one prompt: `instruction` or `prompt`, and perhaps `input`, `system`",
        fix="correct or remove that row",
    )
