"""Documents of invented places with a fact per sentence, and a scripted model that knows them.

The model quotes, asks and answers by looking sentences up, so each of its habits can be made wrong
on purpose.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from selfsown.core.model import Capabilities
from selfsown.core.request import Request
from selfsown.models.scripted import ScriptedModel

CHAT = Capabilities(chat=True, completion=False, batch_invariant=True)
JSON_CHAT = Capabilities(chat=True, completion=False, schema=True, batch_invariant=True)
BASE = Capabilities(chat=False, completion=True, batch_invariant=True)

_SYLLABLES = "ba bel cor dun el far gor hal ist jor kar lim mar nor ost pel quin ros sal tor ul ver"
_TRADES = (
    "amber barley copper dye flax glass hemp ink kelp lace madder oats peat rope salt tar wool"
)
_SHAPES: tuple[tuple[str, str, str], ...] = (
    (
        "{a} has sold {w} since {n}, mostly to {b}.",
        "Since when has {a} sold {w}?",
        "Since {n}.",
    ),
    (
        "Carts may cross the bridge near {a} only if they weigh less than {n} kilograms.",
        "What may carts that cross the bridge near {a} weigh at most?",
        "Less than {n} kilograms.",
    ),
    (
        "Every autumn the people of {a} burn {w}, since {b} once saved them with it.",
        "Why do the people of {a} burn {w} every autumn?",
        "Since {b} once saved them with it.",
    ),
    (
        "A mason called {b} laid the floor of the hall in {a}, and used {w} between the stones.",
        "Who laid the floor of the hall in {a}?",
        "A mason called {b}.",
    ),
    (
        "Ships bound for {a} wait behind the island {b} until {n} bells have rung.",
        "Where do ships bound for {a} wait?",
        "Behind the island {b}.",
    ),
)

Fact = tuple[str, str]
FACTS: dict[str, Fact] = {}
"""Sentence → question and answer, of all documents made so far."""


def name(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES.split()) for _ in range(3)).capitalize()


def document(number: int, *, paragraphs: int = 2) -> dict[str, Any]:
    """A document with five facts a paragraph, unlike every other one."""
    rng = random.Random(f"document {number}")
    blocks = []
    for _ in range(paragraphs):
        sentences = []
        for sentence, question, answer in rng.sample(_SHAPES, len(_SHAPES)):
            values = {
                "a": name(rng),
                "b": name(rng),
                "w": rng.choice(_TRADES.split()),
                "n": rng.randrange(1100, 1990),
            }
            text = sentence.format(**values)
            FACTS[text] = (question.format(**values), answer.format(**values))
            sentences.append(text)
        blocks.append(" ".join(sentences))
    return {"id": f"doc-{number}", "text": "\n\n".join(blocks), "licence": "CC0-1.0"}


def documents(count: int, **given: Any) -> list[dict[str, Any]]:
    return [document(number, **given) for number in range(count)]


Items = list[dict[str, str]]


def scholar(
    *,
    capabilities: Capabilities = JSON_CHAT,
    change: Callable[[Items, str], Items] = lambda items, passage: items,
    answer: Callable[[str, str], str] = lambda question, known: known,
    closed_book: Callable[[str, str], str] = lambda question, known: "UNKNOWN",
    same: str = "DIFFERENT",
    stop_after: int | None = None,
) -> ScriptedModel:
    """A model that knows all facts.

    Args:
        capabilities: what it can do.
        change: (items about a passage, passage) → what it writes instead.
        answer: (question, true answer) → what it answers with the passage.
        closed_book: the same without.
        same: what it says of two answers.
        stop_after: see `ScriptedModel`.
    """

    def reply(request: Request, seed: int) -> str:
        prompt = request.prompt or "\n".join(turn.text for turn in request.messages)
        asked = _between(prompt, "request")
        if "<first>" in prompt:
            return same
        known = next((a for q, a in FACTS.values() if asked.startswith(q)), "UNANSWERABLE")
        if "<passage>" in prompt:
            passage = _between(prompt, "passage")
            shown = any(q == asked for s, (q, _) in FACTS.items() if s in passage)
            return answer(asked, known if shown else "UNANSWERABLE")
        if asked:
            return closed_book(asked, known)
        return _written(prompt, request)

    def _written(prompt: str, request: Request) -> str:
        passage = prompt.rsplit("Passage:", 1)[-1].removesuffix("Quote:").strip()
        found = [
            {"quote": sentence, "question": question, "answer": known}
            for sentence, (question, known) in FACTS.items()
            if sentence in passage
        ]
        items = change(found[:3], passage)
        if "Instruction:" in prompt or '"instruction"' in prompt:
            items = [
                {**one, "instruction": one["question"], "input": "", "response": one["answer"]}
                for one in items
            ]
        if request.schema is not None:
            wanted = request.schema["properties"]["items"]["items"]["required"]  # type: ignore[index,call-overload]
            return json.dumps({"items": [{key: one[key] for key in wanted} for one in items]})
        names = ("quote", "instruction", "response")
        if "Instruction:" not in prompt:
            names = ("quote", "question", "answer")
        lines = ["\n".join(f"{key.title()}: {one[key]}" for key in names) for one in items]
        text = "\n\n".join(lines) or "NONE"
        return text.removeprefix("Quote:") if request.prompt is not None else text

    return ScriptedModel(
        reply, capabilities=capabilities, identity="scholar", stop_after=stop_after
    )


def _between(prompt: str, tag: str) -> str:
    found = re.search(rf"<{tag}>\n(.*?)\n</{tag}>", prompt, re.DOTALL)
    return found[1].strip() if found else ""


def stage(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    (found,) = (one for one in manifest["data"]["stages"] if one["stage"] == name)
    return found  # type: ignore[no-any-return]
