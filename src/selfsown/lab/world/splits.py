"""What pretraining never sees: families, (family, modifier) and (phrasing, verb) pairs.

Recombined phrasings are a fourth kind: the oracle reads them, nothing samples them.

Membership is a fixed hash, not a list, so it cannot drift with the order of tables. Corpus and
seeds are sampled outside these sets; the suites are sampled inside them, one set at a time.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Literal

from selfsown.lab.world.families import FAMILIES
from selfsown.lab.world.program import Instruction, Program, Wording

HeldOut = Literal["family", "modifier", "verb", "phrasing"]

HELD_OUT_FAMILIES = 11
HELD_OUT_MODIFIER_RATE = 0.25
HELD_OUT_VERB_RATE = 0.20
_SALT = "lab-v1"


def _unit(*parts: object) -> float:
    """A fixed number in [0, 1) for these parts."""
    digest = hashlib.blake2b("\0".join((_SALT, *map(str, parts))).encode(), digest_size=8)
    return int.from_bytes(digest.digest()) / 2**64


@cache
def held_out_families() -> frozenset[str]:
    """Eleven compositions (two-step and list tasks) whose parts all occur elsewhere."""
    names = [f.name for f in FAMILIES.values() if f.group in ("two_step", "map")]
    return frozenset(sorted(names, key=lambda name: _unit("family", name))[:HELD_OUT_FAMILIES])


@cache
def is_modifier_held_out(family: str, modifier: str) -> bool:
    """Whether the pair belongs to the quarter that pretraining never sees."""
    return bool(modifier) and _unit("modifier", family, modifier) < HELD_OUT_MODIFIER_RATE


@cache
def is_verb_held_out(family: str, phrasing: int, verb: str) -> bool:
    """Whether this phrasing never occurs with this verb in pretraining."""
    return bool(verb) and _unit("verb", family, phrasing, verb) < HELD_OUT_VERB_RATE


def held_out_parts(program: Program, wording: Wording) -> frozenset[HeldOut]:
    """All reasons why an instruction is unseen; empty for what the corpus may contain."""
    reasons: set[HeldOut] = set()
    if program.family in held_out_families():
        reasons.add("family")
    if is_modifier_held_out(program.family, program.modifier):
        reasons.add("modifier")
    if wording.phrasing >= len(program.spec.phrasings):
        reasons.add("phrasing")
    elif is_verb_held_out(program.family, wording.phrasing, wording.verb):
        reasons.add("verb")
    return frozenset(reasons)


def is_unseen_composition(instruction: Instruction) -> bool:
    """Whether the instruction combines what was never combined in pretraining."""
    return bool(held_out_parts(instruction.program, instruction.wording))
