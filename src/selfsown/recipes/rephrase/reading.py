"""From what the model wrote to a text of its style, or the reason why it is none.

In this order: was it cut off, does it have the line that it must begin with, does it say something
else besides, and does it have the form that was asked for. All pure functions of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from selfsown.core.request import Completion
from selfsown.core.token_counts import Counter as TokenCounter
from selfsown.curate.faithful_listed import arithmetic
from selfsown.curate.introductions import clean_introduction
from selfsown.curate.question_pairs import Pair, qa_pairs
from selfsown.recipes.rephrase.style import Form, Style

_CAP_MARGIN: Final = 2
"""An answer this close to the cap was cut off by it, whatever the server says (Nemotron-CC)."""
_TOKENS_PER_PAIRS: Final = 150
"""Of the chunk: so many allow up to 10 sampled pairs (Nemotron-CC)."""
_MARKUP: Final = "*_#>` \t"
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+(\S.*)$")
_STEP: Final = re.compile(r"^[*#_ \t]*(?:step[ \t]+)?(\d{1,3})[.):][ \t*]+(\S.*)$", re.I)
_ROW: Final = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$")
_RULE: Final = re.compile(r"^[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$")
_OPTION: Final = re.compile(r"^[ \t]{0,8}\(?[A-Ha-h][.):][ \t][^\n]*$", re.MULTILINE)
_PART: Final = re.compile(
    r"^[^\w\n]{0,8}(problem|solution)[^\w\n:]{0,4}:[*_ \t]*", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Read:
    """What an answer comes to."""

    text: str | None
    """The record's text; None where there is none."""
    said: str = ""
    """All that it says, without labels, numbers of steps and table lines: what is compared."""
    reason: str | None = None
    """Why there is no text: `cut_off`, `no_opening`, a reason of the cleaner, `no_questions`,
    `no_list`, `no_table`, `no_steps`, `no_problem`, `wrong_arithmetic`, `too_few_tokens`."""
    score: float | None = None
    """The number that decided, where there is one."""
    lost: Mapping[str, int] | None = None
    """Of questions: how many parts were dropped, by reason."""


@dataclass(frozen=True, slots=True)
class _Formed:
    """A text of its form."""

    text: str
    said: str
    pairs: Sequence[Pair] = ()
    lost: Mapping[str, int] | None = None


def read_answer(
    completion: Completion, style: Style, source: str, count: TokenCounter, rng: Random
) -> Read:
    """The text of an answer.

    Args:
        completion: the model's.
        style: that was asked for.
        source: the chunk.
        count: tokens of a text.
        rng: for styles that keep a random number of pairs.
    """
    if is_cut_off(completion, style):
        return Read(None, reason="cut_off", score=float(completion.usage.output_tokens))
    body = without_opening(completion.text, style.opening)
    if body is None:
        return Read(None, reason="no_opening")
    cleaned = clean_introduction(body, prose=style.form == "prose")
    if cleaned.text is None:
        return Read(None, reason=cleaned.reason or "empty")
    formed = _READERS[style.form](cleaned.text, source, style)
    if isinstance(formed, Read):
        return formed
    n_tokens = count(formed.text)
    if n_tokens < style.least_output:
        return Read(None, reason="too_few_tokens", score=float(n_tokens), lost=formed.lost)
    text = formed.text
    if style.is_sampled and formed.pairs:
        text = _joined(_sampled(formed.pairs, count(source), rng))
    return Read(text, formed.said, lost=formed.lost)


def is_cut_off(completion: Completion, style: Style) -> bool:
    """Whether generation ended at the cap; backends that say nothing are told by the count."""
    if completion.finish_reason == "length":
        return True
    usage = completion.usage
    return not usage.estimated and usage.output_tokens > style.output_tokens - _CAP_MARGIN


def without_opening(text: str, opening: str) -> str | None:
    """The text behind the line that it must begin with; None where that is not there.

    Emphasis, the case of letters and a colon at the end do not matter; text behind the opening on
    the same line stays.
    """
    if not opening:
        return text
    words = r"\s+".join(map(re.escape, opening.rstrip(": ").split()))
    begins = re.match(rf"\s*[{re.escape(_MARKUP)}]*{words}[*_`]*[ \t]*(?::|$)[*_`]*", text,
                      re.IGNORECASE | re.MULTILINE)  # fmt: skip
    return None if begins is None else text[begins.end() :]


