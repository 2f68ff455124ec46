"""From a record to the text that is trained on: a prompt, and the completion that carries the loss.

Four families of layouts. The *published* ones of Self-Instruct (arXiv:2212.10560, released code):
seven with an input, six without, one drawn per record. The lab's two, in which its suites ask. The
chat template of the base model. And none: a request, and its answer behind it.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Final, NamedTuple

from selfsown.export.example import Example
from selfsown.models.answer_tokens import AnswerEncoding, ChatTemplate, Question, answer_texts
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
_FIELD_NAME: Final = re.compile(r"(\w+):")


class Pair(NamedTuple):
    """One training text; the end-of-text token is added when it becomes tokens."""

    prompt: str
    completion: str


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
    if encoding == "published":
        if example.system:  # these layouts have no place for it: it comes first
            example = replace(example, instruction=f"{example.system}\n\n{example.instruction}")
        return [_published(example, rng, strip_field_names)]
    question = Question(example.instruction, example.input, example.system)
    forms: tuple[AnswerEncoding, ...] = (
        ("task", "plain") if encoding == "task+plain" else (encoding,)
    )
    return [Pair(*answer_texts(question, example.output, form, chat_template)) for form in forms]


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


def _pair(layout: str, instruction: str, text: str, output: str) -> Pair:
    prompt = layout.format(i=instruction.strip(), x=text.strip())
    lead = " " if prompt.endswith("Output:") else ""
    return Pair(prompt, lead + output.strip())
