"""What a model says instead of a task: refusals, pleasantries, and its own prompt's scaffolding."""

from __future__ import annotations

import re

from selfsown.curate.steps import Check, filter_step
from selfsown.curate.verdict import Verdict, drop, keep

_APOSTROPHE = "['\u2019]"
_REFUSAL = re.compile(
    rf"""(?:^|[.!?\n]\s{{0,8}})(?:
        as\ (?:an?|your)\ (?:\w+\s)?(?:ai\b|artificial\ intelligence|(?:large\ )?language\ model)
      | i(?:{_APOSTROPHE}m|\ am)\ (?:just\ |only\ )?an?\ (?:ai\b|(?:large\ )?language\ model)
      | (?:i(?:{_APOSTROPHE}m|\ am)\ )?(?:very\ |so\ )?sorry,?\ (?:but\ )?(?:i|as)\b
      | (?:i\ apologi[sz]e|my\ apologies),?\ (?:but|for|as|i)\b
      | (?:unfortunately,?\ )?i\ (?:can{_APOSTROPHE}?t|cannot|can\ not|am\ (?:not\ able|unable)\ to
            |won{_APOSTROPHE}t|will\ not|am\ not\ allowed\ to)\ (?:help|assist|comply|fulfil|provide
            |generate|create|complete|answer|continue|engage|discuss|do)l?\b
            \s*(?:you\s)?(?:with\s|to\s|on\s)?(?:that|this|your|the\ re|any|such|it\b)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_PLEASANTRY = re.compile(
    rf"""^(?:
        (?:sure|certainly|of\ course|absolutely|okay|ok|great|got\ it)\b\s*[,!.:-]+\s*
            (?:here|i\b|i{_APOSTROPHE}|let|below|the\ following)
      | (?:here|below)\ are\ (?:\S+\ ){{0,4}}?(?:tasks|instructions|prompts)\b
      | (?:here|below)\ (?:are|is)\b[^.!?]*:\s*$
      | (?:come\ up\ with|generate|write|list)\ (?:an?\ )?(?:series\ of|some|more|new|\d+)
            \ (?:\w+\ ){{0,2}}(?:tasks|instructions)\s*[:.]?\s*$
      | i\ hope\ (?:this|that|these)\ (?:helps?|is)
      | let\ me\ know\ if
      | (?:is\ there\ )?anything\ else\ i\ can
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_MARKUP = re.compile(
    r"""<\|[\w ]{1,30}\|> | <\uff5c[^\uff5c]{1,30}\uff5c> | \[/?INST\] | <</?SYS>> | ^<s> | </s>\s*$
      | <(?:bos|eos|pad|unk|noinput|nooutput|start_of_turn|end_of_turn)>
      | </?(?:think|user|assistant|system)>""",
    re.IGNORECASE | re.VERBOSE,
)
_FIELD = re.compile(
    r"""(?:^|[\n.!?])[\#*\s]{0,8}(?:Task(?:\s*\d+)?|Instructions?|Input(?:\s*\d+)?|Output(?:\s*\d+)?
      |Class\ label|Example\s*\d+|Response|Human|User|Assistant)\**\s*:(?=\s|\*|$)
      | Is\ it\ classification\?""",
    re.VERBOSE,
)


@filter_step("boilerplate")
def boilerplate() -> Check:
    """Drop a refusal ("As an AI language model, ...") or a pleasantry in place of a task.

    Only in the model's own voice, at the start of a sentence: a task that quotes such a phrase, or
    a user who cannot decide, passes.
    """

    def check(text: str) -> Verdict:
        if is_refusal(text):
            return drop("refusal")
        return drop("boilerplate") if _PLEASANTRY.match(text.strip()) else keep()

    return check


@filter_step("leaked_markup")
def leaked_markup(*, fields: bool = True) -> Check:
    """Drop a text with chat-template tokens or, with `fields`, the prompt's field names.

    Field names count at the start of a sentence or line, capitalised, before a colon: "Output:".
    """

    def check(text: str) -> Verdict:
        if _MARKUP.search(text) or (fields and _FIELD.search(text)):
            return drop("leaked_markup")
        return keep()

    return check


def is_refusal(text: str) -> bool:
    """Whether a model declines or introduces itself in `text`, at the start of some sentence."""
    return _REFUSAL.search(text) is not None
