"""Does a rephrased text say what its source says? A gate of counts that name what is wrong.

No model is asked. Each check is a count over words with a bound; `Finding.what` shows the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from selfsown.core.errors import ConfigError
from selfsown.curate.garble import distinct_pair_share, repetition
from selfsown.curate.shingles import shingles_of
from selfsown.curate.tokens import tokenize_unicode

Reason = Literal[
    "changed_number",
    "added_name",
    "negation",
    "missing_part",
    "copied",
    "too_short",
    "too_long",
    "repetition",
    "unlike",
]
REASONS: Final[tuple[Reason, ...]] = (
    "changed_number",
    "added_name",
    "negation",
    "missing_part",
    "copied",
    "too_short",
    "too_long",
    "repetition",
    "unlike",
)
"""In the order in which `Findings.reason` names the first."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    reason: Reason
    """Which check found it."""
    what: str
    """The words of the text, or of the source, that show it."""
    score: float | None = None
    """The number that decided, where there is one."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the gate says of one text."""

    all: tuple[Finding, ...]
    """In the order of `REASONS`, then of the text."""
    length_ratio: float
    """Words of the text / words of the source."""
    coverage: float
    """Share of the source's content words that come again, in [0, 1]."""
    copied: float
    """Share of the text's words in one longest run that stands in the source, in [0, 1]."""

    @property
    def reason(self) -> Reason | None:
        """The first reason of all; None when the text passes."""
        return self.all[0].reason if self.all else None


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """The bounds of the gate; `check` holds one text against them."""

    ratio: tuple[float, float] = (0.5, 2.0)
    """Least and most words of the text per word of the source."""
    most_copied: float = 0.5
    """Largest share of the text that one run of the source may make."""
    least_coverage: float = 0.2
    """Least share of the source's content words that must come again."""
    least_similarity: float | None = None
    """Least similarity, where the caller hands one in; None: none is asked for."""
    without: frozenset[Reason] = field(default_factory=frozenset)
    """Checks left out, for styles that add numbers or names by design."""

    def __post_init__(self) -> None:
        unknown = sorted(self.without.difference(REASONS))
        if unknown or not 0 <= self.ratio[0] <= self.ratio[1]:
            raise ConfigError(
                f"ratio {self.ratio}, without {unknown}",
                why=f"the ratio is a range; checks are {', '.join(REASONS)}",
                fix="correct the option",
            )

    def check(self, source: str, text: str, *, similarity: float | None = None) -> Findings:
        """What is wrong with `text` as a rephrase of `source`; pure.

        `similarity` is the caller's, for example of two embeddings, in [-1, 1].
        """
        theirs, ours = tokenize_unicode(source), tokenize_unicode(text)
        ratio = len(ours) / max(1, len(theirs))
        content = {word for word in theirs if len(word) > 3}
        coverage = len(content.intersection(ours)) / max(1, len(content))
        copied = len(shingles_of(ours, 8) & shingles_of(theirs, 8)) / max(1, len(ours))
        known = set(_NUMBER.findall(source))
        found: list[Finding] = [
            Finding("changed_number", number)
            for number in _NUMBER.findall(text)
            if number not in known
        ]
        words = set(theirs)
        for name in _NAME.findall(text):
            if name.casefold() not in words:
                found.append(Finding("added_name", name))
        bounds: tuple[tuple[Reason, bool, float | None], ...] = (
            ("missing_part", coverage < self.least_coverage, coverage),
            ("copied", copied > self.most_copied, copied),
            ("too_short", ratio < self.ratio[0], ratio),
            ("too_long", ratio > self.ratio[1], ratio),
            ("repetition", bool(repetition(text)) or distinct_pair_share(ours) < 0.4, None),
            (
                "unlike",
                None not in (similarity, self.least_similarity)
                and (similarity or 0) < (self.least_similarity or 0),
                similarity,
            ),
        )
        found += [Finding(reason, "", score) for reason, is_wrong, score in bounds if is_wrong]
        kept = tuple(finding for finding in found if finding.reason not in self.without)
        return Findings(kept, ratio, coverage, copied)
