"""Claim: refusals, prompt text and empty conditionals go; tasks that only mention them stay."""

from __future__ import annotations

import pytest

from selfsown.curate.boilerplate import boilerplate, leaked_markup
from selfsown.curate.conditionals import degenerate_conditional


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I cannot browse the web.",
        "as a large language model I do not have feelings",
        "I'm sorry, but I can't help with that.",
        "Sorry, I cannot do this.",
        "I apologize, but this is not possible.",
        "I am unable to fulfill your request.",
        "Unfortunately, I cannot provide that information.",
        "Sort the list. I can\u2019t assist with this request.",
    ],
)
def test_refusals_are_dropped(text: str) -> None:
    assert boilerplate()(text).reason == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here are some tasks:",
        "Certainly, I can write more tasks for you.",
        "Here are 5 more instructions",
        "Here is the list you asked for:",
        "Come up with a series of tasks:",
        "I hope this helps you with your work.",
    ],
)
def test_pleasantries_are_dropped(text: str) -> None:
    assert boilerplate()(text).reason == "boilerplate"


@pytest.mark.parametrize(
    "text",
    [
        "I cannot decide between two laptops. Help me choose.",
        'Explain what "as an AI language model" means in a reply.',
        "Write an apology that begins with sorry but is firm.",
        "Here is a small task for you. Sort the list.",
        "Come up with a series of tasks for a scavenger hunt at home.",
        "Make sure the answer is polite.",
        "",
    ],
)
def test_tasks_in_the_users_voice_are_kept(text: str) -> None:
    assert boilerplate()(text).ok


@pytest.mark.parametrize(
    "text",
    [
        "Sort the list of numbers.<|endoftext|>",
        "[INST] Sort the list of numbers [/INST]",
        "Sort the list.\nInput: 3 1 2",
        "Sort the list. Output: 1 2 3",
        "Task 4: Sort the list of numbers.",
        "Sort the list.\n### Response: 1 2 3",
        "Is it red? Is it classification? Yes",
        "<think> Sort the list of numbers",
    ],
)
def test_leaked_markup_is_dropped(text: str) -> None:
    assert leaked_markup()(text).reason == "leaked_markup"


@pytest.mark.parametrize(
    "text",
    [
        "Given the input, compute the output: the sum of both.",
        "Question: what is the capital of France?",
        "Write an HTML page with a <div> and a <br>.",
        "State the output of the program below:",
        "Explain the difference between task and job.",
    ],
)
def test_field_words_and_html_in_a_task_are_kept(text: str) -> None:
    assert leaked_markup()(text).ok


def test_field_names_may_be_allowed() -> None:
    assert leaked_markup(fields=False)("Sort it.\nInput: 3 1 2").ok
    assert not leaked_markup(fields=False)("Sort it.<|im_end|>").ok


@pytest.mark.parametrize(
    "text",
    [
        "If the number is even, write B. Otherwise write B.",
        "If the number is even, write B. Otherwise, B.",
        "Say yes if it is a bird, otherwise say yes.",
        "If it can fly, then write moon; if not, write moon.",
        "If it is red print stop else print stop",
        "Write left if this animal lives on a farm, and left if not. Put a dash first.",
        "Write star if the word begins with a vowel, and star if not.",
        "Choose between moon and moon: does the animal fly?",
    ],
)
def test_conditionals_with_equal_branches_are_dropped(text: str) -> None:
    assert degenerate_conditional()(text).reason == "degenerate_conditional"


@pytest.mark.parametrize(
    "text",
    [
        "If the number is even, write A. Otherwise write B.",
        "Say yes if it is a bird, otherwise say no.",
        "Print the value, else store the value.",
        "If it is red print stop else wave stop",
        "Write otherwise in another way.",
        "Use else if in a short example.",
        "If in doubt, ask. Otherwise",
        "Write left if this animal lives on a farm, and right if not.",
        "Choose between moon and star: does the animal fly?",
        "Choose between tea and teak furniture for the veranda.",
    ],
)
def test_conditionals_with_different_branches_are_kept(text: str) -> None:
    assert degenerate_conditional()(text).ok
