"""Claim: what is held out never occurs in corpus or seeds; the suites consist of it."""

from __future__ import annotations

import json
import random
import re
from itertools import islice

import pytest

from selfsown.lab import oracle
from selfsown.lab.corpus import documents, text_of
from selfsown.lab.seed_tasks import seeds_jsonl
from selfsown.lab.world import (
    FAMILIES,
    held_out_families,
    held_out_parts,
    parse_instruction,
    sample_instruction,
)
from selfsown.lab.world.modifiers import MODIFIERS
from selfsown.lab.world.parse import slot_values
from selfsown.lab.world.sampling import Part
from selfsown.lab.world.splits import (
    HELD_OUT_FAMILIES,
    is_modifier_held_out,
    is_verb_held_out,
)

_MARK = re.compile(r"^(?:[A-Z][a-z]*(?: \d+)?: |\(?\d+[.)] |- )")


def test_no_instruction_in_three_thousand_documents_is_held_out() -> None:
    found = 0
    for document in islice(documents(seed=123), 3_000):
        for line in text_of(document).split("\n"):
            instruction = parse_instruction(_MARK.sub("", line))
            if instruction is not None:
                found += 1
                parts = held_out_parts(instruction.program, instruction.wording)
                assert parts == frozenset(), instruction.text
    assert found > 15_000


def test_no_seed_is_held_out() -> None:
    instructions = [json.loads(line)["instruction"] for line in seeds_jsonl().splitlines()]
    assert not any(map(oracle.is_unseen, instructions))


def test_the_held_out_sets_have_the_stated_sizes() -> None:
    assert len(held_out_families()) == HELD_OUT_FAMILIES
    assert {FAMILIES[name].group for name in held_out_families()} <= {"two_step", "map"}
    pairs = [is_modifier_held_out(f, m) for f in FAMILIES for m in MODIFIERS]
    assert 0.20 < sum(pairs) / len(pairs) < 0.30
    verbs = [
        is_verb_held_out(family.name, phrasing, verb)
        for family in FAMILIES.values()
        for phrasing in range(len(family.phrasings))
        for verb in {verb for verb, _ in slot_values(family, phrasing) if verb}
    ]
    assert 0.15 < sum(verbs) / len(verbs) < 0.25


def test_the_parts_of_a_held_out_family_occur_elsewhere() -> None:
    for name in held_out_families():
        relation = name.removeprefix("map_").split("_first")[0].split("_letter")[0]
        relation = relation.removesuffix("_spelling")
        assert relation in FAMILIES and relation not in held_out_families(), name


@pytest.mark.parametrize("part", ["family", "modifier", "verb"])
def test_each_held_out_part_can_be_sampled_alone(part: Part) -> None:
    rng = random.Random(2)
    for _ in range(50):
        instruction = sample_instruction(rng, part)
        assert held_out_parts(instruction.program, instruction.wording) == {part}
        assert oracle.is_unseen(instruction.text)
