"""Two answers compared in both orders: a win counts only if both orders agree, all else is a tie.

Every judge prefers a place to some degree: with the first answer always winning, two orders give
one win each, and the pair is a tie instead of a label. Where log-probabilities come, the
preference is the mean over the orders of p(A) / (p(A) + p(B)), so a judge that always says A is at
exactly 0.5.

Sources: both orders and ties, MT-Bench (arXiv:2306.05685, section 3.4); soft preference, RLHF
Workflow (arXiv:2405.07863, preference model).
Differs from the papers: wording and verdict lines are ours; a pair of equal texts is a tie that is
not asked; an answer without a verdict is asked once more, then missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Literal

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import ROLE, Asking, require
from selfsown.judge.scores import without_emphasis

Verdict = Literal["A", "B", "tie"]
"""What a judge says of the answers as they were shown: A the first, B the second."""
Outcome = Literal["win", "loss", "tie"]
"""What a pair comes to for the item's answer against its rival."""

_PREFERENCE: Final[Mapping[Verdict, float]] = {"A": 1.0, "B": 0.0, "tie": 0.5}
_UNPARSED: Final = "unparsed"
_AGAIN: Final = 0.7
"""Temperature at which a greedy judge is asked again: greedily it would say the same."""
_WORD: Final = r"(?:(?i:an?\s+)?(?P<tie>(?i:tie|draw))|(?i:answer\s+)?(?P<letter>[AB]))\b"
_CLOSING: Final = r"(?=[ \t]*(?:[\])>}\"'.!]|[,;:(][^\n]*|-[ \t][^\n]*)*[ \t]*(?:\n|\Z))"
_LABELLED: Final = re.compile(
    rf"\b(?i:verdict)\b(?:\s*(?:(?i:is)\b|[:=]))+\s*[\[(<{{\"']*{_WORD}{_CLOSING}"
)
_ALONE: Final = re.compile(rf"[\s\[(<{{\"']*{_WORD}[\s\])>}}\"'.!]*")


def parse_verdict(text: str, *, cut_off: bool = False) -> Verdict | None:
    """The verdict that a judge's answer ends with; None if there is none that can be believed.

    Read are the last `Verdict: A`, `B` or `tie` (emphasis taken off, nothing but a remark behind
    it), and a text that is one letter alone.

    Args:
        text: what the model wrote, without the prompt.
        cut_off: generation ended at the token limit; then a verdict needs a whole line.
    """
    plain = without_emphasis(text)
    if cut_off:
        plain = plain[: plain.rfind("\n") + 1]
    found = list(_LABELLED.finditer(plain))
    match = found[-1] if found else _ALONE.fullmatch(plain)
    if match is None:
        return None
    if match["tie"]:
        return "tie"
    return "A" if match["letter"] == "A" else "B"


def soft_preference(logprobs: Sequence[Mapping[str, float]], verdict: Verdict) -> float | None:
    """p(A) / (p(A) + p(B)) at the token that gave the verdict; None where no token is it.

    A letter that is not among the alternatives counts as probability 0.

    Args:
        logprobs: alternatives of each generated token, as `Completion.logprobs`.
        verdict: what was read; the last token whose likeliest alternative says so is taken.
    """
    for place in reversed(logprobs):
        if place and max(place, key=lambda token: place[token]).strip() == verdict:
            first, second = (
                math.fsum(math.exp(p) for token, p in place.items() if token.strip() == letter)
                for letter in "AB"
            )
            return first / (first + second) if first + second > 0 else None
    return None


