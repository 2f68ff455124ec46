"""Checks of an item by journaled calls: is it answered by the passage, and without it?

Answered anew with the passage alone, an item has to come to the same answer: else the passage does
not hold it, or the question can be read in two ways. Answered without the passage it should not be:
what a model knows anyway teaches it nothing, and measures nothing about the documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfsown.core.errors import CallFailed
from selfsown.core.request import Completion, Request
from selfsown.core.run import Run
from selfsown.recipes.grounded.agreement import is_unanswered, same_answer
from selfsown.recipes.grounded.asking import Asking
from selfsown.recipes.grounded.items import Item
from selfsown.recipes.grounded.options import Options

How = Literal["program", "judge"]
Verdict = Literal["right", "wrong", "unread"]


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one more answer to an item."""

    verdict: Verdict
    """`unread`: it was cut off, the judge's word could not be read, or nobody was asked."""
    how: How
    """Who decided."""
    answer: str
    is_unanswered: bool = False
    """The model said that it has no answer."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What the calls said about an item."""

    with_passage: Compared | None = None
    """None where it was not asked."""
    closed_book: Compared | None = None
    error: CallFailed | None = None
    """Why a call failed for good; then nothing is known."""

    @property
    def reason(self) -> str | None:
        """Why the item is rejected; None if nothing speaks against it."""
        found = self.with_passage
        if found is None or found.verdict == "right":
            return None
        if found.is_unanswered:
            return "unanswerable"
        return "answers_differ" if found.verdict == "wrong" else "agreement_unread"


async def verify(run: Run, asking: Asking, options: Options, item: Item, passage: str) -> Verified:
    """Ask about one item; closed-book only where the passage answers it."""
    try:
        with_passage = None
        if options.answerability:
            request = asking.answer(item, passage)
            with_passage = await _compared(run, asking, options, item, request)
            if with_passage.verdict != "right":
                return Verified(with_passage)
        if options.closed_book == "never":
            return Verified(with_passage)
        request = asking.closed_book(item)
        return Verified(with_passage, await _compared(run, asking, options, item, request))
    except CallFailed as error:
        return Verified(error=error)


async def _compared(
    run: Run, asking: Asking, options: Options, item: Item, request: Request
) -> Compared:
    role = asking.judge.role
    completion = await run.ask(role, request)
    answer = completion.text.strip()
    if completion.finish_reason == "length":
        return Compared("unread", "program", answer)
    if is_unanswered(answer) and not is_unanswered(item.output):
        return Compared("wrong", "program", answer, is_unanswered=True)
    same = same_answer(answer, item.output)
    if same is not None:
        return Compared("right" if same else "wrong", "program", answer)
    if options.agreement == "program":
        return Compared("unread", "program", answer)
    return Compared(_word(await run.ask(role, asking.same(item, answer))), "judge", answer)


def _word(completion: Completion) -> Verdict:
    """The last line's verdict; one that was cut off has none."""
    if completion.finish_reason == "length":
        return "unread"
    lines = [line for line in completion.text.upper().splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    is_same, differs = "SAME" in last, "DIFFERENT" in last
    if is_same == differs:
        return "unread"
    return "right" if is_same and "NOT" not in last.split() else "wrong"
