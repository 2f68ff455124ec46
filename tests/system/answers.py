"""What the local server of these tests answers: pure functions of a request's body."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from typing import Any, Final

from tests.core import growing
from tests.recipes.gardener import WORDS, instruction
from tests.recipes.grounded import scholar

from selfsown.core.request import Request, message

Body = Mapping[str, Any]

_PLACES: Final = [scholar.document(number) for number in range(20)]
"""Made so that the scholar knows their facts."""
_SCHOLAR: Final = scholar.scholar(capabilities=scholar.CHAT)
_OPEN_ITEM: Final = re.compile(r"\n(Task )?(\d+)[.:]$")


def word(body: Body) -> str:
    """For the growing pool of `tests.core.growing`: one word."""
    return growing.answer(body["prompt"], 0)


def garden(body: Body) -> str:
    """For Self-Instruct in the completion layout: lists, Yes or No, worked examples, votes."""
    prompt = str(body["prompt"]).rstrip()
    rng = random.Random(hashlib.sha256(prompt.encode()).digest())
    if prompt.endswith("Is it classification?"):
        return rng.choice((" Yes", " No", " No"))
    place = _OPEN_ITEM.search(prompt)
    if place:
        mark, first = place[1] or "", int(place[2])
        end = ":" if mark else "."
        items = [f"\n{mark}{first + k}{end} {instruction(rng)}" for k in range(7)]
        return " " + "".join(items).split(f"{end} ", 1)[1]
    if prompt.endswith("\nOutput:"):
        asked = prompt.removesuffix("\nOutput:").rpartition("Input: ")[2]
        return rng.choice((f" {asked.upper()}", f" {asked.upper()}", " perhaps"))
    given = " ".join(rng.sample(WORDS, 3))
    if "Class label:" in prompt:
        return f"Class label: red\nInput: {given}\nClass label: blue\nInput: {given[::-1]}"
    return f"Example 1\nInput: {given}\nOutput: {given.upper()}"


def grade(body: Body) -> str:
    """For the rubric: reasons and a score, by what is shown."""
    shown = str(body["messages"]).encode()
    return f"It says something.\nScore: {hashlib.sha256(shown).digest()[0] % 6}"


def answer_and_grade(body: Body) -> str:
    """For a policy that judges itself: a score where an answer is shown, else an answer."""
    if "<answer>" in body["messages"][-1]["content"]:
        return grade(body)
    asked = f"{body['messages']} {body['temperature']}"
    return " ".join(random.Random(asked).sample(WORDS, 4))


def about_places(body: Body) -> str:
    """For questions about invented places: the scholar, who looks them up."""
    asked = "\n".join(turn["content"] for turn in body["messages"])
    told = _SCHOLAR._function
    assert told is not None
    return str(told(Request(messages=(message("user", asked),)), 0))


def value(body: Body) -> str:
    """For topics: what there is to learn from one, by what is shown of it."""
    shown = str(body["messages"]).encode()
    return f"Topic: Something\nEducational value: {hashlib.sha256(shown).digest()[0] % 10 + 1}"
