"""Claim: tokens are counted as a prefix cache would, and rewritten calls ask what they say."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.token_counts import (
    BLOCK,
    Call,
    Spent,
    cached_tokens,
    with_judging_last,
    with_task_first,
)

EXAMPLES = "Task: Add 1 and 2.\nIs it classification? No"
QUESTION = Call(f"{EXAMPLES}\n\nTask: Name a tree.\nIs it classification?", 2)
INSTANCES = Call("Task: Add 1 and 2.\nOutput: 3\n\nTask: Name a tree.\n", 20)
LIST = Call("Come up with a series of tasks:\nTask 1: Name a tree.\nTask 2:", 90)


def test_only_whole_blocks_behind_an_unbroken_known_prefix_are_cached() -> None:
    known: set[tuple[int, ...]] = set()
    first = list(range(3 * BLOCK + 5))
    assert cached_tokens(first, known) == 0
    assert cached_tokens(first, known) == 3 * BLOCK  # the rest of 5 is no block
    other = [*first[:BLOCK], -1, *first[BLOCK + 1 :]]  # the second block differs, the third not
    assert cached_tokens(other, known) == BLOCK


def test_a_turned_prompt_begins_with_its_task_and_lists_stay(tmp_path: Path) -> None:
    turned = with_task_first([LIST, QUESTION, INSTANCES], tmp_path)
    assert turned[0] == LIST
    assert turned[1].prompt == f"Task: Name a tree.\nIs it classification?\n\n{EXAMPLES}"
    assert turned[2].prompt.startswith("Task: Name a tree.")
    assert [sorted(call.prompt.split()) for call in turned] == [
        sorted(call.prompt.split()) for call in (LIST, QUESTION, INSTANCES)
    ]


def test_what_is_judged_last_is_asked_about_first(tmp_path: Path) -> None:
    def row(stage: str, reason: str, instruction: str) -> str:
        return json.dumps(
            {"stage": stage, "reason": reason, "record": {"instruction": instruction}}
        )

    rejected = (
        row("instructions", "too_short", "Go."),
        row("instructions", "cut_off", "Write a"),  # no instruction: nobody would ask about it
        row("instances", "duplicate", "Name a tree."),
    )
    (tmp_path / "rejected.jsonl").write_text("".join(f"{line}\n" for line in rejected))
    asked = [LIST, QUESTION, INSTANCES]
    assert with_judging_last(asked, tmp_path) == [
        *asked,
        Call(QUESTION.prompt.replace("Name a tree", "Go"), 2),
        Call(INSTANCES.prompt.replace("Name a tree", "Go"), 20),
    ]


def test_a_cost_counts_cached_tokens_at_a_tenth_and_generated_ones_at_five_times() -> None:
    spent = Spent(records=2, prompt=100, cached=60, output=10)
    assert spent.usd(caches=True) == (40 + 6 + 50) / 2
    assert spent.usd(caches=False) == (100 + 50) / 2
