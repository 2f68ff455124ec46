"""Claim: an answer becomes exactly the text that was asked for, or a reason why it does not."""

from __future__ import annotations

import time
from random import Random

import pytest
from tests.recipes.rephrase.rivers import cut_off, questions, sentence, told_again

from selfsown.core.request import Completion
from selfsown.core.token_counts import estimate_tokens
from selfsown.recipes.rephrase.reading import Read, read_answer, without_opening
from selfsown.recipes.rephrase.style import style_named

PASSAGE = " ".join(sentence(k) for k in range(8))
TABLE = (
    "| River | Miles |\n|---|---:|\n| Ardel | 100 |\n| Belmar | 101 |\n"
    "\nQuestion: Which river is longer?\nAnswer: The Belmar, with 101 miles."
)


def read(style: str, answer: str | Completion, passage: str = PASSAGE, **change: object) -> Read:
    completion = Completion(answer) if isinstance(answer, str) else answer
    chosen = style_named(style, change)  # type: ignore[arg-type]
    return read_answer(completion, chosen, passage, estimate_tokens, Random(1))


@pytest.mark.parametrize(("tokens", "is_cut"), [(510, False), (511, True), (512, True)])
def test_an_answer_within_two_tokens_of_the_cap_was_cut_off(tokens: int, is_cut: bool) -> None:
    opening = style_named("wikipedia").opening
    found = read("wikipedia", cut_off(f"{opening}\n{told_again(PASSAGE)}", tokens))
    assert (found.reason == "cut_off") == is_cut


def test_an_answer_that_the_server_calls_cut_off_is() -> None:
    assert read("medium", cut_off(told_again(PASSAGE), 9, "length")).reason == "cut_off"


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("Condensed:\nThe text.", "\nThe text."),
        ("  **Condensed:** The text.", " The text."),
        ("## condensed\nThe text.", "\nThe text."),
        ("Condensed matter is cold.", None),
        ("Here you go. Condensed:\nThe text.", None),
        ("The text.", None),
        ("", None),
    ],
)
def test_the_required_first_line_is_checked_and_cut_off(answer: str, rest: str | None) -> None:
    assert without_opening(answer, "Condensed:") == rest
    if rest is None:
        assert read("distil", answer).reason == "no_opening"


def test_prose_loses_its_introduction_and_nothing_else() -> None:
    told = told_again(PASSAGE)
    assert read("medium", f"Here is a paraphrase of the passage:\n\n{told}").text == told
    assert read("medium", told).text == told
    assert read("medium", "").reason == "empty"


def test_questions_are_read_in_pairs_and_what_is_none_is_counted() -> None:
    one, two = questions(sentence(0)), questions(sentence(1))
    found = read("qa", f"{one}\n\n{two}\n\nQuestion: And what else?")
    assert found.text == f"{one}\n\n{two}"
    assert found.lost == {"unpaired_question": 1}
    assert "Question" not in found.said
    assert read("qa", "There is nothing to ask.").reason == "no_questions"


def test_sampled_questions_are_some_of_the_pairs_and_the_gate_sees_all() -> None:
    passage = " ".join(sentence(k) for k in range(30))
    answer = questions(passage)
    found = read("diverse_qa", answer, passage)
    assert found.text is not None
    pairs = found.text.split("\n\n")
    assert 1 <= len(pairs) <= 40 and set(pairs) <= set(answer.split("\n\n"))
    assert all(str(100 + k) in found.said for k in range(30))


def test_options_and_mixed_questions_are_not_held_against_the_passage() -> None:
    choice = (
        "Question: How many steps has the tower of Dunmor?\nA) 7\nB) 103\nC) 900\n"
        "Answer: B) 103 steps, in the old tower."
    )
    wrong = "Question: Does the Ardel end in Prague?\nAnswer: No, it ends in the lake near Ikerby."
    found = read("qa", f"{choice}\n\n{wrong}")
    assert found.text == f"{choice}\n\n{wrong}" and "Prague" in found.said
    assert "900" not in found.said and "103 steps" in found.said
    mixed = read("diverse_qa", f"{choice}\n\n{wrong}", least_output=1)
    assert "Prague" not in mixed.said and "103 steps" in mixed.said


def test_a_list_is_its_items_without_what_stands_around_them() -> None:
    found = read("knowledge_list", "Facts:\n* The Ardel has 2 mills.\n2) It is long.\nDone.",
                 least_output=1)  # fmt: skip
    assert found.text == "- The Ardel has 2 mills.\n- It is long."
    assert found.said == "The Ardel has 2 mills.\nIt is long."
    assert read("knowledge_list", "No item at all.").reason == "no_list"


def test_a_table_has_a_header_a_body_and_one_question() -> None:
    found = read("table", f"{TABLE}\n\nQuestion: Another?\nAnswer: Not kept.")
    assert found.text == TABLE
    assert "|" not in found.said and "Question" not in found.said
    assert read("table", TABLE.partition("\n\n")[0]).reason == "no_questions"
    assert (
        read("table", "| River | Miles |\n|---|---|\n\nQuestion: a?\nAnswer: b").reason
        == "no_table"
    )
    assert read("table", "Question: a?\nAnswer: b").reason == "no_table"


def test_a_tutorial_has_steps_that_are_numbered_without_a_gap() -> None:
    text = "First look.\n1. Find the Ardel.\n2. Follow it for 100 miles.\n**3.** Count its mills."
    found = read("tutorial", text, least_output=1)
    assert found.text == text
    assert found.said.splitlines()[1:3] == ["Find the Ardel.", "Follow it for 100 miles."]
    for wrong in ("No steps.", "1. One alone.", "1. One.\n3. Three.", "2. Two.\n3. Three."):
        assert read("tutorial", wrong, least_output=1).reason == "no_steps"


def test_a_problem_has_a_solution_whose_calculations_come_out() -> None:
    problem = "**Problem:** The Ardel is 100 miles long, the Belmar 101. And together?"
    good = f"{problem}\n\nSolution: 100 + 101 = 201"
    found = read("math", good, least_output=1)
    assert found.text == good.replace("*", "")
    assert read("math", good.replace("201", "202"), least_output=1).reason == "wrong_arithmetic"
    assert read("math", problem, least_output=1).reason == "no_problem"


def test_too_little_text_is_no_text() -> None:
    found = read("extract_knowledge", "The Ardel is long.")
    assert (found.reason, found.score) == ("too_few_tokens", 5.0)


HOSTILE = (
    " " * 20_000,
    "\n" * 20_000,
    "|" * 20_000,
    "| - " * 5_000,
    "1. " * 7_000,
    "*" * 20_000,
    "\t#_* " * 4_000,
    "Question: " * 2_000,
    "Problem: " + "\n-" * 9_000,
    "$$" * 10_000,
)


@pytest.mark.parametrize("style", ["medium", "qa", "knowledge_list", "table", "tutorial", "math"])
def test_no_answer_takes_long_to_read(style: str) -> None:
    for text in HOSTILE:
        began = time.process_time()
        read(style, f"x{text}y", "A short passage.")
        assert time.process_time() - began < 2.0, text[:20]
