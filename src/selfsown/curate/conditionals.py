"""Choices between the same thing twice: "If it is red, write B. Otherwise write B."."""

from __future__ import annotations

import re

from selfsown.curate.steps import Check, filter_step
from selfsown.curate.tokens import tokenize_unicode
from selfsown.curate.verdict import Verdict, drop, keep

_ELSE = re.compile(r"\b(?:otherwise|or else|else|if not)\b[\s,:]*", re.IGNORECASE)
_IF = re.compile(r"\b(?:if|when|unless|in case)\b", re.IGNORECASE)
_WORDS = r"[\w'-]+(?: [\w'-]+)?"
_MIRRORED = re.compile(
    rf"(?P<one>{_WORDS}) if [^.!?;\n]{{1,120}}?,? (?:and|but|or)"
    rf" (?P<two>{_WORDS}) (?:if not|otherwise)\b",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\b(?:choose|decide|pick|select) between (?P<one>[\w'-]+) (?:and|or) (?P<two>[\w'-]+)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.!?;\n](?:\s|$)")
_LEADING = frozenset({"then", "just", "simply", "please", "you", "should", "must"})


@filter_step("degenerate_conditional")
def degenerate_conditional() -> Check:
    """Drop a text that asks for the same thing whether or not its condition holds.

    Small models copy one branch into the other. All orders are seen: "if C, A, otherwise A",
    "A if C, otherwise A", "A if C, and A if not", "choose between A and A". A shared ending with
    different verbs ("print A, else store A") is kept.
    """

    def check(text: str) -> Verdict:
        for pattern in (_MIRRORED, _CHOICE):
            for match in pattern.finditer(text):
                one, two = _branch(match["one"]), _branch(match["two"])
                if two and one[-len(two) :] == two:
                    return drop("degenerate_conditional")
        for match in _ELSE.finditer(text):
            before = text[: match.start()]
            after = _branch(_CLAUSE_END.split(text[match.end() :], maxsplit=1)[0])
            conditions = list(_IF.finditer(before))
            if not after or not conditions:
                continue
            tail = _branch(before[conditions[-1].end() :])
            head = _branch(before[: conditions[-1].start()])
            if _is_same_branch(tail, after) or _is_same_branch(head, after):
                return drop("degenerate_conditional")
        return keep()

    return check


def _branch(clause: str) -> list[str]:
    return [token for token in tokenize_unicode(clause) if token not in _LEADING]


def _is_same_branch(before: list[str], after: list[str]) -> bool:
    """Whether the words before end with the branch after."""
    return before[-len(after) :] == after