def _prose(text: str, _source: str, _style: Style) -> _Formed | Read:
    return _Formed(text, text)


def _questions(text: str, source: str, style: Style) -> _Formed | Read:
    """All pairs whose answers the source grounds.

    Options are not compared, since most are wrong by design; nor, where kinds of questions are
    mixed, are the questions, which then may ask for what is not so.
    """
    found = qa_pairs(text, source)
    counts = Counter[str](part.reason for part in found.dropped)
    lost = dict(sorted(counts.items()))
    if not found.pairs:
        return Read(None, reason="no_questions", lost=lost)
    asked = ("" if style.is_sampled else pair.question for pair in found.pairs)
    said = (
        f"{_OPTION.sub('', question)}\n{pair.answer}".strip()
        for question, pair in zip(asked, found.pairs, strict=True)
    )
    return _Formed(_joined(found.pairs), "\n".join(said), found.pairs, lost)


def _list(text: str, _source: str, _style: Style) -> _Formed | Read:
    """The lines that are items; what stands before, between and after them goes."""
    items = [match[1].strip() for match in map(_ITEM.match, text.splitlines()) if match]
    if not items:
        return Read(None, reason="no_list")
    return _Formed("\n".join(f"- {item}" for item in items), "\n".join(items))


def _table(text: str, _source: str, _style: Style) -> _Formed | Read:
    """The first table with a body, and one pair of question and answer."""
    lines = text.splitlines()
    at = next((k for k, line in enumerate(lines) if k and _RULE.match(line)), None)
    rows: list[str] = []
    if at is not None and _ROW.match(lines[at - 1]):
        end = at + 1
        while end < len(lines) and _ROW.match(lines[end]):
            end += 1
        rows = [line.strip() for line in lines[at - 1 : end]]
    if len(rows) < 3:
        return Read(None, reason="no_table")
    found = qa_pairs("\n".join(lines[end:]))
    if not found.pairs:
        return Read(None, reason="no_questions")
    pair = found.pairs[0]
    cells = [cell.strip() for row in (rows[0], *rows[2:]) for cell in row.strip("|").split("|")]
    said = "\n".join(filter(None, [*cells, pair.question, pair.answer]))
    return _Formed("\n".join(rows) + "\n\n" + _joined([pair]), said, [pair])


def _steps(text: str, _source: str, _style: Style) -> _Formed | Read:
    """The whole text, if it has at least two steps, numbered from 1 without a gap."""
    lines = text.splitlines()
    steps = [match for match in map(_STEP.match, lines) if match]
    numbers = [int(step[1]) for step in steps]
    if len(numbers) < 2 or numbers != list(range(1, len(numbers) + 1)):
        return Read(None, reason="no_steps", score=float(len(numbers)))
    said = (match[2] if (match := _STEP.match(line)) else line for line in lines)
    return _Formed(text, "\n".join(said))


def _problem(text: str, _source: str, _style: Style) -> _Formed | Read:
    """A problem and its solution, whose calculations come out."""
    parts = list(_PART.finditer(text))
    if [part[1].lower() for part in parts] != ["problem", "solution"]:
        return Read(None, reason="no_problem")
    problem = text[parts[0].end() : parts[1].start()].strip()
    solution = text[parts[1].end() :].strip()
    if not problem or not solution or text[: parts[0].start()].strip():
        return Read(None, reason="no_problem")
    wrong = [one for one in arithmetic(solution) if not one.is_right]
    if wrong:
        return Read(None, reason="wrong_arithmetic", score=float(len(wrong)))
    return _Formed(f"Problem: {problem}\n\nSolution: {solution}", f"{problem}\n{solution}")


def _joined(pairs: Sequence[Pair]) -> str:
    return "\n\n".join(f"Question: {pair.question}\nAnswer: {pair.answer}" for pair in pairs)


def _sampled(pairs: Sequence[Pair], n_tokens: int, rng: Random) -> list[Pair]:
    """Some of the pairs in random order: 1 to 10 for each 150 tokens of the chunk."""
    most = max(1, 10 * n_tokens // _TOKENS_PER_PAIRS)
    mixed = list(pairs)
    rng.shuffle(mixed)
    return mixed[: rng.randint(1, most)]


_READERS: Final[Mapping[Form, Callable[[str, str, Style], _Formed | Read]]] = {
    "prose": _prose,
    "questions": _questions,
    "list": _list,
    "table": _table,
    "steps": _steps,
    "problem": _problem,
}
