"""Which negations of a source its rephrase lost, and which it has too many.

Polarity cannot be compared word by word: "does not dissolve" is "insoluble", "remained silent" is
"said nothing". So the negating words of both sides are paired off first, by the words around them
and by their place; a text with as many as its source has lost none. One that is left over is
reported on evidence of one of two kinds.

- A *clause* of the other side has the word that was negated and some of the clause, and nothing
  negates in it, nor hints at it in its sentence ("fails", "only", "un-").
- The *sentences* of the other side that are nearest to it have most of its words, and no negation
  that is left over, and no hint.

A hint that the negating side has in the same place bears nothing ("only X does not").

Not covered: most negations whose sentence was put in other words, or stands beside a hint;
`tests/curate/test_faithful_rates.py` prints how many are caught. What is reported is right nearly
always, what is not reported proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import fsum
from typing import Final

from selfsown.curate.faithful_negation import Cue, Polarity, is_contrast
from selfsown.curate.faithful_reading import stem
from selfsown.curate.faithful_words import WEAK_HINTS

_MOST: Final = 128
"""Negating words of a side that are paired; those after them are not judged."""
_AROUND: Final = 8
"""Tokens before and after a negating word that are compared."""
_PLACE: Final = 0.5
_SAME_WORD: Final = 0.1
"""What the same place, and the same negating word, count beside shared words (1 for all)."""
_SAME: Final = 0.95
"""Share of a clause's weight from which on it is the same clause."""
_COMMON: Final = 64
"""Places of a word from which on it is no sign of the matter."""
_OPPOSITE: Final = ("a", "il", "im", "in", "ir")
"""What before the very word that is negated negates it, too: "not polar", "apolar"."""

