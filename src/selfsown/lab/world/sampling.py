"""Drawing instructions and instances of the world from a random generator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from selfsown.lab.world.families import FAMILIES
from selfsown.lab.world.modifiers import CLOSERS, MODIFIERS, OPENERS, Position, contexts
from selfsown.lab.world.parse import slot_values
from selfsown.lab.world.program import Instruction, Program, Wording, render
from selfsown.lab.world.splits import held_out_families, held_out_parts

GROUP_WEIGHTS: dict[str, float] = {
    "relation": 0.24,
    "map": 0.08,
    "two_step": 0.12,
    "property": 0.09,
    "conditional": 0.09,
    "list": 0.14,
    "sentence": 0.13,
    "closed": 0.06,
    "pair": 0.02,
    "build": 0.015,
    "open": 0.015,
}
"""How often each group is drawn; within a group families are equally likely."""

MODIFIER_RATE = 0.50
OPENER_RATE = 0.14
CONTEXT_RATE = 0.22
CLOSER_RATE = 0.12

Part = Literal["seen", "any", "family", "modifier", "verb"]
"""`seen`: what pretraining may contain; `any`: also what is held out; a held-out name: unseen for
exactly that reason. Recombined phrasings are never drawn."""


@dataclass(frozen=True, slots=True)
class Item:
    """An instruction with one instance; `input` is empty for tasks without input."""

    instruction: Instruction
    input: str
    answer: str


def sample_instruction(
    rng: random.Random, part: Part = "seen", families: Sequence[str] | None = None
) -> Instruction:
    """Draw one instruction of a part of the world.

    Args:
        rng: the only source of randomness.
        part: which part; drawing is by rejection, a handful of tries on average.
        families: draw only from these families, equally likely.
    """
    while True:
        if families is not None:
            family = rng.choice(families)
        elif part == "family":
            family = rng.choice(sorted(held_out_families()))
        else:
            family = _sample_family(rng)
        instruction = _sample_wording(rng, family, force_modifier=part == "modifier")
        reasons = held_out_parts(instruction.program, instruction.wording)
        if part == "any" or reasons == (frozenset() if part == "seen" else frozenset({part})):
            return instruction


def sample_item(rng: random.Random, instruction: Instruction) -> Item:
    """One valid instance of an instruction with its reference answer."""
    program = instruction.program
    text = program.spec.sample_input(rng, program.argument)
    return Item(instruction, text, program.answer(text))


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for family in FAMILIES.values():
        names[family.group] = (*names.get(family.group, ()), family.name)
    return names


def _sample_family(rng: random.Random) -> str:
    group = rng.choices(list(GROUP_WEIGHTS), list(GROUP_WEIGHTS.values()))[0]
    return rng.choice(_groups()[group])


def _sample_wording(rng: random.Random, name: str, *, force_modifier: bool) -> Instruction:
    family = FAMILIES[name]
    phrasing = rng.randrange(len(family.phrasings))
    verb, the = rng.choice(slot_values(family, phrasing))
    has_modifier = force_modifier or rng.random() < MODIFIER_RATE
    modifier = rng.choice(list(MODIFIERS)) if has_modifier else ""
    position: Position = ""
    index = 0
    if modifier:
        choices: list[Position] = ["suffix", "suffix", "prefix"]
        if family.phrasings[phrasing].startswith("{v} "):
            choices.append("infix")
        position = rng.choice(choices)
        index = rng.randrange(len(MODIFIERS[modifier].wordings(position)))
    wording = Wording(
        phrasing,
        verb,
        the,
        position,
        index,
        opener=_maybe(rng, OPENER_RATE, len(OPENERS)),
        context=_maybe(rng, CONTEXT_RATE, len(contexts(family.kind))),
        closer=_maybe(rng, CLOSER_RATE, len(CLOSERS)),
    )
    program = Program(name, family.sample_argument(rng), modifier)
    return Instruction(render(program, wording), program, wording)


def _maybe(rng: random.Random, rate: float, count: int) -> int | None:
    return rng.randrange(count) if count and rng.random() < rate else None
