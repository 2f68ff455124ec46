"""What can be said against an item without a model: evidence, leakage, dependence, grounding.

In this order, cheapest first; the first fault counts. What is not found: an answer that is in the
passage and beside the question, which the answerability check is for.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from selfsown.curate.boilerplate import is_refusal
from selfsown.curate.faithful_denial import added, lost
from selfsown.curate.faithful_listed import listed
from selfsown.curate.faithful_negation import Polarity
from selfsown.curate.faithful_reading import Reading
from selfsown.curate.tokens import tokenize_unicode
from selfsown.recipes.grounded.evidence import Span
from selfsown.recipes.grounded.items import Item, Kind

_YES_NO: Final = frozenset({"yes", "no", "true", "false"})
_PIECE: Final = (
    r"(?:passage|text|excerpt|extract|article|paragraph|document|section|chapter|page|snippet"
    r"|quote|quotation|sentence|context|source|material|author|writer|narrator|speaker)"
)
_POINTS_OUTSIDE: Final = re.compile(
    rf"\b(?:according to|based on|as (?:stated|described|mentioned|noted|shown|given|discussed) in"
    rf"|mentioned in|described in|stated in|given in|used in|discussed in|in|from|by|of)"
    rf"\s+(?:the|this|that)\s+(?:above|following|given|provided|present)?\s*{_PIECE}s?\b"
    rf"|\bth(?:is|ese)\s+{_PIECE}s?\b"
    rf"|\b(?:does|do|did|is|has|would|can)\s+the\s+(?:above\s+|given\s+|provided\s+)?{_PIECE}s?"
    r"\s+(?:say|state|mention|describe|claim|argue|suggest|explain|refer|imply|call|name|give"
    r"|list|recommend|use|note|define|compare|discuss|consider|mean|warn|advise)s?\b"
    rf"|\bthe\s+(?:above|preceding|previous|following|given|provided)\s+{_PIECE}s?\b"
    r"|\b(?:mentioned|described|shown|listed|discussed|stated|noted)\s+(?:above|below|here)\b"
    r"|\b(?:above|below)-?mentioned\b",
    re.IGNORECASE,
)
_OWN_INPUT: Final = re.compile(
    r"\b(?:the|this|that|these)\s+(?:following\s+|given\s+|provided\s+)?(?:text|paragraph|excerpt"
    r"|passage|sentence|snippet|quote|quotation|extract)s?\b",
    re.IGNORECASE,
)
"""How an instruction names its own input."""
_PRONOUN: Final = re.compile(
    r"^\W*(?:(?:and|but|so)\s+)?(?:(?:what|when|why|how|where|which|who|whom|whose)\b(?:\s+\w+)?\s+)?"
    r"(?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|should)\s+"
    r"(?:he|she|it|they|this|these|those)\b(?!\s+(?:possible|necessary|true|important"
    r"|common|safe|useful|better|best|called when|that))",
    re.IGNORECASE,
)
_CHOICE: Final = re.compile(r"\b(?:or|whether|which of)\b", re.IGNORECASE)
_STOP_WORDS: Final = (
    "a an and are as at be by can did do does for from had has have how in is it its of on or so"
    " that the their there they this to was were what when where which who why will with would"
    " you your not no yes if than then these those into also been being more most such"
)
_STOP: Final = frozenset(_STOP_WORDS.split())
_ASKING: Final = frozenset({"who", "when", "where", "why", "how"})
"""Words that make it another question."""
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_YES_OR_NO: Final = re.compile(r"^\W*(?:yes|no)\b[\s,;:.]*", re.IGNORECASE)
_STEM: Final = 5
"""Characters by which words are the same."""
_RETOLD_WORDS: Final = 2
"""Fewest content words of an answer in its evidence from which on it says it again."""
_LEAKED_WORDS: Final = 3
"""Fewest content words of an answer that may leak one by one."""
_LEAKED_SHARE: Final = 0.8


class Fault(NamedTuple):
    """Why an item is rejected, with the number that decided where there is one."""

    reason: str
    score: float | None = None


class Bounds(NamedTuple):
    """What the checks allow."""

    least_evidence_words: int
    least_grounded: float


def fault_of(
    item: Item, kind: Kind, span: Span | None, passage: str, bounds: Bounds
) -> Fault | None:
    """The first fault of an item; None if there is none.

    Args:
        item: what the model wrote.
        kind: what was asked for.
        span: where its evidence stands in the passage.
        passage: the text that was shown.
        bounds: what is allowed.
    """
    if is_refusal(item.output):
        return Fault("refusal")
    if span is None:
        return Fault("evidence_not_found")
    evidence = passage[span.start : span.end]
    n_words = len(tokenize_unicode(evidence))
    if n_words < bounds.least_evidence_words:
        return Fault("evidence_too_short", n_words)
    if not is_self_contained(item.instruction, has_input=bool(item.input)):
        return Fault("not_self_contained")
    if leaks(item):
        return Fault("leaks_answer")
    if kind == "question" and turns_around(item, evidence):
        return Fault("negation")
    return _ungrounded(item, kind, evidence, passage, bounds.least_grounded)


def is_self_contained(instruction: str, *, has_input: bool) -> bool:
    """Whether an instruction can be understood by somebody who does not see the passage.

    With an input of its own, it may speak of the text, which is then its input.
    """
    asked = " ".join(instruction.split())  # on runs of white space the patterns are quadratic
    if has_input:
        return not _POINTS_OUTSIDE.search(_OWN_INPUT.sub("it", asked))
    return not (_POINTS_OUTSIDE.search(asked) or _PRONOUN.search(asked))


def leaks(item: Item) -> bool:
    """Whether the question holds its answer, which is not offered there as one of several."""
    answer, asked = tokenize_unicode(item.output), tokenize_unicode(item.instruction)
    if not answer or set(answer) <= _YES_NO or _CHOICE.search(item.instruction):
        return False
    if f" {' '.join(answer)} " in f" {' '.join(asked)} ":
        return True
    content = [word for word in answer if word not in _STOP]
    if len(content) < _LEAKED_WORDS:
        return False
    return sum(word in asked for word in content) >= _LEAKED_SHARE * len(content)


def grounded_share(answer: str, source: str) -> float:
    """The share of the content words of an answer that stand in a source; 1.0 without any.

    Words that differ in their ending (from the fifth letter on) count as the same.
    """
    content = [word for word in _words(answer) if word not in _STOP | _YES_NO]
    if not content:
        return 1.0
    known = {word[:_STEM] for word in _words(source)}
    return sum(word[:_STEM] in known for word in content) / len(content)


def turns_around(item: Item, evidence: str) -> bool:
    """Whether an answer that says its evidence again lost a negation of it, or has one too many.

    What the question negates is not lost, and an answer may begin with yes or no.
    """
    answer = _YES_OR_NO.sub("", item.output)
    content = {word[:_STEM] for word in _words(answer) if word not in _STOP}
    if len(content & {word[:_STEM] for word in _words(evidence)}) < _RETOLD_WORDS:
        return False
    shown, said = Polarity(Reading(evidence)), Polarity(Reading(f"{item.instruction} {answer}"))
    if lost(shown, said):
        return True
    asked = Polarity(Reading(f"{evidence} {item.instruction}"))
    return bool(added(asked, Polarity(Reading(answer))))


def _words(text: str) -> list[str]:
    """The words of a text, in which `1,500` is `1500`."""
    return tokenize_unicode(_THOUSANDS.sub("", text))


def compared_question(item: Item) -> str:
    """The words by which questions are compared: without those that every question has.

    Among all words, `when was A founded` and `when was B founded` would be nearly the same.
    """
    words = tokenize_unicode(f"{item.instruction}\n{item.input}")
    return " ".join(word for word in words if word not in _STOP or word in _ASKING)


def _ungrounded(item: Item, kind: Kind, evidence: str, passage: str, least: float) -> Fault | None:
    """Numbers and names of the answer that nothing states; too few of its words in the passage.

    The numbers and names of an answer to a question have to stand in its evidence or in the
    question; a task may need more of the passage than it quotes.
    """
    shown = evidence if kind == "question" else passage
    extra = listed("\n".join((shown, item.instruction, item.input)), item.output)
    if extra.numbers or extra.dates:
        return Fault("number_not_in_evidence", len(extra.numbers) + len(extra.dates))
    if extra.names:
        return Fault("name_not_in_evidence", len(extra.names))
    share = grounded_share(item.output, f"{passage}\n{item.instruction}\n{item.input}")
    return Fault("not_grounded", share) if share < least else None