def outcome(judgement: Judgement) -> Outcome | None:
    """Win, loss or tie of a pairwise judgement; None where it is missing.

    A win or loss needs both orders on the same side, also where preferences are soft.
    """
    if judgement.value is None:
        return None
    sides = {_side(part.value) for part in judgement.parts} or {_side(judgement.value)}
    return sides.pop() if len(sides) == 1 else "tie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairwise:
    """A model that compares an item's answer with its rival, both ways round."""

    name: ClassVar[str] = "pairwise"
    source: ClassVar[Source] = "judge"
    scale: ClassVar[Scale] = UNIT
    """1.0 for the answer, 0.0 for its rival."""
    compares: ClassVar[bool] = True
    """It takes both answers of a pair."""

    explain: bool = True
    """Reasons before the verdict; without, one letter is asked for."""
    logprobs: int = 0
    """Alternatives per token for soft preferences; 0 takes the letter as it is."""
    retries: int = 1
    """How often an answer without a verdict is asked again, at temperature 0.7 if it was 0."""
    temperature: float | None = 0.0
    max_tokens: int = 512
    template: str | None = None
    """A template of the user's own: `{{ prompt }}`, `{{ answer_a }}`, `{{ answer_b }}`."""
    role: str = ROLE

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        require(self.retries >= 0, f"`retries` is {self.retries}", "it is a count")
        self._asking()

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    @property
    def roles(self) -> tuple[str, ...]:
        """The one model that it asks."""
        return (self.role,)

    @property
    def most_calls(self) -> int:
        """Both orders, each asked again where it gave no verdict."""
        return 2 * (1 + self.retries)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Compare; the parts are the two orders, the answer shown first in the first of them."""
        if item.rival is None:
            return _judgement(None, "no_rival: there is nothing to compare the answer with")
        if item.answer.split() == item.rival.split():
            return _judgement(0.5, "tie: both answers are the same text")
        shown = [(item.answer, item.rival), (item.rival, item.answer)]
        first, second = await run.gather(*(self._order(run, item, places) for places in shown))
        return merged(first, _turned(second))

    async def _order(self, run: Asker, item: Item, places: tuple[str, str]) -> Judgement:
        """The preference for the answer that is shown first."""
        values = {
            "prompt": item.prompt,
            "reference": item.reference,
            "answer_a": places[0],
            "answer_b": places[1],
            "explain": self.explain,
        }
        asking = self._asking()
        read = _read(await asking.ask(run, values), whole=not self.explain)
        if asking.temperature == 0:
            asking = replace(asking, temperature=_AGAIN)
        for sample in range(1, self.retries + 1):
            if not read.reason.startswith(_UNPARSED):
                break
            read = _read(await asking.ask(run, values, sample), whole=not self.explain)
        return read

    def _asking(self) -> Asking:
        return Asking(
            prompt="pairwise",
            template=self.template,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            logprobs=self.logprobs,
            role=self.role,
        )


def merged(first: Judgement, second: Judgement) -> Judgement:
    """Both orders, each as the preference for the item's answer, as one judgement.

    Hard verdicts that disagree are a tie. Soft preferences are averaged.
    """
    parts = (first, second)
    if first.value is None or second.value is None:
        reasons = sorted({part.reason for part in parts if part.is_missing})
        return _judgement(None, "; ".join(reasons), parts)
    sides = _side(first.value), _side(second.value)
    mean = (first.value + second.value) / 2
    hard = {first.value, second.value} <= set(_PREFERENCE.values())
    if sides[0] != sides[1]:
        words = f"the orders disagree: {sides[0]} and {sides[1]}"
        return _judgement(0.5 if hard else mean, words, parts)
    return _judgement(mean, f"{sides[0]} in both orders", parts)


def _read(answer: Completion | CallFailed, *, whole: bool) -> Judgement:
    """One order as the preference for the answer shown first.

    Args:
        answer: what came back.
        whole: the verdict is all that was asked for, so reaching the token limit cuts nothing off.
    """
    if isinstance(answer, CallFailed):
        return _judgement(None, f"call_failed: {answer.kind}")
    verdict = parse_verdict(answer.text, cut_off=answer.finish_reason == "length" and not whole)
    if verdict is None:
        return _judgement(None, f"{_UNPARSED}: no verdict", raw=answer.text)
    soft = soft_preference(answer.logprobs, verdict)
    return _judgement(_PREFERENCE[verdict] if soft is None else soft, "", raw=answer.text)


def _turned(judgement: Judgement) -> Judgement:
    """The same from the other answer's side."""
    value = None if judgement.value is None else 1.0 - judgement.value
    return _judgement(value, judgement.reason, raw=judgement.raw)


def _side(preference: float | None) -> Outcome:
    assert preference is not None
    return "tie" if preference == 0.5 else "win" if preference > 0.5 else "loss"


def _judgement(
    value: float | None, reason: str, parts: tuple[Judgement, ...] = (), raw: str = ""
) -> Judgement:
    return Judgement(value=value, source="judge", raw=raw, reason=reason, parts=parts)
