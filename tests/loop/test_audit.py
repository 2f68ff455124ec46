"""Claim: the guard's unbiased draw is as large as asked, and no answer counts twice in it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from selfsown.loop.audit import audit_rows


def test_prompts_are_asked_in_turn_each_time_for_another_answer() -> None:
    assert audit_rows(["a", "b"], 5) == [
        {"id": 0, "prompt": "a", "sample": 0},
        {"id": 1, "prompt": "b", "sample": 0},
        {"id": 2, "prompt": "a", "sample": 1},
        {"id": 3, "prompt": "b", "sample": 1},
        {"id": 4, "prompt": "a", "sample": 2},
    ]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.integers(0, 30))
def test_no_two_rows_share_an_answer_even_if_a_run_repeated_its_prompts(
    prompts: list[str], count: int
) -> None:
    rows = audit_rows(prompts, count)
    assert len({(row["prompt"], row["sample"]) for row in rows}) == len(rows) == count
    samples = Counter(str(row["prompt"]) for row in rows)
    for row in rows:
        assert 0 <= int(str(row["sample"])) < samples[str(row["prompt"])]
