"""A writer behind the local server: it says passages again by rules, and is careless on purpose.

`write(body)` answers requests of `rephrase` (prose, and questions with answers) and `cosmopedia`.
What it does with a passage is a function of the passage: most are said again honestly, in other
words and another order; the rest get one fault each (`said_again`), so that what a gate let through
can be counted. It knows no code under test.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from typing import Any, Final

from tests.curate.planted import FAULTS

FAULT_SHARE: Final = 0.02
"""Of passages, for each kind of fault."""
OTHERS: Final = ("introduction", "refusal")
"""What else goes wrong: a remark before the text, which a cleaner may cut off, and a refusal."""

_OTHER_WORDS: Final = {
    "use": "employ", "uses": "employs", "used": "employed", "using": "employing",
    "shows": "displays", "show": "display", "shown": "displayed", "allows": "permits",
    "allow": "permit", "allowed": "permitted", "needs": "requires", "need": "require",
    "make": "produce", "makes": "produces", "made": "produced", "get": "obtain",
    "gets": "obtains", "start": "begin", "starts": "begins", "started": "begun",
    "several": "a number of", "often": "frequently", "usually": "as a rule",
    "however": "yet", "therefore": "for this reason", "because": "since", "also": "as well",
    "large": "big", "small": "little", "example": "instance", "method": "procedure",
    "methods": "procedures", "function": "routine", "functions": "routines",
    "returns": "gives back", "return": "give back", "contains": "holds", "contain": "hold",
    "object": "item", "objects": "items", "value": "quantity", "values": "quantities",
    "whether": "if", "only": "solely", "must": "has to", "can": "is able to", "may": "might",
    "the": "the said", "which": "that", "when": "whenever", "same": "identical",
    "different": "differing", "many": "numerous", "important": "essential", "new": "fresh",
    "old": "former", "following": "next", "previous": "preceding", "given": "supplied",
    "specified": "stated", "default": "preset", "called": "invoked", "set": "put",
    "change": "alteration", "changes": "alterations", "file": "document file",
}  # fmt: skip
_FILLERS: Final = ("indeed", "in turn", "here", "as it were", "then")
_BEGINNINGS: Final = (
    *("after", "although", "as", "at", "before", "by", "during", "for", "from", "if", "in", "on"),
    *("since", "to", "unless", "until", "when", "whenever", "while", "with", "without"),
)
"""Of clauses that may as well stand at the end of a sentence."""
_SAME_WORDS: Final = 4
"""So many words of the source in a row are followed by a filler."""
_WORD = re.compile(r"(?<![\w`'/.-])[A-Za-z]+(?![\w`'/-])")
_MARKS = re.compile(r"^(?:[#>*•|=~^+-]+\s+|\d+(?:\.\d+)*\.?\s+(?=[A-Z]))+|[¶|]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n{2,}")
_SOURCE = re.compile(r"<source>\n(.*)\n</source>", re.DOTALL)
_EXTRACT = re.compile(r"<extract>\n?(.*?)\n?</extract>", re.DOTALL)
_OPENING = re.compile(r"is exactly this one: (.+)")


def write(body: Mapping[str, Any]) -> str:
    """What the writer answers."""
    asked = str(body["messages"][-1]["content"])
    source = _SOURCE.search(asked)
    if source is None:
        extract = _EXTRACT.search(asked)
        return grown(extract[1] if extract else asked, asked)
    passage = source[1]
    begin = asked[: source.start()]
    text, fault = said_again(passage, as_questions="Question:" in begin)
    opening = _OPENING.search(begin)
    if opening and fault != "refusal":
        return f"{opening[1]}\n{text}"
    return f"Here is a paraphrase of the passage:\n\n{text}" if fault == "introduction" else text


def said_again(passage: str, *, as_questions: bool) -> tuple[str, str]:
    """What is written about a passage, and its fault; empty: it has none."""
    text = (questions(passage) if as_questions else prose(passage)) or passage
    rng = rng_of(passage)
    place = int(rng.random() / FAULT_SHARE)
    kinds = (*FAULTS, *OTHERS)
    fault = kinds[place] if place < len(kinds) else ""
    if fault == "refusal":
        return "I'm sorry, but I can't help with that request.", fault
    if fault in FAULTS:
        faulty = FAULTS[fault][0](passage, text, rng)
        return (text, "") if faulty is None else (faulty, fault)
    return text, fault


def rng_of(passage: str) -> random.Random:
    """Of a passage, however its ends are trimmed."""
    return random.Random(hashlib.sha256(passage.strip().encode()).digest())


def sentences(passage: str) -> list[str]:
    """The sentences of a passage, without the marks of headings, lists and tables."""
    found = []
    for piece in _SENTENCE.split(passage):
        lines = (_MARKS.sub(" ", line.strip()) for line in piece.splitlines())
        said = " ".join(" ".join(lines).split())
        if _WORD.search(said):
            found.append(said if said[-1] in ".!?" else said.rstrip(":;,") + ".")
    return found


def other_words(sentence: str) -> str:
    """A sentence with other common words; names, numbers and everything else stay."""
    since = 0

    def other(found: re.Match[str]) -> str:
        nonlocal since
        is_first, since = found.start() == 0, since + 1
        word = _OTHER_WORDS.get(found[0].lower(), found[0])
        if word != found[0]:
            since = 0
        elif since >= _SAME_WORDS and found[0].islower() and not is_first:
            since = 0
            word = f"{_FILLERS[found.start() % len(_FILLERS)]} {word}"
        return word[0].upper() + word[1:] if is_first and found[0][0].isupper() else word

    return _WORD.sub(other, sentence)


def prose(passage: str) -> str:
    """The passage said again."""
    said = []
    for sentence in map(other_words, sentences(passage)):
        head, comma, tail = sentence.partition(", ")
        begin = head.partition(" ")[0].lower()
        if comma and tail.endswith(".") and begin in _BEGINNINGS:
            head, tail = head[:1].lower() + head[1:], tail[:1].upper() + tail[1:-1]
            sentence = f"{tail}, {head}."
        said.append(sentence)
    return " ".join(said)


def questions(passage: str) -> str:
    """The passage as questions and answers."""
    lines = []
    for sentence in sentences(passage):
        told = other_words(sentence)
        words = [word for word in _WORD.findall(sentence) if len(word) > 4][:2]
        lines.append(f"Question: What is said about {' and '.join(words) or 'this'}?")
        lines.append(f"Answer: {told}")
    return "\n".join(lines)


_FRAMES: Final = (
    "Anybody who works with this for the first time should know that {}",
    "A second look shows why that matters: {}",
    "Put in other terms, {}",
    "In practice it turns out that {}",
    "What follows from it is simple enough: {}",
    "Teachers like to begin at this point, since {}",
    "There is a reason behind every rule, and here it is: {}",
    "With some patience one sees that {}",
    "Nothing about it is hidden, for {}",
    "It helps to say it aloud: {}",
)


def grown(extract: str, asked: str) -> str:
    """A text of some 200 words on an extract; for some prompts one that is too short."""
    rng = random.Random(hashlib.sha256(asked.encode()).digest())
    luck = rng.random()
    told = [other_words(one) for one in sentences(extract)] or ["little is known of the matter."]
    rng.shuffle(told)
    text: list[str] = []
    while sum(map(len, text)) < (300 if luck < 0.03 else 1_400):
        sentence = told[len(text) % len(told)]
        frame = rng.choice(_FRAMES) if rng.random() < 0.7 else "{}"
        text.append(
            frame.format(sentence if frame == "{}" else sentence[:1].lower() + sentence[1:])
        )
    return " ".join(text)
