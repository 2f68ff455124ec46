"""Seventeen tasks on sentences: reading, classifying, counting and rewriting them."""

from __future__ import annotations

import re

from selfsown.lab.world import lexicon as lex
from selfsown.lab.world.kinds import OPINION, STORY, TOPIC, tense_of, topic_of
from selfsown.lab.world.task_table import Solver, TaskRow

REPLACING_NAMES = lex.NAMES[:6]


def _part(group: str) -> Solver:
    """Reads one named part of a story."""
    return lambda text, _: _story(text)[group]


def _story(text: str) -> dict[str, str]:
    match = STORY.fullmatch(text)
    assert match is not None
    return match.groupdict()


def _sentiment(text: str, _: str) -> str:
    match = OPINION.fullmatch(text)
    assert match is not None
    return "positive" if match["word"] in lex.GOOD_WORDS else "negative"


def _topic(text: str, _: str) -> str:
    match = TOPIC.fullmatch(text)
    assert match is not None
    return topic_of(match["word"])


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", text)


def _replace(group: str) -> Solver:
    """Writes the argument in the place of one part of a story."""

    def solve(text: str, argument: str) -> str:
        match = STORY.fullmatch(text)
        assert match is not None
        return text[: match.start(group)] + argument + text[match.end(group) :]

    return solve


SENTENCE_TASKS: tuple[TaskRow, ...] = (
    TaskRow(
        "sentiment",
        "opinion",
        (
            "Is the opinion in {the} sentence positive or negative?",
            "Classify {the} sentence as positive or negative.",
            "Decide if the speaker is pleased: write positive or negative.",
        ),
        _sentiment,
        is_classification=True,
    ),
    TaskRow(
        "tense",
        "story",
        (
            "Is {the} sentence about the past, the present or the future?",
            "Classify the tense of {the} sentence as past, present or future.",
            "{v} the tense of {the} sentence.",
        ),
        lambda t, _: tense_of(_story(t)["verb"]) or "",
        is_classification=True,
    ),
    TaskRow(
        "topic",
        "topic",
        (
            "Is {the} sentence about sport, food, weather or music?",
            "{v} the topic of {the} sentence.",
            "Classify {the} sentence by topic: sport, food, weather or music.",
        ),
        _topic,
        is_classification=True,
    ),
    TaskRow(
        "who",
        "story",
        (
            "Who does something in {the} sentence?",
            "{v} the person in {the} sentence.",
            "Which person is {the} sentence about?",
        ),
        _part("name"),
    ),
    TaskRow(
        "what",
        "story",
        (
            "Which thing is {the} sentence about?",
            "{v} the object in {the} sentence.",
            "What thing does the person in {the} sentence deal with?",
        ),
        _part("object"),
    ),
    TaskRow(
        "where",
        "story",
        (
            "Where does {the} sentence take place?",
            "{v} the place in {the} sentence.",
            "In which place does it happen?",
        ),
        _part("place"),
    ),
    TaskRow(
        "which_colour",
        "story",
        (
            "Which colour does the thing in {the} sentence have?",
            "{v} the colour in {the} sentence.",
            "Look for the colour word in {the} sentence.",
        ),
        _part("colour"),
    ),
    TaskRow(
        "which_verb",
        "story",
        (
            "{v} the verb of {the} sentence.",
            "Which word of {the} sentence says what is done?",
            "Look for the verb in {the} sentence.",
        ),
        lambda t, _: _story(t)["verb"].split()[-1],
    ),
    TaskRow(
        "first_word",
        "story",
        (
            "{v} the first word of {the} sentence.",
            "Which word does {the} sentence begin with?",
            "With what word does {the} sentence open?",
        ),
        lambda t, _: _words(t)[0],
    ),
    TaskRow(
        "last_word",
        "story",
        (
            "{v} the last word of {the} sentence.",
            "Which word does {the} sentence end with?",
            "With what word does {the} sentence close?",
        ),
        lambda t, _: _words(t)[-1],
    ),
    TaskRow(
        "word_count",
        "story",
        (
            "Count the words of {the} sentence.",
            "How many words are in {the} sentence?",
            "{v} the number of words in {the} sentence.",
        ),
        lambda t, _: str(len(_words(t))),
    ),
    TaskRow(
        "copy",
        "story",
        (
            "Copy {the} sentence word for word.",
            "Repeat {the} sentence without any change.",
            "{v} {the} sentence again exactly as it is.",
        ),
        lambda t, _: t,
    ),
    TaskRow(
        "replace_name",
        "story",
        (
            "Replace the name in {the} sentence by {x}.",
            "Rewrite {the} sentence so that it is about {x}.",
            "Use {x} as the new person in {the} sentence.",
        ),
        _replace("name"),
        REPLACING_NAMES,
    ),
    TaskRow(
        "replace_colour",
        "story",
        (
            "Replace the colour in {the} sentence by {x}.",
            "Rewrite {the} sentence so that the thing is {x}.",
            "Paint the thing in {the} sentence {x}.",
        ),
        _replace("colour"),
        lex.COLOURS,
    ),
    TaskRow(
        "replace_place",
        "story",
        (
            "Replace the place in {the} sentence by {x}.",
            "Rewrite {the} sentence so that it happens in the {x}.",
            "Let {the} sentence take place in the {x}.",
        ),
        _replace("place"),
        lex.PLACES,
    ),
    TaskRow(
        "drop_colour",
        "story",
        (
            "Leave the colour out of {the} sentence.",
            "{v} {the} sentence without the colour.",
            "Rewrite {the} sentence and say nothing about the colour.",
        ),
        lambda t, _: t.replace(f" {_story(t)['colour']} ", " ", 1),
    ),
    TaskRow(
        "ask_who",
        "story",
        (
            "Turn {the} sentence into a question about the person.",
            "Make a question that starts with who from {the} sentence.",
            "Ask who does what {the} sentence tells.",
        ),
        lambda t, _: "Who " + t.split(" ", 1)[1].removesuffix(".") + "?",
    ),
)
