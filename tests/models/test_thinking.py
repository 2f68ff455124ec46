"""Reasoning in tags is kept apart from the answer, and an answer about tags is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.models.thinking import split_thinking


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("<think>hm</think>\n\nYes.", "Yes.", "hm"),
        ("\n<think>\nhm\n</think>Yes.", "Yes.", "hm"),
        ("<think></think>Yes.", "Yes.", ""),
        ("<think>cut off", "", "cut off"),
        ("hm</think>Yes.", "Yes.", "hm"),
        ("Use <think> tags: <think>x</think>", "Use <think> tags: <think>x</think>", ""),
        ("plain", "plain", ""),
    ],
)
def test_reasoning_is_split_off(text: str, answer: str, reasoning: str) -> None:
    assert split_thinking(text, opened_by_template=True) == (answer, reasoning)


def test_a_lone_closing_tag_is_text_where_no_template_opened_it() -> None:
    assert split_thinking("a</think>b", opened_by_template=False) == ("a</think>b", "")


@given(st.text(), st.booleans())
def test_text_without_tags_is_unchanged(text: str, opened: bool) -> None:
    if "think>" not in text:
        assert split_thinking(text, opened_by_template=opened) == (text, "")
