"""Claim: an item without proof, or that gives its answer away, or needs the passage, is named.

Tables of items by hand: each fault is found, and its honest neighbour is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.request import Completion
from selfsown.recipes.grounded.agreement import is_unanswered, same_answer
from selfsown.recipes.grounded.asking import fenced
from selfsown.recipes.grounded.checks import (
    Bounds,
    compared_question,
    fault_of,
    is_self_contained,
    leaks,
)
from selfsown.recipes.grounded.evidence import find_quotation
from selfsown.recipes.grounded.items import Item, Kind, Loss, items_in

PASSAGE = (
    "The Halden valve opens at 12 bar.  It was built by\nMarta Lind in 1931, and it is used in\n"
    "“dry” boilers \u2013 never in wet ones. Brass seats last about 9 years; steel seats last"
    " longer."
)


def item(question: str, answer: str, evidence: str = "opens at 12 bar", given: str = "") -> Item:
    return Item(question, given, answer, evidence)


# -- evidence


@pytest.mark.parametrize(
    ("quotation", "found"),
    [
        ("The Halden valve opens at 12 bar.", "The Halden valve opens at 12 bar."),
        ("It was built by Marta Lind", "It was built by\nMarta Lind"),
        ("it was BUILT  by marta lind", "It was built by\nMarta Lind"),
        (
            'used in "dry" boilers - never in wet ones',
            "used in\n“dry” boilers \u2013 never in wet ones",
        ),
        ('"…built by Marta Lind…"', "built by\nMarta Lind"),
        ("Marta Lind built it", None),
        ("The Halden valve opens at 13 bar.", None),
        ("The Halden valve ... Marta Lind", None),
        ("  ", None),
    ],
)
def test_a_quotation_is_found_word_for_word_or_not_at_all(
    quotation: str, found: str | None
) -> None:
    span = find_quotation(PASSAGE, quotation)
    assert (None if span is None else PASSAGE[span.start : span.end]) == found


@given(st.text(min_size=1, max_size=60), st.data())
def test_every_slice_of_a_text_is_found_where_the_same_words_stand(
    text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    wanted = text[start:end]
    span = find_quotation(text, wanted)
    bare = wanted.strip().strip("\"'`*_").strip()
    if span is not None:
        shown = " ".join(text[span.start : span.end].split()).casefold()
        assert shown and (shown in " ".join(text.split()).casefold())
    elif bare.isalnum() and bare.isascii():
        raise AssertionError(f"{wanted!r} is in {text!r}")


# -- faults


@pytest.mark.parametrize(
    ("question", "answer", "evidence", "reason"),
    [
        ("At what pressure does the Halden valve open?", "At 12 bar.", "opens at 12 bar", None),
        ("Who built the Halden valve?", "Marta Lind.", "It was built by Marta Lind in 1931", None),
        ("Is the Halden valve used in wet boilers?", "No.", "never in wet ones", None),
        ("At what pressure does the Halden valve open?", "At 13 bar.", "opens at 12 bar",
         "number_not_in_evidence"),
        ("At what pressure does the Halden valve open?", "At 12 bar.", "it opens at twelve bar",
         "evidence_not_found"),
        ("At what pressure does the Halden valve open?", "At 12 bar.", "12 bar",
         "evidence_too_short"),
        ("Does the Halden valve open at 12 bar, and at what pressure?", "At 12 bar.",
         "opens at 12 bar", "leaks_answer"),
        ("According to the passage, when does the valve open?", "At 12 bar.", "opens at 12 bar",
         "not_self_contained"),
        ("When does it open?", "At 12 bar.", "opens at 12 bar", "not_self_contained"),
        ("Why do brass seats of the Halden valve fail?",
         "Salty water slowly eats through softer metals.", "Brass seats last about 9 years",
         "not_grounded"),
        ("Who built the Halden valve?", "I'm sorry, but I cannot help with that.",
         "It was built by Marta Lind", "refusal"),
    ],
)  # fmt: skip
def test_the_first_fault_of_an_item_is_named(
    question: str, answer: str, evidence: str, reason: str | None
) -> None:
    one = item(question, answer, evidence)
    span = find_quotation(PASSAGE, one.evidence)
    fault = fault_of(one, "question", span, PASSAGE, Bounds(3, 0.5))
    assert (fault.reason if fault else None) == reason


@pytest.mark.parametrize(
    "question",
    [
        "What does the author recommend for wet boilers?",
        "Which valve is mentioned above?",
        "What is described in this section?",
        "In the given text, which seats last longer?",
        "How long do brass seats last, as stated in the document?",
        "What does the passage say about brass?",
        "Where was she born?",
        "And why is this so?",
    ],
)
def test_what_needs_the_passage_is_found(question: str) -> None:
    assert not is_self_contained(question, has_input=False)


@pytest.mark.parametrize(
    "question",
    [
        "Which author wrote the novel `Middlemarch`?",
        "How does a text editor of the vi family save a document?",
        "What does Section 230 of the Communications Decency Act protect?",
        "Who translated the book of Job for Ann Lee?",
        "Is it possible to open a Halden valve by hand?",
        "How do the brass seats of a Halden valve wear, and why is that so?",
        "What is the source of the river Inn?",
        "In which chapter of the Rule does Benedict speak of silence?",
    ],
)
def test_honest_questions_may_speak_of_texts_and_authors(question: str) -> None:
    assert is_self_contained(question, has_input=False)


def test_an_instruction_with_an_input_may_speak_of_it() -> None:
    asked = "Say which valve the following text describes."
    assert is_self_contained(asked, has_input=True)
    assert not is_self_contained(asked, has_input=False)
    assert not is_self_contained("Compare it with the above passage.", has_input=True)


@pytest.mark.parametrize(
    "read",
    [
        lambda blanks: is_self_contained(f"What stands in the{blanks}x?", has_input=False),
        lambda blanks: fenced(f"<{blanks}x"),
        lambda blanks: items_in(Completion(f"```a{blanks[:3000]}x"), "question"),
    ],
)
def test_long_runs_of_white_space_cost_no_time(read: Callable[[str], object]) -> None:
    began = time.process_time()
    read(" " * 50_000)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text", ["[" * 5000, '{"items": ' * 5000, "[" * 900 + "]" * 900, '[{"quote": ' + '"' * 60_000]
)
def test_json_that_is_nested_or_broken_beyond_measure_is_unread(text: str) -> None:
    (found,) = items_in(Completion(text), "question")
    assert found == Loss("unread", text.strip())


def test_json_may_stand_in_a_fence() -> None:
    inner = '[{"quote": "opens at 12 bar", "question": "When?", "answer": "At 12 bar."},]'
    for text in (inner, f"```json\n{inner}\n```", f"```\n{inner}"):
        assert items_in(Completion(text), "question") == (item("When?", "At 12 bar."),)


def test_choices_and_yes_or_no_do_not_leak() -> None:
    assert leaks(item("Who was Marta Lind, the builder of the valve?", "Marta Lind"))
    assert not leaks(item("Do brass seats or steel seats last longer?", "Steel seats."))
    assert not leaks(item("Is it no good in wet boilers?", "No"))


def test_questions_that_differ_in_one_name_are_compared_by_it() -> None:
    one, other = (item(f"In which year was {n} founded?", "x") for n in ("Alba", "Borga"))
    assert compared_question(one).split() == ["year", "alba", "founded"]
    assert compared_question(other) != compared_question(one)
    again = item("What is the year in which Alba was founded?", "x")
    assert compared_question(again) == compared_question(one)


# -- agreement


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        ("At 12 bar.", "12 bar", True),
        ("12 bar", "12 Bar.", True),
        ("It opens at 12 bar", "at 12 bar", True),
        ("at 13 bar", "at 12 bar", False),
        ("Marta Lind built it in 1931.", "Marta Lind", True),
        ("Yes, it is.", "Yes.", True),
        ("No, never.", "Yes, always.", False),
        ("Yes, since brass is soft.", "Yes, since brass is cheap.", None),
        ("used in dry boilers", "not used in dry boilers", None),
        ("1,200 kilograms", "1200 kilograms", True),
        ("the United States", "the USA", None),
        ("", "x", None),
    ],
)
def test_a_program_says_whether_short_answers_agree(
    answer: str, reference: str, same: bool | None
) -> None:
    assert same_answer(answer, reference) == same


def test_a_model_that_has_no_answer_is_heard() -> None:
    assert is_unanswered("UNANSWERABLE.") and is_unanswered('"Unknown"')
    assert not is_unanswered("The unknown soldier")


# -- reading


def read(text: str, kind: Kind = "question", **given: str) -> list[object]:
    found = items_in(Completion(text), kind, **given)
    return [one.reason if isinstance(one, Loss) else one.instruction for one in found]


FORMS = [
    "Quote: a b c\nQuestion: Why?\nAnswer: So.\n\nQuote: d e f\nQuestion: How?\nAnswer: Thus.",
    "**Quote 1:** a b c\n**Question 1:** Why?\n**Answer 1:** So.\n"
    "**Quote 2:** d e f\n**Question 2:** How?\n**Answer 2:** Thus.",
    "1. Question: Why?\n   Answer: So.\n   Quote: “a b c”\n"
    "2. Question: How?\n   Answer: Thus.\n   Quote: “d e f”",
    "Evidence: a b c\nQ: Why?\nA: So.\nEvidence: d e f\nQ: How?\nA: Thus.",
    '```json\n{"items": [{"quote": "a b c", "question": "Why?", "answer": "So."},'
    ' {"quote": "d e f", "question": "How?", "answer": "Thus."}]}\n```',
    '[{"quote": "a b c", "question": "Why?", "answer": "So."},'
    ' {"quote": "d e f", "question": "How?", "answer": "Thus."}]',
]


@pytest.mark.parametrize("text", FORMS)
def test_items_are_read_in_many_forms(text: str) -> None:
    assert read(text) == ["Why?", "How?"]


def test_a_completion_goes_on_where_its_prompt_ended() -> None:
    assert read(" a b c\nQuestion: Why?\nAnswer: So.", opening="Quote:") == ["Why?"]


def test_names_of_the_other_kind_are_understood_and_lines_of_an_answer_stay_in_it() -> None:
    assert read(FORMS[0], "task") == ["Why?", "How?"]
    assert read(FORMS[4], "task") == ["Why?", "How?"]
    text = "Quote: a b c\nQuestion: What does it print?\nAnswer: Two lines.\nOutput: 1\nInput: 2"
    (found,) = items_in(Completion(text), "question")
    assert isinstance(found, Item) and found.output == "Two lines.\nOutput: 1\nInput: 2"


def test_what_is_no_item_is_named() -> None:
    assert read("NONE") == ["nothing_to_ask"]
    assert read("I like this passage.") == ["unread"]
    assert read("Sure!\nQuote: a\nQuestion: Why?\nAnswer: So.") == ["stray_text", "Why?"]
    assert read("Question: Why?\nAnswer: So.") == ["no_evidence"]
    assert read("Quote: a\nQuestion: Why?\nQuote: b\nAnswer: So.") == ["no_answer", "no_question"]
    cut = Completion("Quote: a\nQuestion: Why?\nAnswer: So", finish_reason="length")
    assert [one.reason for one in items_in(cut, "question") if isinstance(one, Loss)] == ["cut_off"]


PIECES = ("Quote:", "Question: ", "**Answer 1:**", "\n", "Instruction:", "Input: none", "[", "{",
          '"quote"', "}", "```json", "a b", "NONE", "1. ")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12), st.booleans())
def test_whatever_a_model_writes_is_read_or_named(pieces: list[str], cut_off: bool) -> None:
    completion = Completion("".join(pieces), finish_reason="length" if cut_off else "stop")
    kinds: tuple[Kind, ...] = ("question", "task")
    for kind in kinds:
        found = items_in(completion, kind)
        assert found or not completion.text.strip()
        for one in found:
            assert isinstance(one, Loss) or (one.instruction and one.output and one.evidence)


def test_a_task_has_an_input_only_where_it_says_one() -> None:
    text = "Quote: a\nInstruction: Do.\nInput: {}\nResponse: Done."
    (with_input,) = items_in(Completion(text.format("this")), "task")
    (without,) = items_in(Completion(text.format("none")), "task")
    assert isinstance(with_input, Item) and with_input.input == "this"
    assert isinstance(without, Item) and without.input == ""
