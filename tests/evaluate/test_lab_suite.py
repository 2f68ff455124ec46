"""Claim: suite scores are what the oracle and ROUGE-L say of first output lines."""

from __future__ import annotations

from selfsown.evaluate.lab_suite import Condition, first_line, score_answers
from selfsown.lab.suites import load_suite

ITEMS = [item for item in load_suite() if item.part != "demonstration"]


def test_the_references_score_one_and_blanks_score_nothing() -> None:
    perfect = score_answers(Condition("task", 0), ITEMS, [item.reference for item in ITEMS])
    assert perfect.exact_match.mean == 1.0
    assert set(perfect.exact_match_by_part.values()) == {1.0}
    assert perfect.rouge_l.mean > 0.95  # an answer without letters or digits has no tokens
    blank = score_answers(Condition("task", 0), ITEMS, ["....."] * len(ITEMS))
    assert blank.exact_match.mean == blank.rouge_l.mean == 0.0


def test_only_the_first_line_counts() -> None:
    assert first_line(" Paris\n\nTask: more") == "Paris"
    assert first_line("\n\nParis") == ""
