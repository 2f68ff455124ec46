"""Claim: the shipped seeds are what the code makes, and right to the oracle."""

from __future__ import annotations

import json

from selfsown.lab import oracle
from selfsown.lab.seed_tasks import DEFAULT_SEED_COUNT, SEED_COUNT, seeds_jsonl, seeds_path
from selfsown.lab.world import FAMILIES

ROWS = [json.loads(line) for line in seeds_path().read_text(encoding="utf-8").splitlines()]


def test_the_shipped_file_is_what_the_code_makes() -> None:
    assert seeds_path().read_text(encoding="utf-8") == seeds_jsonl()


def test_every_row_is_a_seed_task_with_one_right_instance() -> None:
    assert len(ROWS) == SEED_COUNT == 100
    for row in ROWS:
        assert list(row) == ["id", "name", "instruction", "instances", "is_classification"]
        (instance,) = row["instances"]
        grade = oracle.check(row["instruction"], instance["input"], instance["output"])
        assert grade.is_correct, row
        program = oracle.parse(row["instruction"])
        assert program is not None and program.spec.is_classification == row["is_classification"]


def test_instructions_and_ids_are_unique() -> None:
    assert len({row["instruction"] for row in ROWS}) == len({row["id"] for row in ROWS}) == 100


def test_the_first_25_cover_every_group_with_and_without_input_and_both_classes() -> None:
    first = ROWS[:DEFAULT_SEED_COUNT]
    assert {FAMILIES[row["name"]].group for row in first} == {f.group for f in FAMILIES.values()}
    assert 5 <= sum(row["is_classification"] for row in first) <= 10
    assert sum(row["instances"][0]["input"] == "" for row in first) >= 3
