"""An instruction is a program plus a wording; `render` writes it down.

The *program* (family, argument, modifier) says what to do and fixes the right answer. The
*wording* says it: which phrasing, verb and determiner, where the modifier stands, and which idle
sentences go around it.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfsown.lab.world.families import FAMILIES, Family
from selfsown.lab.world.modifiers import (
    CLOSERS,
    MODIFIERS,
    OPENERS,
    Position,
    contexts,
    determiner,
)


@dataclass(frozen=True, slots=True)
class Program:
    """What an instruction asks for."""

    family: str
    """A key of `FAMILIES`."""
    argument: str = ""
    modifier: str = ""
    """A key of `MODIFIERS`, or empty."""

    @property
    def spec(self) -> Family:
        """The family itself."""
        return FAMILIES[self.family]

    def answer(self, text: str) -> str:
        """The reference answer for a valid input."""
        plain = self.spec.solve(text, self.argument)
        return MODIFIERS[self.modifier].apply(plain) if self.modifier else plain


@dataclass(frozen=True, slots=True)
class Wording:
    """How a program is put into words; indices are None where the part is absent."""

    phrasing: int = 0
    verb: str = ""
    """One of `VERBS` if the phrasing has a verb slot, else empty."""
    the: str = ""
    """One of `DETERMINERS` if the phrasing has a determiner slot, else empty."""
    position: Position = ""
    """Where the modifier stands; empty without modifier."""
    modifier_wording: int = 0
    opener: int | None = None
    context: int | None = None
    closer: int | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction with its meaning."""

    text: str
    program: Program
    wording: Wording


def render_core(family: Family, argument: str, phrasing: int, verb: str, the: str) -> str:
    """The core of an instruction: one phrasing with its slots filled."""
    template = family.all_phrasings[phrasing]
    a, _, b = argument.partition(" ") if family.group == "conditional" else ("", "", "")
    text = template.format(v=verb, the=determiner(the, template), x=argument, a=a, b=b)
    return text[0].upper() + text[1:]


def render(program: Program, wording: Wording) -> str:
    """The instruction as text."""
    core = render_core(program.spec, program.argument, wording.phrasing, wording.verb, wording.the)
    parts: list[str] = []
    if wording.opener is not None:
        parts.append(OPENERS[wording.opener])
    if wording.context is not None:
        parts.append(contexts(program.spec.kind)[wording.context])
    parts.append(_with_modifier(core, program, wording))
    if wording.closer is not None:
        parts.append(CLOSERS[wording.closer])
    return " ".join(parts)


def _with_modifier(core: str, program: Program, wording: Wording) -> str:
    """The core with the modifier before, inside or behind it."""
    if not program.modifier or not wording.position:
        return core
    phrase = MODIFIERS[program.modifier].wordings(wording.position)[wording.modifier_wording]
    if wording.position == "suffix":
        return f"{core} {phrase}"
    if wording.position == "prefix":
        return f"{phrase} {core[0].lower()}{core[1:]}"
    return f"{wording.verb}, {phrase},{core.removeprefix(wording.verb)}"
