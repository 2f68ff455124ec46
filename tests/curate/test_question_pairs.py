"""Claim: every part of a text is in one pair or dropped for one reason, and answers are grounded.

Scripted check 4 of WRAP: pairs counted, unpaired question dropped, answers grounded in the source.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.curate.planted import honest

from selfsown.curate.question_pairs import LEAST_GROUNDED, Grounds, qa_pairs

WHO, WHEN = "Who built the bridge?", "When was it closed?"
CITY, YEAR = "The city of Lund.", "In 1902."


@pytest.mark.parametrize(
    "text",
    [
        f"Question: {WHO}\nAnswer: {CITY}\nQuestion: {WHEN}\nAnswer: {YEAR}",
        f"Question: {WHO}\nAnswer: {CITY}\n\n\nQuestion: {WHEN}\n\nAnswer: {YEAR}\n",
        f"Q: {WHO}\nA: {CITY}\nQ: {WHEN}\nA: {YEAR}",
        f"Q1: {WHO}\nA1: {CITY}\nQ2: {WHEN}\nA2: {YEAR}",
        f"Q1. {WHO}\nA1. {CITY}\nQ2. {WHEN}\nA2. {YEAR}",
        f"**Question:** {WHO}\n**Answer:** {CITY}\n**Question:** {WHEN}\n**Answer:** {YEAR}",
        f"**Q1:** {WHO}\n**A1:** {CITY}\n---\n**Q2:** {WHEN}\n**A2:** {YEAR}",
        f"### Question 1\n{WHO}\n### Answer\n{CITY}\n### Question 2\n{WHEN}\n### Answer\n{YEAR}",
        f"1. Question: {WHO}\n   Answer: {CITY}\n2. Question: {WHEN}\n   Answer: {YEAR}",
        f"- Question: {WHO}\n- Answer: {CITY}\n- Question: {WHEN}\n- Answer: {YEAR}",
        f"Question: {WHO} Answer: {CITY}\nQuestion: {WHEN} Answer: {YEAR}",
        f"QUESTION 1: {WHO}\nANSWER 1: {CITY}\nQUESTION 2: {WHEN}\nANSWER 2: {YEAR}",
        f"1. {WHO}\nAnswer: {CITY}\n2. {WHEN}\nAnswer: {YEAR}",
        f"**{WHO}**\nAnswer: {CITY}\n**{WHEN}**\nAnswer: {YEAR}",
    ],
)
def test_labels_of_all_kinds_give_the_same_pairs(text: str) -> None:
    found = qa_pairs(text)
    assert [(pair.question, pair.answer) for pair in found.pairs] == [(WHO, CITY), (WHEN, YEAR)]
    assert found.dropped == ()


def test_options_and_lines_of_an_answer_stay_where_they_are() -> None:
    question = "Which is red?\nA) the bridge\nB) the gate"
    found = qa_pairs(f"Question: {question}\nAnswer: B) the gate\nIt was painted.\nTwice.")
    assert [(pair.question, pair.answer) for pair in found.pairs] == [
        (question, "B) the gate\nIt was painted.\nTwice.")
    ]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (f"Question: {WHO}", ["unpaired_question"]),
        (f"Question: {WHO}\nQuestion: {WHEN}\nAnswer: {YEAR}", ["unpaired_question"]),
        (f"Answer: {YEAR}", ["unpaired_answer"]),
        (f"Question: {WHEN}\nAnswer: {YEAR}\nAnswer: {CITY}", ["unpaired_answer"]),
        (f"Question: {WHO}\nAnswer:", ["empty_answer"]),
        (f"Question:\nAnswer: {CITY}", ["empty_question"]),
        (f"Question: {WHEN}\nAnswer: {YEAR}\nQ: when was it closed\nA: 1902", ["duplicate"]),
        ("The bridge is closed.", ["stray_text"]),
        (f"Some facts.\nQuestion: {WHEN}\nAnswer: {YEAR}", ["stray_text"]),
        ("", []),
    ],
)
def test_what_is_in_no_pair_is_dropped_for_a_reason(text: str, reasons: list[str]) -> None:
    assert [part.reason for part in qa_pairs(text).dropped] == reasons


SOURCE = "The city of Lund built the red bridge in 1890 and closed it in 1902, but not the gate."


@pytest.mark.parametrize(
    ("question", "answer", "is_grounded"),
    [
        (WHO, CITY, True),
        (WHEN, YEAR, True),
        (WHEN, "In 1903.", False),
        (WHEN, "It was closed in 1902, after 12 years.", False),
        (WHO, "A wealthy merchant from Hamburg paid for everything.", False),
        ("Was the bridge closed?", "Yes.", True),
        ("Was the bridge closed?", "Yes, in 1902.", True),
        ("Did dragons guard treasure?", "No.", False),
        ("Which colour?\nA) blue\nB) red", "B", True),
        ("Which colour?\nA) blue\nB) red", "A)", False),
        ("Which colour?\nA. blue\nB. red", "B. red", True),
    ],
)
def test_an_answer_rests_on_the_source(question: str, answer: str, is_grounded: bool) -> None:
    found = qa_pairs(f"Question: {question}\nAnswer: {answer}", SOURCE)
    assert bool(found.pairs) is is_grounded
    assert [part.reason for part in found.dropped] == ([] if is_grounded else ["ungrounded"])


def test_honest_answers_are_grounded_in_their_passage_and_in_no_other() -> None:
    parts = [*honest("development"), *honest("held_out")]
    cases = [case for case in parts if case.style == "qa"]
    own: list[float] = []
    others: list[float] = []
    for case, other in zip(cases, cases[1:] + cases[:1], strict=True):
        pairs = qa_pairs(case.text).pairs
        assert len(pairs) == case.text.count("Question:")
        own += [Grounds(case.source).share(pair) for pair in pairs]
        others += [Grounds(other.source).share(pair) for pair in pairs]
    kept = sum(share >= LEAST_GROUNDED for share in own) / len(own)
    wrong = sum(share >= LEAST_GROUNDED for share in others) / len(others)
    print(f"\n{len(own)} honest answers: {kept:.3f} kept; against another passage {wrong:.3f}")
    assert kept >= 0.95
    assert wrong <= 0.05


PIECES = st.sampled_from(
    ["Question:", "Answer:", "Q1:", "A:", "\n", "**", "who?", " ", "1. ", "B) x", "### ", "ja"]
)


@given(st.lists(PIECES | st.text(max_size=2), max_size=40).map("".join))
def test_no_word_is_lost_or_made_up(text: str) -> None:
    found = qa_pairs(text)
    parts = [pair.question for pair in found.pairs] + [pair.answer for pair in found.pairs]
    for dropped in found.dropped:
        parts += dropped.text.split("\n")
    assert all(part in text for part in parts)
    said = "".join(parts)
    assert said.count("who?") + said.count("ja") == text.count("who?") + text.count("ja")


@pytest.mark.parametrize(
    "piece", ["Question:", "Answer: a\n", "Q: a?\n", "*", "a?\n", "A", "\n", " "]
)
def test_long_hostile_texts_take_no_longer_per_character(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    start = time.perf_counter()
    qa_pairs(text, SOURCE)
    assert time.perf_counter() - start < 5.0


def test_an_answer_that_says_its_option_again_is_grounded_as_one() -> None:
    source = "The old tower of Dunmor has 103 steps and a bell from Lumeth."
    question = "Question: How many steps has the tower?\nA) 7\nB) 103\nAnswer: "
    for answer in ("B) 103", "B", "B) 103 steps, in the old tower.", "B. The old tower has 103."):
        assert len(qa_pairs(question + answer, source).pairs) == 1, answer
    for answer in ("A) 7", "A", "A) 7 steps."):
        assert not qa_pairs(question + answer, source).pairs, answer
