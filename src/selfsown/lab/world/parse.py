"""Reading an instruction back into its program.

Idle sentences and modifiers are peeled off from both ends, and the remaining core is looked up in
the table of all cores (some tens of thousands, built once on first use). A parse counts only if
rendering it gives the very same text, so whatever parses is exactly a sentence of the world's
language.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from selfsown.lab.world.families import FAMILIES, Family
from selfsown.lab.world.kinds import KINDS
from selfsown.lab.world.modifiers import (
    CLOSERS,
    DETERMINERS,
    MODIFIERS,
    OPENERS,
    VERBS,
    Position,
    contexts,
)
from selfsown.lab.world.program import Instruction, Program, Wording, render, render_core


class Core(NamedTuple):
    """What a core sentence stands for."""

    family: str
    argument: str
    phrasing: int
    verb: str
    the: str


def parse_instruction(text: str) -> Instruction | None:
    """The meaning and wording of an instruction; None if it is not a sentence of the world.

    Surrounding white space is ignored; everything else must match to the letter.
    """
    text = text.strip()
    rest, opener = _peel_start(text, _OPENER_INDEX)
    rest, closer = _peel_end(rest, _CLOSER_INDEX)
    for context_rest, context in _context_readings(rest):
        for core_text, modifier, position, index in _modifier_readings(context_rest):
            core = core_table().get(_key(core_text))
            if core is None:
                continue
            program = Program(core.family, core.argument, modifier)
            wording = Wording(
                core.phrasing, core.verb, core.the, position, index, opener, context, closer
            )
            if _is_rendering(program, wording, text):
                return Instruction(text, program, wording)
    return None


@cache
def core_table() -> dict[str, Core]:
    """Every core sentence, keyed by its text with a lower-case first letter."""
    return {_key(text): core for text, core in all_cores()}


def all_cores() -> Iterator[tuple[str, Core]]:
    """Every core sentence of every family; two equal ones would make the language ambiguous."""
    for family in FAMILIES.values():
        for index in range(len(family.all_phrasings)):
            for verb, the in slot_values(family, index):
                for argument in family.arguments:
                    text = render_core(family, argument, index, verb, the)
                    yield text, Core(family.name, argument, index, verb, the)


def slot_values(family: Family, phrasing: int) -> list[tuple[str, str]]:
    """All (verb, determiner) pairs of a phrasing; an absent slot has the one value ""."""
    template = family.all_phrasings[phrasing]
    verbs = VERBS if "{v}" in template else ("",)
    determiners = DETERMINERS if "{the}" in template else ("",)
    return [(verb, the) for verb in verbs for the in determiners]


_OPENER_INDEX = {text: i for i, text in enumerate(OPENERS)}
_CLOSER_INDEX = {text: i for i, text in enumerate(CLOSERS)}
_CONTEXT_INDEX = {text: i for kind in KINDS for i, text in enumerate(contexts(kind))}
_SUFFIX_INDEX = {text: (m.name, i) for m in MODIFIERS.values() for i, text in enumerate(m.suffixes)}


def _key(text: str) -> str:
    return text[:1].lower() + text[1:]


def _peel_start(text: str, sentences: dict[str, int]) -> tuple[str, int | None]:
    """The text without its first sentence, if that is one of `sentences`."""
    end = text.find(". ")
    index = sentences.get(text[: end + 1]) if end >= 0 else None
    return (text, None) if index is None else (text[end + 2 :], index)


def _peel_end(text: str, sentences: dict[str, int]) -> tuple[str, int | None]:
    """The text without its last sentence, if that is one of `sentences`."""
    for sentence, index in sentences.items():
        if text.endswith(f" {sentence}"):
            return text[: -len(sentence) - 1], index
    return text, None


def _context_readings(text: str) -> Iterator[tuple[str, int | None]]:
    """The text with and without a leading context sentence."""
    rest, index = _peel_start(text, _CONTEXT_INDEX)
    if index is not None:
        yield rest, index
    yield text, None


def _modifier_readings(text: str) -> Iterator[tuple[str, str, Position, int]]:
    """All ways to take a modifier off: (core, modifier, position, wording)."""
    yield text, "", "", 0
    for sentence, (name, index) in _SUFFIX_INDEX.items():
        if text.endswith(f" {sentence}"):
            yield text[: -len(sentence) - 1], name, "suffix", index
    for modifier in MODIFIERS.values():
        for index, clause in enumerate(modifier.prefixes):
            if text.startswith(f"{clause} "):
                yield text[len(clause) + 1 :], modifier.name, "prefix", index
        if f", {modifier.infix}, " in text:
            yield text.replace(f", {modifier.infix}, ", " ", 1), modifier.name, "infix", 0


def _is_rendering(program: Program, wording: Wording, text: str) -> bool:
    if wording.position == "infix" and not wording.verb:
        return False
    if wording.context is not None and not contexts(program.spec.kind):
        return False
    return render(program, wording) == text
