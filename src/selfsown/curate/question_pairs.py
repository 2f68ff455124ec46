"""Question and answer pairs out of a model's text: every part is in a pair or dropped for a reason.

Labels may be numbered, bold, headings or in a list ("**Q1:**", "### Question 2", "3. Answer:"), and
an answer may follow on the question's line. A line that ends in a question mark, just before the
label of an answer, is a question without one. `A)` to `H)` are options of a question, no answers.

With a source, an answer must rest on it: enough of its content words and all of its numbers are
there. An answer that says only yes or no is judged with its question; the letter of an option
stands for the option. Whether a grounded answer is the right one is not checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.curate.faithful_numbers import Numbers
from selfsown.curate.faithful_reading import Reading
from selfsown.curate.tokens import tokenize_unicode

Lost = Literal[
    "unpaired_question",
    "unpaired_answer",
    "empty_question",
    "empty_answer",
    "ungrounded",
    "duplicate",
    "stray_text",
]

LEAST_GROUNDED: Final = 0.3
"""Least share of an answer's content words that stand in the source. Of 33 honest answers one had
less than a half, a third; held against another passage, all had less than this."""

_DECORATION: Final = (
    r"[ \t]{0,8}(?:[*#>_\u2022-]{1,6}[ \t]{0,4})?(?:\d{1,3}[.)][ \t]{0,4})?[*_]{0,3}"
)
_LABEL = re.compile(
    rf"""(?:(?:^|\n){_DECORATION}|(?<=[?.!])[ \t]{{1,8}}[*_]{{0,3}}(?=A))
    (?P<kind>Question|Answer|Q|A)
    (?:[ \t]{{0,2}}\#?\d{{1,3}}[ \t]{{0,2}}[*_]{{0,3}}[:.)\u2014-]
      |[ \t]{{0,2}}[*_]{{0,3}}[ \t]{{0,2}}:
      |(?<=n|r)[ \t]{{0,2}}\#?\d{{0,3}}[*_]{{0,3}}[ \t]{{0,2}}(?=\n))
    [*_]{{0,3}}[ \t]{{0,8}}""",
    re.VERBOSE | re.IGNORECASE,
)
_LAST_LINE = re.compile(rf"(?:\A|\n){_DECORATION}([^\n]{{3,400}}\?)[*_]{{0,3}}\s*\Z")
_YES_OR_NO = re.compile(
    r"\s*(?:yes|no|true|false|correct|incorrect)\b[\s,.:;\u2014-]*", re.IGNORECASE
)
_OPTION = re.compile(r"^[ \t]*\(?([A-Ha-h])[.):][ \t]+(\S[^\n]*)$", re.MULTILINE)
_CHOICE = re.compile(r"\W{0,3}(?:option\s)?\(?([A-Ha-h])(?:[.):]\s*|\W*\Z)", re.IGNORECASE)
_PREFIX: Final = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer, both stripped and not empty."""

    question: str
    """With its options, if it has some."""
    answer: str
    """As written."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A part of the text that is in no pair."""

    reason: Lost
    """Why."""
    text: str
    """The part, as written, stripped; a question and its answer on lines of their own."""


@dataclass(frozen=True, slots=True)
class QA:
    """All of a text, in pairs and in parts that are none."""

    pairs: tuple[Pair, ...]
    """In the order of the text."""
    dropped: tuple[Dropped, ...]
    """In the order of the text."""


def qa_pairs(text: str, source: str | None = None) -> QA:
    """The pairs of a text; with a `source`, those whose answers it does not hold are dropped."""
    grounds = None if source is None else Grounds(source)
    pairs: list[Pair] = []
    dropped: list[Dropped] = []
    seen: set[tuple[str, ...]] = set()
    for part in _parts(text):
        if isinstance(part, Dropped):
            dropped.append(part)
            continue
        key = tuple(tokenize_unicode(part.question))
        reason = _fault(part, is_known=key in seen, grounds=grounds)
        if reason is None:
            seen.add(key)
            pairs.append(part)
        else:
            dropped.append(Dropped(reason, f"{part.question}\n{part.answer}".strip()))
    return QA(tuple(pairs), tuple(dropped))


class Grounds:
    """What a source says, to hold answers against."""

    def __init__(self, source: str) -> None:
        """Read it."""
        reading = Reading(source)
        self._numbers = Numbers(reading)
        self._stems = reading.stems
        self._starts = {stem[:_PREFIX] for stem in reading.stems}

    def share(self, pair: Pair) -> float:
        """Share of the answer's content words that the source has, in [0, 1]; 0.0 for a number.

        Whatever else it says, an answer with a number that the source does not bear out has 0.0.
        """
        said = _resolved(pair)
        reading = Reading(said)
        if not reading.content:
            reading = Reading(f"{pair.question}\n{said}")
        if self._numbers.unborne(reading):
            return 0.0
        stems = [stem for stem, index in reading.content if reading.tokens[index].kind != "number"]
        known = sum(stem in self._stems or stem[:_PREFIX] in self._starts for stem in stems)
        return known / len(stems) if stems else 1.0


def _fault(pair: Pair, *, is_known: bool, grounds: Grounds | None) -> Lost | None:
    if not pair.question:
        return "empty_question"
    if not pair.answer:
        return "empty_answer"
    if is_known:
        return "duplicate"
    is_loose = grounds is not None and grounds.share(pair) < LEAST_GROUNDED
    return "ungrounded" if is_loose else None


def _parts(text: str) -> list[Pair | Dropped]:
    """Pairs, which may have an empty side, and what is in none, in the order of the text."""
    parts: list[Pair | Dropped] = []
    labels = list(_LABEL.finditer(text))
    ends = [*(label.start() for label in labels), len(text)][1:]
    question: str | None = None
    stray = text[: labels[0].start()] if labels else text
    for label, end in zip(labels, ends, strict=True):
        body = text[label.end() : end]
        if label["kind"][0] in "Qq":
            _add(parts, "unpaired_question", question)
            _add(parts, "stray_text", stray)
            question, stray = body.strip(), ""
            continue
        if question is None:
            stray, question = _split_question(stray)
        _add(parts, "stray_text", stray)
        body, stray = _split_answer(body, following=end < len(text))
        if question is None:
            _add(parts, "unpaired_answer", body)
        else:
            parts.append(Pair(_plain(question), _plain(body)))
        question = None
    _add(parts, "unpaired_question", question)
    _add(parts, "stray_text", stray)
    return parts


def _add(parts: list[Pair | Dropped], reason: Lost, text: str | None) -> None:
    if text is not None and text.strip(" \t\n*#-_>"):
        parts.append(Dropped(reason, text.strip()))


def _split_question(stray: str) -> tuple[str, str | None]:
    """A question without a label at the end of a text, and what stands before it."""
    found = _LAST_LINE.search(stray[-600:])
    if found is None:
        return stray, None
    return stray[: len(stray) - len(stray[-600:]) + found.start()], found[1]


def _split_answer(body: str, *, following: bool) -> tuple[str, str]:
    """An answer, and the unlabelled question of the next answer that ends it."""
    if not following:
        return body, ""
    found = _LAST_LINE.search(body[-600:])
    if found is None or not body[: len(body) - len(body[-600:]) + found.start()].strip():
        return body, ""
    at = len(body) - len(body[-600:]) + found.start()
    return body[:at], body[at:]


def _plain(text: str) -> str:
    """Stripped, without the bold that runs from label to end."""
    text = text.strip()
    if text.endswith("**") and text.count("**") == 1:
        text = text[:-2].rstrip()
    return text.removesuffix("---").rstrip()


def _resolved(pair: Pair) -> str:
    """What an answer says: without its yes or no, and the option for its letter."""
    choice = _CHOICE.match(pair.answer)
    options = {found[1].lower(): found[2] for found in _OPTION.finditer(pair.question)}
    if choice and choice[1].lower() in options:
        option, rest = options[choice[1].lower()], pair.answer[choice.end() :]
        return rest if option.casefold() in rest.casefold() else f"{option}\n{rest}"
    return (
        _YES_OR_NO.sub("", pair.answer, count=1) if _YES_OR_NO.match(pair.answer) else pair.answer
    )
