"""The micro-world: simple English about a closed set of facts, with one solver for it all.

Read in this order: `lexicon` (facts), `kinds` (inputs), `relations`, `lists`, `sentences`
(operations), `families` (tasks), `modifiers` (demands on form, idle sentences), `program`
(instruction = program + wording), `parse` (back from text), `splits` (what pretraining never
sees), `sampling`.
"""

from selfsown.lab.world.families import FAMILIES, Family
from selfsown.lab.world.parse import parse_instruction
from selfsown.lab.world.program import Instruction, Program, Wording, render
from selfsown.lab.world.sampling import Item, sample_instruction, sample_item
from selfsown.lab.world.splits import held_out_families, held_out_parts, is_unseen_composition

__all__ = [
    "FAMILIES",
    "Family",
    "Instruction",
    "Item",
    "Program",
    "Wording",
    "held_out_families",
    "held_out_parts",
    "is_unseen_composition",
    "parse_instruction",
    "render",
    "sample_instruction",
    "sample_item",
]
