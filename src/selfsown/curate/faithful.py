"""Does a rephrased text say what its source says? A gate of counts that name what is wrong.

No model is asked. Each check is a count over words with a bound; `Finding.what` shows the place.
Numbers in words, names and negations are read in English; for texts in another language leave
`added_name` and `negation` out (`without`): the rest counts in any language with spaces.

What it is worth (`tests/curate/test_faithful_rates.py`): on 36 honest rephrases written before the
check of negations ran on them no false alarm; planted and named were 28 of 28 changed numbers, 90 %
of added names, 17 % of dropped negations (79 % where the words of the source were kept) and 9 % of
added ones, in passages where nearly every sentence negates (35 % where few do); all copies and
decays. So a text that passes may still deny its source, or swap two of its numbers: an audit by a
model (`rephrase`, `audit_share`) looks for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from selfsown.core.errors import ConfigError
from selfsown.curate.faithful_coverage import Coverage, copied, coverage
from selfsown.curate.faithful_denial import added, lost
from selfsown.curate.faithful_names import Names
from selfsown.curate.faithful_negation import Polarity
from selfsown.curate.faithful_numbers import Numbers
from selfsown.curate.faithful_reading import Reading
from selfsown.curate.garble import repetition

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


SHORTENED: Final = 0.85
"""Words of the text per word of the source below which a part may well be missing."""
MOST_REPEATED: Final = 0.25
"""Largest share of runs of four words that may be repeats, or twice the source's share."""
_DOTS = re.compile(r"(?:[.\u2026]\s?){10}")


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
    least_coverage: float = 0.22
    """Least share of the words of any third of the source that must come again; 0 for no check."""
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
        theirs, ours = Reading(source), Reading(text)
        ratio = len(ours.keys) / max(1, len(theirs.keys))
        covered, same = coverage(theirs, ours), copied(theirs, ours)
        found = [*_numbers(theirs, ours), *_names(theirs, ours), *_negations(theirs, ours)]
        if _is_missing(covered, ratio, self.least_coverage):
            found.append(
                Finding("missing_part", theirs.around(covered.first, covered.last), covered.least)
            )
        share = max(same.share, same.longest)
        if share > self.most_copied:
            found.append(Finding("copied", "", share))
        if not self.ratio[0] <= ratio <= self.ratio[1]:
            found.append(Finding("too_short" if ratio < self.ratio[0] else "too_long", "", ratio))
        found += _repetitions(theirs, ours)
        least = self.least_similarity
        if similarity is not None and least is not None and similarity < least:
            found.append(Finding("unlike", "", similarity))
        kept = tuple(finding for finding in found if finding.reason not in self.without)
        return Findings(kept, ratio, covered.share, share)


def _numbers(source: Reading, text: Reading) -> Iterator[Finding]:
    for mention in Numbers(source).unborne(text):
        yield Finding("changed_number", text.around(mention.first, mention.last))


def _names(source: Reading, text: Reading) -> Iterator[Finding]:
    for name in Names(source).unborne(text):
        yield Finding("added_name", text.around(name.first, name.last))


def _negations(source: Reading, text: Reading) -> Iterator[Finding]:
    theirs, ours = Polarity(source), Polarity(text)
    for reading, cues in ((source, lost(theirs, ours)), (text, added(theirs, ours))):
        for cue in cues:
            last = min(cue.index + 4, len(reading.tokens) - 1)
            yield Finding("negation", reading.around(cue.index, last))


def _is_missing(covered: Coverage, length_ratio: float, least: float) -> bool:
    """Whether a piece of the source is missing, the rest being there; or all of it.

    A rephrase that is as long as its source has to leave out nearly all words of the piece.
    """
    bound = least if length_ratio < SHORTENED else least * 0.25
    is_gap = covered.least < bound and covered.least < 0.5 * covered.rest
    return is_gap or covered.share < 0.5 * least


def _repetitions(source: Reading, text: Reading) -> Iterator[Finding]:
    """A text that decays into dots or letters, or says the same again and again."""
    again, known = _repeated_share(text.keys), _repeated_share(source.keys)
    is_loop = again > max(MOST_REPEATED, 2 * known)
    decay = _DOTS.search(text.text)
    if is_loop or decay is not None or repetition(text.text):
        yield Finding("repetition", " ".join(text.text[-80:].split()), again)


def _repeated_share(keys: Sequence[str]) -> float:
    """Share of runs of four words that are not the first of their kind; 0.0 below 12 runs."""
    runs = list(zip(*(keys[start:] for start in range(4)), strict=False))
    return 1 - len(set(runs)) / len(runs) if len(runs) >= 12 else 0.0
