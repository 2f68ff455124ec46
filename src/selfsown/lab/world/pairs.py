"""Five tasks on two things, and three that build a sentence from two words."""

from __future__ import annotations

import random

from selfsown.lab.world.kinds import KINDS, split_list
from selfsown.lab.world.task_table import Solver, TaskRow


def _numbers(text: str) -> tuple[int, int]:
    a, b = split_list(text)
    return int(a), int(b)


def _differ_in_length(text: str) -> bool:
    return len({len(word) for word in split_list(text)}) == 2


def _words_of_two_lengths(rng: random.Random, _: str) -> str:
    while True:
        text = KINDS["word_pair"].sample(rng)
        if _differ_in_length(text):
            return text


def _fill(template: str) -> Solver:
    """Puts the two words into a sentence."""
    return lambda text, _: template.format(*split_list(text))


PAIR_TASKS: tuple[TaskRow, ...] = (
    TaskRow(
        "add",
        "number_pair",
        (
            "{v} the sum of {the} two numbers.",
            "Add {the} two numbers.",
            "How much do {the} two numbers make together?",
        ),
        lambda text, _: str(sum(_numbers(text))),
    ),
    TaskRow(
        "subtract",
        "number_pair",
        (
            "{v} the difference between {the} two numbers.",
            "Take the smaller number away from the larger one.",
            "How far apart are {the} two numbers?",
        ),
        lambda text, _: str(abs(_numbers(text)[0] - _numbers(text)[1])),
    ),
    TaskRow(
        "swap",
        "word_pair",
        (
            "Swap {the} two words.",
            "{v} the second word and then the first word.",
            "Exchange the places of {the} two words.",
        ),
        lambda text, _: ", ".join(reversed(split_list(text))),
    ),
    TaskRow(
        "longer",
        "word_pair",
        (
            "{v} the longer of {the} two words.",
            "Which of {the} two words is longer?",
            "Compare {the} two words and choose the longer one.",
        ),
        lambda text, _: max(split_list(text), key=len),
        validator=lambda text, _: _differ_in_length(text),
        sampler=_words_of_two_lengths,
    ),
    TaskRow(
        "join",
        "word_pair",
        (
            "Join {the} two words into one.",
            "Write {the} two words without a space between them.",
            "Glue {the} two words together.",
        ),
        lambda text, _: "".join(split_list(text)),
    ),
)

BUILDING_TASKS: tuple[TaskRow, ...] = (
    TaskRow(
        "build_place",
        "name_place",
        (
            "Make a sentence that says where the person is.",
            "Use the name and the place to say where somebody is.",
        ),
        _fill("{0} is in the {1}."),
    ),
    TaskRow(
        "build_colour",
        "object_colour",
        (
            "Make a sentence that gives the object its colour.",
            "Use the object and the colour to describe a thing.",
        ),
        _fill("The {0} is {1}."),
    ),
    TaskRow(
        "build_owner",
        "name_object",
        (
            "Make a sentence that says what the person has.",
            "Use the name and the object to say who owns it.",
        ),
        _fill("{0} has a {1}."),
    ),
)
