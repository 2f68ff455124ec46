"""From a record to the text that is trained on: a prompt, and the completion that carries the loss.

Three families of layouts. The *published* ones of Self-Instruct (arXiv:2212.10560, released code):
seven with an input, six without, one drawn per record. The lab's two, in which its suites ask. And
the chat template of the base model.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from selfsown.export.example import Example
from selfsown.train.settings import Encoding

WITH_INPUT: Final = (
    "{i}\nInput: {x}\nOutput:",
    "{i}\n\nInput: {x}\n\nOutput:",
    "Task: {i}\nInput: {x}\nOutput:",
    "{i}\n\n{x}\n\nOutput:",
    "{i}\n\n{x}\n\n",
    "{i}\n{x}\n\n",
    "Task: {i}\n\n{x}\n\n",
)
"""Prompts of the published encoding, for records with an input."""
WITHOUT_INPUT: Final = (
    "{i} Output:",
    "{i}\nOutput:",
    "{i}\n\nOutput:",
    "{i}\n",
    "{i}\n\n",
    "Task: {i}\n\n",
)
"""The same for records without one."""
_TASK: Final = ("Task: {i}\nInput: {x}\nOutput:", "Task: {i}\nOutput:")
_PLAIN: Final = ("{i}\n{x}\n\n", "{i}\n\n")
_FIELD_NAME: Final = re.compile(r"(\w+):")

ChatTemplate = Callable[[Sequence[Mapping[str, str]], bool], str]
"""Turns of `role` and `content`, and whether an answer is to follow, -> text."""


class Pair(NamedTuple):
    """One training text; the end-of-text token is added when it becomes tokens."""

    prompt: str
    completion: str


class TemplateMismatch(ValueError):
    """A chat template writes the conversation with its answer otherwise than up to the answer."""


def encode(
    example: Example,
    encoding: Encoding,
    rng: random.Random,
    *,
    strip_field_names: bool = False,
    chat_template: ChatTemplate | None = None,
) -> list[Pair]:
    """The texts of a record: two for `task+plain`, else one.

    Args:
        example: the record.
        encoding: which family.
        rng: draws layout and quirk of the published encoding; not used by the others.
        strip_field_names: the quirk of the released code, see `strip_field_name`.
        chat_template: needed for `chat`.

    Raises:
        TemplateMismatch: see there.
    """
    if example.system and encoding != "chat":  # these layouts have no place for it: it comes first
        example = replace(example, instruction=f"{example.system}\n\n{example.instruction}")
    if encoding == "published":
        return [_published(example, rng, strip_field_names)]
    if encoding == "chat":
        assert chat_template is not None
        return [_chat(example, chat_template)]
    layouts = {"task": (_TASK,), "plain": (_PLAIN,), "task+plain": (_TASK, _PLAIN)}[encoding]
    return [_filled(example, with_input, without) for with_input, without in layouts]


def strip_field_name(text: str) -> str:
    """An input without its field name, as the released code of Self-Instruct does half the time.

    If exactly one word stands before a colon, however often, everything up to the first colon goes:
    meant for `Text: ...`, and wrong for `Meet me at 10:30`. Blank lines become line breaks in any
    case.
    """
    if len(set(_FIELD_NAME.findall(text))) == 1:
        text = text[text.index(":") + 1 :].strip()
    return text.replace("\n\n", "\n")


def _published(example: Example, rng: random.Random, quirk: bool) -> Pair:
    text = example.input
    if quirk and text.strip() and rng.random() < 0.5:
        text = strip_field_name(text)
    layout = rng.choice(WITH_INPUT if text.strip() else WITHOUT_INPUT)
    return _pair(layout, example.instruction, text, example.output)


def _filled(example: Example, with_input: str, without: str) -> Pair:
    layout = with_input if example.input.strip() else without
    return _pair(layout, example.instruction, example.input, example.output)


def _pair(layout: str, instruction: str, text: str, output: str) -> Pair:
    prompt = layout.format(i=instruction.strip(), x=text.strip())
    lead = " " if prompt.endswith("Output:") else ""
    return Pair(prompt, lead + output.strip())


def _chat(example: Example, template: ChatTemplate) -> Pair:
    turns = [{"role": "system", "content": example.system}] if example.system else []
    turns.append({"role": "user", "content": example.request})
    asked = template(turns, True)
    whole = template([*turns, {"role": "assistant", "content": example.output}], False)
    if not whole.startswith(asked) or len(whole) == len(asked):
        raise TemplateMismatch
    return Pair(asked, whole[len(asked) :])
