"""A filter and an export format for selfsown, as a package of its own."""

from __future__ import annotations

import re

from selfsown.core.request import JSON
from selfsown.curate.steps import Check, filter_step, require
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.export.example import Example


@filter_step("one_sentence")
def one_sentence(*, most: int = 1) -> Check:
    """Drop an instruction of more than `most` sentences; the score is their number."""
    require(most >= 1, f"`most` is {most}", "an instruction has at least one sentence")

    def check(text: str) -> Verdict:
        count = len(re.findall(r"[.!?]+(?:\s|$)", text))
        return drop("many_sentences", count) if count > most else keep()

    return check


def to_question_answer(example: Example) -> dict[str, JSON]:
    """Text columns `question` and `answer`."""
    return {"question": example.request, "answer": example.output}
