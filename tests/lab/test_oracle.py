"""Claim: the oracle is right; each expectation is worked out by hand."""

from __future__ import annotations

import random

import pytest

from selfsown.lab import oracle
from selfsown.lab.world import sample_instruction, sample_item

RIGHT = [
    ("Give the capital of the country.", "France", "Paris"),
    ("In capital letters, give the capital of the given country.", "Japan", "TOKYO"),
    ("Give, in brackets, the capital of this country.", "Peru", "(Lima)"),
    ("Give the first letter of the capital of the country.", "Italy", "R"),
    ("Think of the sound of the animal and count its letters.", "owl", "4"),
    ("For each animal in the list, write the home of this animal.", "bee, bear", "hive, forest"),
    ("Is the number even? Write the answer twice.", "7", "no no"),
    ("If the animal can fly, write sun. Otherwise write moon.", "bat", "sun"),
    ("Sort the list in alphabetical order.", "pig, Anna, dog", "Anna, dog, pig"),
    ("Remove the repeated items from the list.", "red, blue, red", "red, blue"),
    ("Give only the animals of the list.", "dog, Peru, cat", "dog, cat"),
    ("Which item of the list is the odd one out?", "dog, Monday, cat, cow", "Monday"),
    ("Leave the colour out of the sentence.", "Tom lost the red hat in the park.",
     "Tom lost the hat in the park."),
    ("What is the opposite of the word hot?", "", "cold"),
    ("How far apart are the two numbers?", "3, 12", "9"),
    ("Make a sentence that says what the person has.", "Ida, cup", "Ida has a cup."),
    ("Make a list of three colours.", "", "pink, red, blue"),
    ("Make a list of two animals. Use only capital letters.", "", "OWL, BEE"),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "text", "answer"), RIGHT)
def test_right_answers_are_accepted(instruction: str, text: str, answer: str) -> None:
    grade = oracle.check(instruction, text, answer)
    assert grade.is_correct and grade.reason == "right", grade
    assert oracle.check(instruction, text, f" {answer}\n").is_correct


@pytest.mark.parametrize(("instruction", "text", "answer"), RIGHT)
def test_the_same_answers_with_a_letter_more_are_wrong(
    instruction: str, text: str, answer: str
) -> None:
    grade = oracle.check(instruction, text, f"{answer}x")
    assert grade.is_task and grade.is_input_valid and not grade.is_correct
    assert grade.reason == "wrong"


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        ("Give the capital of the country.", "Atlantis"),
        ("Give the capital of the country.", ""),
        ("What is the opposite of the word hot?", "hot"),
        ("Sort the numbers from small to large.", "3, two, 1"),
        ("Give only the animals of the list.", "Peru, Cuba"),
        ("Which item of the list is the odd one out?", "dog, cat, cow"),
        ("Leave the colour out of the sentence.", "Tom sleeps."),
    ],
)
def test_inputs_that_the_task_cannot_use_are_named(instruction: str, text: str) -> None:
    grade = oracle.check(instruction, text, "x")
    assert (grade.is_task, grade.is_input_valid, grade.reason) == (True, False, "bad_input")
    assert grade.reference is None


@pytest.mark.parametrize(
    "instruction",
    [
        "",
        "Write a poem about the sea.",
        "Give the capital of the country",
        "give the capital of the country.",
        "You are given an animal. Give the capital of the country.",
        "If the animal can fly, write sun. Otherwise write sun.",
        "Is, in brackets, the number even?",
    ],
)
def test_what_is_not_a_sentence_of_the_world_is_no_task(instruction: str) -> None:
    assert oracle.parse(instruction) is None
    assert oracle.check(instruction, "France", "Paris").reason == "not_a_task"
    assert not oracle.is_unseen(instruction)


@pytest.mark.parametrize("answer", ["red, red, blue", "red, blue", "red, dog, blue", "red"])
def test_an_open_task_needs_so_many_different_members(answer: str) -> None:
    assert not oracle.check("Make a list of three colours.", "", answer).is_correct


def test_every_reference_is_right_to_the_oracle() -> None:
    rng = random.Random(11)
    for _ in range(1_500):
        item = sample_item(rng, sample_instruction(rng, "any"))
        grade = oracle.check(item.instruction.text, item.input, item.answer)
        assert grade.is_correct and grade.reference == item.answer, item