_WEAK: Final = frozenset(map(stem, WEAK_HINTS))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the other side must have for a negation that is left over to be lost."""

    clause: float
    """Least share of the weight of its clause, in a clause with the negated word."""
    sentence: float
    """Least share of the weight of its sentence, in the sentences nearest to it."""
    own: float
    """The same of its clause, in those sentences."""
    near: float
    """Difference of places, as shares of the texts, up to which two negating words may be a pair
    that share no words."""
    shared: float
    """Least share of the weight of the words around a negating word that makes a pair."""
    is_counted: bool
    """Whether there is nothing to look for where the other side has as many negating words."""
    heads: int
    """Words after it that a negative clause of the other side may have for it to be borne."""


LOST: Final = Evidence(
    clause=0.35, sentence=0.6, own=0.6, near=0.2, shared=0.01, is_counted=True, heads=1
)
ADDED: Final = Evidence(
    clause=0.45, sentence=0.5, own=0.4, near=0.05, shared=0.2, is_counted=False, heads=2
)


def lost(source: Polarity, text: Polarity) -> list[Cue]:
    """The negations of the source that the text does not have."""
    return _left_over(source, text, LOST)


def added(source: Polarity, text: Polarity) -> list[Cue]:
    """The negations of the text that the source does not have."""
    return _left_over(text, source, ADDED)


def _left_over(theirs: Polarity, ours: Polarity, evidence: Evidence) -> list[Cue]:
    if evidence.is_counted and len(theirs.markers) <= len(ours.markers):
        return []
    left, alone = _unpaired(theirs, ours, evidence)
    denial = _Denial(theirs, ours, alone, evidence)
    return [
        cue
        for cue in theirs.cues
        if cue.index in left and (denial.is_stated(cue) or denial.is_outnumbered(cue))
    ]


def _unpaired(theirs: Polarity, ours: Polarity, evidence: Evidence) -> tuple[set[int], set[int]]:
    """Token indices of the negating words of both sides that have no partner on the other."""
    one, other = theirs.markers[:_MOST], ours.markers[:_MOST]
    around = [ours.around(cue.index, _AROUND) for cue in other]
    scored = []
    for at, cue in enumerate(one):
        mine = theirs.around(cue.index, _AROUND)
        total = fsum(theirs.weights[each] for each in mine) or 1.0
        for to, candidate in enumerate(other):
            share = fsum(theirs.weights[each] for each in mine & around[to]) / total
            away = abs(theirs.place(cue.index) - ours.place(candidate.index))
            if share >= evidence.shared or away <= evidence.near:
                is_same = theirs.key(cue.index) == ours.key(candidate.index)
                scored.append((away * _PLACE - share - is_same * _SAME_WORD, at, to))
    left, alone = {cue.index for cue in one}, {cue.index for cue in other}
    for _, at, to in sorted(scored):
        if one[at].index in left and other[to].index in alone:
            left.discard(one[at].index)
            alone.discard(other[to].index)
    return left, alone


class _Denial:
    """What one side says of the negations that the other has too many."""

    def __init__(
        self, theirs: Polarity, ours: Polarity, alone: Collection[int], evidence: Evidence
    ) -> None:
        self.theirs, self.ours, self.evidence = theirs, ours, evidence
        self.alone = {
            ours.clauses[cue.clause].sentence for cue in ours.markers if cue.index in alone
        }
        self.groups = _counterparts(theirs, ours)

    def is_stated(self, cue: Cue) -> bool:
        """Whether a clause states what is denied, and none denies it."""
        theirs, ours = self.theirs, self.ours
        known = ours.clauses_by_stem
        if not cue.head or any(prefix + each in known for each in cue.head for prefix in _OPPOSITE):
            return False
        heads = set(cue.head[: self.evidence.heads])
        if any(heads & ours.clauses[number].stems for number in ours.negative):
            return False
        stems = theirs.clauses[cue.clause].stems
        shares = _shares(stems, theirs.weights, known)
        return any(
            share >= self.evidence.clause
            and cue.head[0] in ours.clauses[number].stems
            and number not in ours.negative
            and ours.clauses[number].sentence not in ours.questions
            and not self._is_hedged(cue, {ours.clauses[number].sentence}, share >= _SAME)
            for number, share in shares.items()
        )

    def is_outnumbered(self, cue: Cue) -> bool:
        """Whether the sentences nearest to that of a negation have its words and no negation."""
        theirs, ours = self.theirs, self.ours
        sentence = theirs.clauses[cue.clause].sentence
        group = self.groups.get(sentence, [])
        if not group or is_contrast(theirs.reading.tokens, cue.index):
            return False
        said = frozenset().union(*(ours.sentences[number] for number in group))
        matter = theirs.sentences[sentence]
        total = fsum(theirs.weights[each] for each in matter)
        if fsum(theirs.weights[each] for each in matter & said) < self.evidence.sentence * total:
            return False
        stems = theirs.clauses[cue.clause].stems
        here = fsum(theirs.weights[each] for each in stems)
        if fsum(theirs.weights[each] for each in stems & said) < self.evidence.own * here:
            return False
        heads = set(cue.head)
        if any(heads & ours.clauses[number].stems for number in ours.negative):
            return False
        return not self._is_hedged(cue, group)

    def _is_hedged(self, cue: Cue, sentences: Collection[int], is_same: bool = False) -> bool:
        """Whether some sentences may bear a negation that no other one has borne.

        Where the clause is the same word for word, no hint that both sides have bears it.
        """
        if not self.alone.isdisjoint(sentences):
            return True
        at = self.theirs.clauses[cue.clause].sentence
        known = {
            key
            for near in (at - 1, at, at + 1)
            for key in self.theirs.hedges.get(near, frozenset())
            if is_same or key in _WEAK
        }
        return any(not self.ours.hedges.get(number, frozenset()) <= known for number in sentences)


def _counterparts(theirs: Polarity, ours: Polarity) -> dict[int, list[int]]:
    """For sentences of one side those of the other that are nearer to it than to any other."""
    groups: dict[int, list[int]] = {}
    for number, stems in enumerate(ours.sentences):
        shares: dict[int, float] = {}
        for each in sorted(stems):
            places = theirs.sentences_by_stem.get(each, ())
            if len(places) <= _COMMON:
                for place in places:
                    shares[place] = shares.get(place, 0.0) + theirs.weights[each]
        if shares:
            nearest = max(shares, key=lambda place: (shares[place], -place))
            groups.setdefault(nearest, []).append(number)
    return groups


def _shares(
    stems: frozenset[str], weights: dict[str, float], by_stem: dict[str, list[int]]
) -> dict[int, float]:
    """Places with the share of the stems' weight that they hold."""
    total = fsum(weights[each] for each in stems)
    found: dict[int, float] = {}
    for each in sorted(stems):
        places = by_stem.get(each, ())
        if len(places) <= _COMMON:
            for number in places:
                found[number] = found.get(number, 0.0) + weights[each] / total
    return found
