"""Everything that can be added to the core of an instruction.

*Modifiers* change the answer (capital letters, quotation marks ...). Openers, contexts and closers
do not: they are surface language, so that a pool of thousands of instructions that are mutually
unlike exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from selfsown.lab.world.kinds import KINDS

Position = Literal["", "suffix", "prefix", "infix"]
"""Where a modifier stands; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Modifier:
    """A demand on the form of the answer."""

    name: str
    apply: Callable[[str], str]
    undo: Callable[[str], str | None]
    """The plain answer behind a modified one; None if the answer does not have the form."""
    suffixes: tuple[str, ...]
    """Wordings as a sentence after the core."""
    prefixes: tuple[str, ...]
    """Wordings as a clause before the core, which then starts in lower case."""
    infix: str
    """Wording between the verb and its object, in commas."""

    def wordings(self, position: Position) -> tuple[str, ...]:
        """The wordings for one position."""
        texts = {"": (), "suffix": self.suffixes, "prefix": self.prefixes, "infix": (self.infix,)}
        return texts[position]


def _between(left: str, right: str) -> Callable[[str], str | None]:
    """Undo for answers of the form left + answer + right."""

    def undo(text: str) -> str | None:
        if not (text.startswith(left) and text.endswith(right)):
            return None
        return text[len(left) : len(text) - len(right)]

    return undo


def _undo_capitals(text: str) -> str | None:
    """Only the letter case is lost; open tasks compare in lower case where needed."""
    return text.lower() if text == text.upper() else None


def _undo_twice(text: str) -> str | None:
    half = len(text) // 2
    return text[:half] if text == f"{text[:half]} {text[:half]}" else None


MODIFIERS: dict[str, Modifier] = {
    modifier.name: modifier
    for modifier in (
        Modifier(
            "capitals",
            str.upper,
            _undo_capitals,
            ("Write the answer in capital letters.", "Use only capital letters."),
            ("In capital letters,", "With capital letters only,"),
            "in capital letters",
        ),
        Modifier(
            "twice",
            lambda text: f"{text} {text}",
            _undo_twice,
            ("Write the answer twice.", "Say everything two times."),
            ("Two times in a row,", "Twice and without a pause,"),
            "two times",
        ),
        Modifier(
            "quotes",
            lambda text: f'"{text}"',
            _between('"', '"'),
            ("Put the answer in quotation marks.", "Add quotation marks on both sides."),
            ("In quotation marks,", "Between quotation marks,"),
            "in quotation marks",
        ),
        Modifier(
            "brackets",
            lambda text: f"({text})",
            _between("(", ")"),
            ("Put the answer in brackets.", "Close the result in round brackets."),
            ("In brackets,", "Inside a pair of brackets,"),
            "in brackets",
        ),
        Modifier(
            "exclamation",
            lambda text: f"{text}!",
            _between("", "!"),
            ("End with an exclamation mark.", "Finish your reply with an exclamation mark."),
            ("With an exclamation mark at the end,", "Like someone who shouts,"),
            "with an exclamation mark",
        ),
        Modifier(
            "announce",
            lambda text: f"The answer is {text}",
            _between("The answer is ", ""),
            ("Begin with the words the answer is.", "Start your reply with the answer is."),
            ("Beginning with the answer is,", "After the words the answer is,"),
            "after the words the answer is",
        ),
        Modifier(
            "thanks",
            lambda text: f"{text} thank you",
            _between("", " thank you"),
            ("End with the words thank you.", "Say thank you after the answer."),
            ("With thank you at the end,", "Closing with a thank you,"),
            "followed by thank you",
        ),
        Modifier(
            "dash",
            lambda text: f"- {text}",
            _between("- ", ""),
            ("Put a dash before the answer.", "Start the line with a dash."),
            ("After a dash,", "With a dash in front,"),
            "after a dash",
        ),
    )
}

OPENERS: tuple[str, ...] = (
    "Here is a small task for you.",
    "Please do this exercise.",
    "This one is easy.",
    "Let us practise a little.",
    "Show me what you know.",
    "I need your help.",
    "Try the following exercise.",
    "Read carefully and then answer.",
    "Imagine that you are at school.",
    "A friend asks you this.",
)
"""Sentences before the instruction that change nothing."""

CLOSERS: tuple[str, ...] = (
    "Do not explain anything.",
    "Give just the result.",
    "Keep it short.",
    "Take your time.",
    "Be careful with the spelling.",
    "No other words are needed.",
)
"""Sentences after the instruction that change nothing."""

_CONTEXTS: tuple[str, ...] = (
    "You are given {it}.",
    "The input is {it}.",
    "Below you will find {it}.",
    "My teacher wrote down {it}.",
    "Someone shows you {it}.",
    "There is {it} on the card.",
    "Look at the input, which is {it}.",
    "Suppose that you have {it}.",
)


def contexts(kind: str) -> tuple[str, ...]:
    """Sentences that introduce an input of the kind; none for tasks without input."""
    if kind == "none":
        return ()
    noun = KINDS[kind].phrase
    it = "a list" if noun.startswith("a list") else noun
    return tuple(context.format(it=it) for context in _CONTEXTS)


VERBS: tuple[str, ...] = (
    "Give",
    "Write",
    "Name",
    "State",
    "Find",
    "Provide",
    "Tell me",
    "Write down",
)
"""What `{v}` stands for."""

DETERMINERS: tuple[str, ...] = ("the", "the given", "this")
"""What `{the}` stands for, in the singular; see `determiner` for plurals."""


def determiner(choice: str, template: str) -> str:
    """The determiner as it reads in a template: `this` becomes `these` before a plural."""
    is_plural = "{the} two " in template or "{the} numbers" in template
    return "these" if choice == "this" and is_plural else choice
