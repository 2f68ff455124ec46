"""An answer against one known to be right: to the letter, normalised, as a number, by overlap.

Where there is no reference the judgement is missing. A number is compared as the last one of each
text, so that "17 + 25 makes 42." equals "42"; thousands separators, currency signs, per cent signs
and fractions such as 3/4 are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from selfsown.core.request import JSON
from selfsown.evaluate.exact_match import exact_match, normalized_answer
from selfsown.evaluate.rouge import best_rouge_l
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import require

Comparison = Literal["exact", "normalized", "contains", "number", "rouge_l"]
Part = Literal["whole", "last_line", "after_marker"]

_NUMBER: Final = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?"
    r"(?:/\d+(?:\.\d+)?)?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """1.0 for an answer that equals a reference, else 0.0; by overlap anything between."""

    name: ClassVar[str] = "reference"
    source: ClassVar[Source] = "verifier"
    scale: ClassVar[Scale] = UNIT
    roles: ClassVar[tuple[str, ...]] = ()

    compare: Comparison = "normalized"
    """`exact`: to the letter, but for white space around it. `normalized`: without letter case and
    punctuation, as Super-NaturalInstructions. `contains`: the normalised answer holds the
    normalised reference as whole words. `number`: the last numbers. `rouge_l`: ROUGE-L F1."""
    part: Part = "whole"
    """What of the answer is compared."""
    marker: str = "Answer:"
    """For `after_marker`: the part behind its last occurrence, in any letter case; an answer
    without it is wrong."""
    tolerance: float = 1e-6
    """For `number`: how far off a right one may be, relative to the reference."""

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        off = f"`tolerance` is {self.tolerance}"
        require(0 <= self.tolerance < 1, off, "it is a share from 0 to below 1")
        require(bool(self.marker.strip()), "`marker` is blank", "every answer holds nothing")

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return {
            "compare": self.compare,
            "part": self.part,
            "marker": self.marker,
            "tolerance": self.tolerance,
        }

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Judge one item; nothing is asked."""
        references = references_of(item)
        if not references:
            return self._missing("no_reference: there is nothing to compare with")
        if self.compare == "number" and any(last_number(one) is None for one in references):
            return self._missing("no_reference: the reference holds no number")
        answer = self._part_of(item.answer)
        if answer is None:
            return Judgement(value=0.0, source=self.source, reason=f"no `{self.marker}` in it")
        return Judgement(
            value=self._score(answer, references),
            source=self.source,
            reason=f"{self.compare}: {answer[:80]!r} against {references[0][:80]!r}",
        )

    def _score(self, answer: str, references: Sequence[str]) -> float:
        if self.compare == "exact":
            return float(any(answer == one.strip() for one in references))
        if self.compare == "normalized":
            return exact_match(answer, references)
        if self.compare == "contains":
            return float(any(_holds(answer, one) for one in references))
        if self.compare == "number":
            return float(any(self._same_number(answer, one) for one in references))
        return best_rouge_l(answer, references, stemmed=False)

    def _same_number(self, answer: str, reference: str) -> bool:
        found, wanted = last_number(answer), last_number(reference)
        if found is None or wanted is None:
            return False
        return math.isclose(found, wanted, rel_tol=self.tolerance, abs_tol=1e-12)

    def _part_of(self, answer: str) -> str | None:
        """What of the answer is compared; None if it is not there."""
        text = answer.strip()
        if self.part == "last_line":
            return text.rpartition("\n")[2].strip()
        if self.part == "whole":
            return text
        found = list(re.finditer(re.escape(self.marker.strip()), text, re.IGNORECASE))
        return text[found[-1].end() :].strip() if found else None

    def _missing(self, reason: str) -> Judgement:
        return Judgement(value=None, source=self.source, reason=reason)


def references_of(item: Item) -> list[str]:
    """Every right answer that is known: the item's own, then those of the row's `references`."""
    more = item.metadata.get("references")
    own = [] if item.reference is None else [item.reference]
    if isinstance(more, Sequence) and not isinstance(more, str):
        return [*own, *map(str, more)]
    return own if more is None else [*own, str(more)]


def last_number(text: str) -> float | None:
    """The last number of a text, None if it holds none: `1,250.5`, `-3`, `2e6`, `3/4`, `$12`, `5%`.

    A number that is too large for a float, and one divided by zero, is none.
    """
    found = _NUMBER.findall(text)
    if not found:
        return None
    over, _, under = found[-1].replace(",", "").replace("\u2212", "-").partition("/")
    value = float(over) / (float(under) or math.nan) if under else float(over)
    return value if math.isfinite(value) else None


def _holds(answer: str, reference: str) -> bool:
    """Whether the normalised answer holds the normalised reference as whole words."""
    wanted = normalized_answer(reference)
    return bool(wanted) and f" {wanted} " in f" {normalized_answer(answer)} "
