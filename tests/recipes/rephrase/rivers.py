"""Documents about rivers that do not exist, and a model that says them again in any style.

What it writes is a function of the request alone, so that killed runs go on with the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from selfsown.core.model import AttemptFailed
from selfsown.core.request import JSON, Completion, Request, Usage
from selfsown.models.scripted import ScriptedModel
from selfsown.recipes.rephrase.style import NAMES, style_named
from selfsown.results import RunResult
from selfsown.runner import run

_SAYINGS = (
    (
        "The river {name} is {a} miles long and ends in the lake near {town}.",
        "Over {a} miles flows the {name} river, and the lake near {town} is where it ends.",
        "How long is the {name}?",
    ),
    (
        "In {town} the mayor {name} opened {a} new schools for young weavers.",
        "{a} schools, all of them new, were opened for young weavers by the mayor {name} in"
        " {town}.",
        "Which schools did {name} open?",
    ),
    (
        "Merchants carry {a} barrels of salt from {town} across the bridge of {name}.",
        "From {town}, over the bridge of {name}, {a} barrels of salt are carried by merchants.",
        "What crosses the bridge of {name}?",
    ),
    (
        "The old tower of {name} has {a} steps and a bell from {town}.",
        "A bell from {town} hangs in the old tower of {name}, which has {a} steps.",
        "How many steps has the tower of {name}?",
    ),
    (
        "Every autumn {a} storks leave the marsh of {town} and follow the {name} valley south.",
        "South along the {name} valley go {a} storks every autumn when they leave the marsh of"
        " {town}.",
        "Where do the storks of {town} go?",
    ),
    (
        "Baker {name} sells bread with honey to {a} families at the {town} market.",
        "At the market of {town}, {a} families buy bread with honey that baker {name} sells.",
        "What does {name} sell?",
    ),
    (
        "A fire in the year {a} destroyed the wooden church where {name} of {town} was buried.",
        "The wooden church, burial place of {name} of {town}, was destroyed by a fire in the year"
        " {a}.",
        "When did the church burn where {name} was buried?",
    ),
)
"""What is said, how it is said again, and what may be asked about it."""
_HOLES = (("name", r"\w+"), ("a", r"\d+"), ("town", r"\w+"))
_NAMES = ("Ardel", "Belmar", "Corvin", "Dunmor", "Elstra", "Farwen", "Gorlan", "Hestel")
_TOWNS = ("Ikerby", "Jorvale", "Keldon", "Lumeth", "Morrow")


def _pattern(said: str) -> re.Pattern[str]:
    pattern = re.escape(said)
    for hole, found in _HOLES:
        pattern = pattern.replace(rf"\{{{hole}\}}", f"(?P<{hole}>{found})")
    return re.compile(pattern)


_SAID = tuple(_pattern(said) for said, _, _ in _SAYINGS)
_STYLE_OF = {" ".join(text.split()): name for name in NAMES for text in style_named(name).templates}

Words = Callable[[str, str], "str | Completion | AttemptFailed"]
"""(style, passage) -> the answer."""


def sentence(number: int) -> str:
    """One fact, another for each number."""
    name, town = _NAMES[number % 8], _TOWNS[number % 5]
    return _SAYINGS[number % 7][0].format(name=name, a=100 + number, town=town)


def facts(passage: str) -> Iterator[tuple[int, dict[str, str]]]:
    """What a passage says: the number of each saying, and its words, in order."""
    found = [
        (match.start(), number, match.groupdict())
        for number, said in enumerate(_SAID)
        for match in said.finditer(passage)
    ]
    yield from ((number, words) for _, number, words in sorted(found, key=lambda one: one[0]))


def told_again(passage: str) -> str:
    """Its facts in other words."""
    return " ".join(_SAYINGS[number][1].format(**words) for number, words in facts(passage))


def questions(passage: str) -> str:
    """Its facts as pairs."""
    return "\n\n".join(
        f"Question: {_SAYINGS[number][2].format(**words)}\n"
        f"Answer: {_SAYINGS[number][1].format(**words)}"
        for number, words in facts(passage)
    )


def honest(style: str, passage: str) -> str:
    """An answer that every reader and the gate take."""
    form, told = style_named(style).form, told_again(passage).replace(". ", ".\n").splitlines()
    if form == "questions":
        return questions(passage)
    if form == "list":
        return "\n".join(f"- {one}" for one in told)
    if form == "table":
        cells = "\n".join(f"| {one} |" for one in told)
        return f"| Facts |\n|---|\n{cells}\n\n{questions(passage).partition(chr(10) * 2)[0]}"
    if form == "steps":
        return "\n".join(f"{number}. {one}" for number, one in enumerate((*told, *told[:1]), 1))
    if form == "problem":
        return f"Problem: {told[0]} What is twice its number?\n\nSolution: 2 * 3 = 6, so 6."
    return f"{style_named(style).opening}\n{' '.join(told)}".strip()


def asked(request: Request) -> tuple[str, str]:
    """The style and the passage of a request."""
    text = request.prompt or request.messages[-1].text
    plain = " ".join(text.split())
    style = next(name for words, name in _STYLE_OF.items() if words in plain)
    return style, text.split("<source>\n")[1].split("\n</source>")[0]


def model(words: Words = honest, **given: Any) -> ScriptedModel:
    """A model that says `words` of style and passage."""

    def answer(request: Request, _seed: int) -> str | Completion | AttemptFailed:
        return words(*asked(request))

    return ScriptedModel(answer, **{"identity": "rivers", **given})


def document(number: int, sentences: int = 3, **fields: JSON) -> dict[str, JSON]:
    """A document, other facts for each number."""
    text = " ".join(sentence(100 * number + k) for k in range(sentences))
    return {"id": f"d{number}", "text": text, **fields}


def cut_off(text: str, output_tokens: int, finish_reason: str = "stop") -> Completion:
    """An answer with so many tokens."""
    usage = Usage(10, output_tokens)
    return Completion(text, finish_reason=finish_reason, usage=usage)  # type: ignore[arg-type]


def rephrasing(
    out: Path,
    rows: list[dict[str, JSON]] | None = None,
    *,
    words: Words = honest,
    generator: ScriptedModel | None = None,
    models: Mapping[str, Any] | None = None,
    **options: Any,
) -> RunResult:
    """A run over documents, in style medium unless said otherwise."""
    return run(
        "rephrase",
        out=out,
        models={"generator": generator or model(words), **(models or {})},
        rows=[document(0)] if rows is None else rows,
        **{"styles": ["medium"], **options},
    )


def stages(result: RunResult) -> dict[str, dict[str, Any]]:
    """The counts of a run by stage."""
    return {str(stage["stage"]): stage for stage in result.manifest["data"]["stages"]}
