"""Claim: a score is read as the rules say, and what cannot be read is missing, never low."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.judge.base import Scale
from selfsown.judge.scores import combine, parse_score

READ = {
    "Score: 4": 4.0,
    "score: 4": 4.0,
    "SCORE: 4": 4.0,
    "Score 4": 4.0,
    "Score is 4": 4.0,
    "The score is: 4.": 4.0,
    "Score = 4": 4.0,
    "Score=4": 4.0,
    "Score:4": 4.0,
    "Score:\n4": 4.0,
    "Final score: 4": 4.0,
    "Score: 0": 0.0,
    "Score: 5": 5.0,
    "Score: 5.0": 5.0,
    "Score: 4.5": 4.5,
    "Score: 4,5": 4.5,
    "Score: 4, since it is short": 4.0,
    "Score: 4/5": 4.0,
    "Score: 4 / 5": 4.0,
    "Score: 4.5/5": 4.5,
    "Score: 4 out of 5": 4.0,
    "Score: 4 points": 4.0,
    "Score: +4": 4.0,
    "**Score:** 4": 4.0,
    "**Score: 4**": 4.0,
    "__Score__: 4": 4.0,
    "*Score*: `4`": 4.0,
    "### Score: 4": 4.0,
    "Score: <4>": 4.0,
    "Score: [4]": 4.0,
    "Score\uff1a\uff14": 4.0,
    "Score: 4 (out of 5)": 4.0,
    "Score: 4 points out of 5": 4.0,
    "Score: 4 of 5": 4.0,
    "Score: 4 on a scale of 0 to 5": 4.0,
    "Score: 4\n- 3 good points": 4.0,
    "Score: 4...": 4.0,
    # levels added up
    "Score: 1 + 1 + 1 + 0 + 0 = 3": 3.0,
    "**Score:** 1+1+0.5=2.5/5": 2.5,
    "Good overall, I give it 4/5": 4.0,
    "Good overall, I give it 4 out of 5.": 4.0,
    "4/5": 4.0,
    # the last match counts
    "I would score 2 for style. It is right, though.\nScore: 4": 4.0,
    "Score: 2\nOn reflection that is harsh.\nScore: 3": 3.0,
    "Score: 2. No: 3/5": 3.0,
    # an echo of the rubric, then a verdict
    "Add one point per level, from a score of 0 up; end with `Score: <points>`.\nScore: 3": 3.0,
    "Score: 3\n(the score 0-5 as asked)": 3.0,
}
MISSING = (
    "",
    "It is a good answer.",
    "The user asks for a list of rivers, and the answer names three of",  # cut in the justification
    "Score: <points>",  # an echo of the form
    "Score (0-5):",
    "Score: 0-5",
    "Score: 0 \u2013 5",
    "I cannot judge this request.",
    "Bewertung: 4",  # another language
    "评分\uff1a4",
    "4",
    "4.5",
    "Score: four",
    "Score: N/A",
    # out of range is not clamped
    "Score: 6",
    "Score: 10",
    "Score: -1",
    "Score: 5.01",
    "Score: 4\nScore: 11",  # nor does an earlier score stand in for it
    "Score: nan",
    "Score: inf",
    "Score: -infinity",
    "Score: 1e400",
    # another scale
    "Score: 4/10",
    "Score: 8 out of 10",
    "Score: 4 (out of 10)",
    "Score: 4 points out of 10",
    "Score: 4 of 10",
    "Score: 4 on a scale from 1 to 10",
    "Score: 80%",
    "Score: 4%",
    "Score: 4 %",
    "8/10",
    # not the number it looks like
    "Score: 1 + 1 + 1",
    "Score: 1 + 1 =",
    "Score: 3 + 3 = 6",
    "Score: 4 1/2",
    "Score: 3 or 4",
    "Score: 3 to 4",
    "Score: 4e0",
    "Score -4",
    "Score: 4th",
    "Score: 4½",
    "underscore: 4",
    "scoreboard 4",
    "its score\n4. The answer is short",  # a numbered list
    "It covers 4 out of 5 rivers.\nI like it",
    "It covers 4/5 of the rivers, and well",
)


@pytest.mark.parametrize(("text", "score"), READ.items())
def test_what_a_judge_wrote_is_read_as_the_rules_say(text: str, score: float) -> None:
    assert parse_score(text) == score


@pytest.mark.parametrize("text", MISSING)
def test_what_cannot_be_read_is_missing(text: str) -> None:
    assert parse_score(text) is None


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("It is fine.\nScore: 4", None),  # 4, or 4.5?
        ("It is fine.\nScore: 4\n", 4.0),
        ("It is fine.\n**Score:** 4\n\nAnd here is another instruction", 4.0),
        ("This would score 2 if it were longer, and\nsince it", None),
        ("This is 4/5", None),
    ],
)
def test_an_answer_that_was_cut_off_counts_only_with_a_whole_line(
    text: str, score: float | None
) -> None:
    assert parse_score(text, cut_off=True) == score


@given(st.text(max_size=80), st.booleans())
def test_whatever_a_model_writes_the_score_is_missing_or_on_the_scale(
    text: str, cut_off: bool
) -> None:
    for given_text in (text, f"Score: {text}", f"{text}/5"):
        score = parse_score(given_text, cut_off=cut_off)
        assert score is None or (math.isfinite(score) and 0 <= score <= 5)


@given(st.integers(0, 500).map(lambda cents: cents / 100), st.text("abc .,;:\n", max_size=30))
def test_every_score_of_the_scale_is_read_back(score: float, before: str) -> None:
    assert parse_score(f"{before}\nScore: {score}") == score


def test_the_denominator_is_that_of_the_scale() -> None:
    tens = Scale(1.0, 10.0)
    assert parse_score("Score: 8/10", tens) == 8.0
    assert parse_score("Score: 4/5", tens) is None
    assert parse_score("Score: 0", tens) is None


def test_samples_combine_to_the_mean_of_those_that_parsed() -> None:
    assert combine((5.0, 4.0, 5.0)).value == pytest.approx(14 / 3)
    # 2 of 3 and 2 of 4 are at least half, 1 of 3 is not; the mean is over the parsed ones
    assert combine((5.0, None, 4.0)).value == 4.5
    assert combine((5.0, None, None, 4.0)).value == 4.5
    assert combine((5.0, None, None)) == (None, 1, 3, 0.0)
    assert combine((None, None)) == (None, 0, 2, 0.0)
    assert combine(()) == (None, 0, 0, 0.0)
    assert combine((2.0, 4.0)).std == 1.0  # mean 3, both 1 away
