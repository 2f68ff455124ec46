"""Claim: suite v1 is frozen: pinned hash, stated parts, right references."""

from __future__ import annotations

import json

import pytest

from selfsown.lab import oracle
from selfsown.lab.seed_tasks import seeds_path
from selfsown.lab.suites import (
    PART_SIZES,
    SUITE_SHA256,
    SuiteItem,
    demonstrations_for,
    load_suite,
    prompt_for,
    suite_sha256,
)
from selfsown.lab.world import held_out_parts, parse_instruction

ITEMS = load_suite()


def test_the_shipped_file_has_the_pinned_hash() -> None:
    assert suite_sha256() == SUITE_SHA256


@pytest.mark.parametrize("part", sorted(PART_SIZES))
def test_each_part_has_its_size_and_is_held_out_for_its_own_reason(part: str) -> None:
    items = [item for item in ITEMS if item.part == part]
    assert len(items) == dict(PART_SIZES)[part]  # type: ignore[index]
    expected = set() if part in ("seen", "demonstration") else {part}
    for item in items:
        found = parse_instruction(item.instruction)
        assert found is not None
        assert held_out_parts(found.program, found.wording) == expected


def test_every_reference_is_right() -> None:
    for item in ITEMS:
        assert oracle.check(item.instruction, item.input, item.reference).is_correct, item


def test_no_item_is_repeated_or_a_seed() -> None:
    instructions = [item.instruction for item in ITEMS]
    seeds = {json.loads(line)["instruction"] for line in seeds_path().read_text().splitlines()[:25]}
    assert len(set(instructions)) == len(instructions)
    assert sum(text in seeds for text in instructions) <= 2


def test_more_demonstrations_begin_with_the_same_ones() -> None:
    pool = [item for item in ITEMS if item.part == "demonstration"]
    eight = demonstrations_for(ITEMS[0], pool, 8)
    assert demonstrations_for(ITEMS[0], pool, 2) == eight[:2]
    assert len({item.id for item in eight}) == 8


def test_the_two_prompt_formats_to_the_letter() -> None:
    item = SuiteItem("a", "seen", "Give the capital of the country.", "Peru", "Lima")
    bare = SuiteItem("b", "seen", "What is the capital of Peru?", "", "Lima")
    assert (
        prompt_for(item, "task") == "Task: Give the capital of the country.\nInput: Peru\nOutput:"
    )
    assert prompt_for(bare, "task") == "Task: What is the capital of Peru?\nOutput:"
    assert prompt_for(item, "plain") == "Give the capital of the country.\nPeru\n\n"
    assert prompt_for(bare, "plain", [item]) == (
        "Give the capital of the country.\nPeru\n\nLima\n\nWhat is the capital of Peru?\n\n"
    )
    assert prompt_for(bare, "task", [item]).startswith(
        "Task: Give the capital of the country.\nInput: Peru\nOutput: Lima\n\nTask: What"
    )
